//! Symmetric keys: AES and HMAC.

use aes::{Aes128, Aes192, Aes256};
use aes_gcm::{AeadInOut as _, AesGcm, Nonce, Tag};
use aes_kw::{AesKw, IV_LEN as SEMIBLOCK};
use cbc::cipher::{
    BlockModeDecrypt as _, BlockModeEncrypt as _, KeyInit as _, KeyIvInit as _,
    block_padding::{NoPadding, Padding, Pkcs7, ZeroPadding},
    consts::U12,
};
use hmac::{Hmac, Mac as _};
use rand::Rng as _;
use sha2::{Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use super::{
    encryption::{Decrypted, Encrypted},
    jwk::{JsonWebKey, bytes},
};
use crate::{AesSize, Error, KeyShape, Result, Sha, keys::key_spec::check_size};

const BLOCK: usize = 16;
const GCM_IV: usize = 12;
const GCM_TAG: usize = 16;

pub(crate) struct OctKey(Zeroizing<Vec<u8>>);

/// Evaluates `$body` with `$aes` as the AES cipher of this size.
macro_rules! with_aes {
    ($size:expr, $aes:ident => $body:expr) => {
        match $size {
            AesSize::Aes128 => {
                type $aes = Aes128;
                $body
            }
            AesSize::Aes192 => {
                type $aes = Aes192;
                $body
            }
            AesSize::Aes256 => {
                type $aes = Aes256;
                $body
            }
        }
    };
}

/// Evaluates `$body` with `$hash` as this hash.
macro_rules! with_sha {
    ($sha:expr, $hash:ident => $body:expr) => {
        match $sha {
            Sha::Sha256 => {
                type $hash = Sha256;
                $body
            }
            Sha::Sha384 => {
                type $hash = Sha384;
                $body
            }
            Sha::Sha512 => {
                type $hash = Sha512;
                $body
            }
        }
    };
}

impl OctKey {
    pub(super) fn generate(bits: u32) -> Self {
        let mut key = Zeroizing::new(vec![0; bits as usize / 8]);
        rand::rng().fill_bytes(&mut key);
        Self(key)
    }

    pub(super) fn import(jwk: &JsonWebKey) -> Result<Self> {
        let k = bytes("k", jwk.k.as_ref())?;
        let key = Self(k);
        check_size(key.bits(), &KeyShape::OCT_BITS)?;
        Ok(key)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let key = Self(Zeroizing::new(bytes.to_vec()));
        KeyShape::OCT_BITS.contains(&key.bits()).then_some(key)
    }

    pub(super) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        self.0.clone()
    }

    pub(super) fn bits(&self) -> u32 {
        u32::try_from(self.0.len() * 8).unwrap_or(u32::MAX)
    }

    pub(super) fn encrypt_gcm(
        &self,
        size: AesSize,
        plaintext: &[u8],
        aad: &[u8],
    ) -> Result<Encrypted> {
        let iv = random::<GCM_IV>();
        let mut ciphertext = plaintext.to_vec();
        let tag = with_aes!(size, Aes => {
            AesGcm::<Aes, U12>::new_from_slice(&self.0)
                .map_err(|_| self.wrong_key_size(size))?
                .encrypt_inout_detached(&Nonce::from(iv), aad, ciphertext.as_mut_slice().into())
        });
        let tag = tag.map_err(|_| Error::BadParameter("The value is too long.".to_owned()))?;
        Ok(Encrypted {
            ciphertext,
            iv: Some(iv.to_vec()),
            tag: Some(tag.to_vec()),
        })
    }

    pub(super) fn decrypt_gcm(
        &self,
        size: AesSize,
        ciphertext: &[u8],
        iv: &[u8],
        aad: &[u8],
        tag: &[u8],
    ) -> Result<Decrypted> {
        let iv: [u8; GCM_IV] = exact_bytes("iv", iv)?;
        let tag: [u8; GCM_TAG] = exact_bytes("tag", tag)?;
        let mut plaintext = Zeroizing::new(ciphertext.to_vec());
        let opened = with_aes!(size, Aes => {
            AesGcm::<Aes, U12>::new_from_slice(&self.0)
                .map_err(|_| self.wrong_key_size(size))?
                .decrypt_inout_detached(
                    &Nonce::from(iv),
                    aad,
                    plaintext.as_mut_slice().into(),
                    &Tag::from(tag),
                )
        });
        Ok(opened.is_ok().then_some(plaintext))
    }

    /// Encrypts with zeros in the rest of the last block. Decryption returns them, since it cannot tell padding from
    /// plaintext.
    pub(super) fn encrypt_cbc(
        &self,
        size: AesSize,
        plaintext: &[u8],
        iv: Option<&[u8]>,
    ) -> Result<Encrypted> {
        self.encrypt_blocks::<ZeroPadding>(size, plaintext, iv)
    }

    pub(super) fn encrypt_cbc_pad(
        &self,
        size: AesSize,
        plaintext: &[u8],
        iv: Option<&[u8]>,
    ) -> Result<Encrypted> {
        self.encrypt_blocks::<Pkcs7>(size, plaintext, iv)
    }

    pub(super) fn decrypt_cbc(
        &self,
        size: AesSize,
        ciphertext: &[u8],
        iv: &[u8],
    ) -> Result<Decrypted> {
        self.decrypt_blocks::<NoPadding>(size, ciphertext, iv)
    }

    pub(super) fn decrypt_cbc_pad(
        &self,
        size: AesSize,
        ciphertext: &[u8],
        iv: &[u8],
    ) -> Result<Decrypted> {
        self.decrypt_blocks::<Pkcs7>(size, ciphertext, iv)
    }

    pub(super) fn wrap(&self, size: AesSize, value: &[u8]) -> Result<Vec<u8>> {
        // RFC 3394, 2.2.1: at least two semiblocks.
        if value.len() < 2 * SEMIBLOCK || !value.len().is_multiple_of(SEMIBLOCK) {
            return Err(Error::BadParameter(format!(
                "The value has {} bytes; AES key wrap takes a multiple of {SEMIBLOCK}, and at least {}.",
                value.len(),
                2 * SEMIBLOCK
            )));
        }
        let mut wrapped = vec![0; value.len() + SEMIBLOCK];
        let done = with_aes!(size, Aes => {
            AesKw::<Aes>::new_from_slice(&self.0)
                .map_err(|_| self.wrong_key_size(size))?
                .wrap_key(value, &mut wrapped)
                .map(drop)
        });
        done.map_err(|_| Error::BadParameter("The value is too long.".to_owned()))?;
        Ok(wrapped)
    }

    pub(super) fn unwrap(&self, size: AesSize, value: &[u8]) -> Result<Decrypted> {
        let mut unwrapped = Zeroizing::new(vec![0; value.len().saturating_sub(SEMIBLOCK)]);
        let done = with_aes!(size, Aes => {
            AesKw::<Aes>::new_from_slice(&self.0)
                .map_err(|_| self.wrong_key_size(size))?
                .unwrap_key(value, &mut unwrapped)
                .map(drop)
        });
        Ok((done.is_ok() && unwrapped.len() >= 2 * SEMIBLOCK).then_some(unwrapped))
    }

    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    pub(super) fn sign(&self, sha: Sha, digest: &[u8]) -> Vec<u8> {
        with_sha!(sha, Hash => {
            let mac = Hmac::<Hash>::new_from_slice(&self.0).expect("any length will do");
            mac.chain_update(digest).finalize().into_bytes().to_vec()
        })
    }

    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    pub(super) fn verify(&self, sha: Sha, digest: &[u8], signature: &[u8]) -> bool {
        with_sha!(sha, Hash => {
            let mac = Hmac::<Hash>::new_from_slice(&self.0).expect("any length will do");
            mac.chain_update(digest).verify_slice(signature).is_ok()
        })
    }

    fn encrypt_blocks<P: Padding>(
        &self,
        size: AesSize,
        plaintext: &[u8],
        iv: Option<&[u8]>,
    ) -> Result<Encrypted> {
        let iv: [u8; BLOCK] = match iv {
            Some(iv) => exact_bytes("iv", iv)?,
            None => random(),
        };
        let ciphertext = with_aes!(size, Aes => {
            cbc::Encryptor::<Aes>::new_from_slices(&self.0, &iv)
                .map_err(|_| self.wrong_key_size(size))?
                .encrypt_padded_vec::<P>(plaintext)
        });
        Ok(Encrypted {
            ciphertext,
            iv: Some(iv.to_vec()),
            tag: None,
        })
    }

    fn decrypt_blocks<P: Padding>(
        &self,
        size: AesSize,
        ciphertext: &[u8],
        iv: &[u8],
    ) -> Result<Decrypted> {
        let iv: [u8; BLOCK] = exact_bytes("iv", iv)?;
        let mut plaintext = Zeroizing::new(ciphertext.to_vec());
        let length = with_aes!(size, Aes => {
            cbc::Decryptor::<Aes>::new_from_slices(&self.0, &iv)
                .map_err(|_| self.wrong_key_size(size))?
                .decrypt_padded::<P>(&mut plaintext)
                .map(<[u8]>::len)
        });
        Ok(length.ok().map(|length| {
            plaintext.truncate(length);
            plaintext
        }))
    }

    fn wrong_key_size(&self, size: AesSize) -> Error {
        Error::BadParameter(format!(
            "The algorithm needs a key of {} bits; this one has {}.",
            size.bits(),
            self.bits()
        ))
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

fn exact_bytes<const N: usize>(field: &str, given: &[u8]) -> Result<[u8; N]> {
    given.try_into().map_err(|_| {
        Error::BadParameter(format!(
            "'{field}' has {} bytes; it must have {N}.",
            given.len()
        ))
    })
}
