//! RSA keys (RFC 8017). The `rsa` crate blinds each private operation with the system's randomness.

use rsa::{
    BoxedUint, Pkcs1v15Sign, PrivateKey, Pss,
    pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _},
    traits::{PrivateKeyParts as _, PublicKeyParts as _},
};
use sha2::{
    Sha256, Sha384, Sha512,
    digest::{Digest, FixedOutputReset},
};
use zeroize::Zeroizing;

use super::{
    encryption::Decrypted,
    jwk::{JsonWebKey, number},
};
use crate::{
    EncryptionAlgorithm, Error, KeyShape, PublicKey, Result, Sha, crypto::base64url,
    keys::key_spec::check_size,
};

/// 65537, the only accepted exponent.
const EXPONENT: [u8; 3] = [1, 0, 1];

/// The minimum padding of PKCS#1 v1.5 (RFC 8017, 7.2.1 and 9.2).
const PKCS1_PADDING: usize = 11;

pub(crate) struct RsaKey(PrivateKey);

impl RsaKey {
    pub(super) fn generate(bits: u32) -> Result<Self> {
        Ok(Self(PrivateKey::new(&mut rand::rng(), bits as usize)?))
    }

    /// Reads a JWK. The primes may be missing (RFC 7518, 6.3.2), since they follow from the other members.
    pub(super) fn import(jwk: &JsonWebKey) -> Result<Self> {
        let n = number("n", jwk.n.as_ref())?;
        let exponent = number("e", jwk.e.as_ref())?;
        let d = number("d", jwk.d.as_ref())?;
        let bits = uint(&n).bit_width_vartime();
        check_size(bits, &KeyShape::IMPORTED_RSA_BITS)?;
        if *exponent != EXPONENT {
            return Err(Error::BadParameter(
                "'e' must be 65537, which is 'AQAB' in base64url.".to_owned(),
            ));
        }
        let primes = match (jwk.p.as_ref(), jwk.q.as_ref()) {
            (None, None) => Vec::new(),
            (p, q) => vec![number("p", p)?, number("q", q)?],
        };
        if d.is_empty() || primes.iter().any(|prime| prime.is_empty()) {
            return Err(invalid("'d', 'p' or 'q' is zero"));
        }
        let inconsistent = |_| invalid("'n', 'e', 'd', 'p' and 'q' do not belong to one RSA key");
        let key = PrivateKey::from_components(
            uint(&n),
            uint(&EXPONENT),
            uint(&d),
            primes.iter().map(|prime| uint(prime)).collect(),
        )
        .map_err(inconsistent)?;
        // `from_components` does not test the primes. If they are not prime, a signature fails its own check.
        key.pkcs1v15_sign_prehash::<Sha256>(&[0; 32])
            .map_err(inconsistent)?;

        let key = Self(key);
        key.check_crt(jwk)?;
        Ok(key)
    }

    /// Checks the members for the Chinese remainder theorem, as far as they are present.
    fn check_crt(&self, jwk: &JsonWebKey) -> Result<()> {
        let Self(key) = self;
        let qi = key.crt_coefficient().map(Zeroizing::new);
        for (field, given, own) in [
            ("dp", jwk.dp.as_ref(), key.dp()),
            ("dq", jwk.dq.as_ref(), key.dq()),
            ("qi", jwk.qi.as_ref(), qi.as_deref()),
        ] {
            if given.is_none() {
                continue;
            }
            if jwk.p.is_none() {
                return Err(invalid(
                    "'dp', 'dq' and 'qi' cannot be given without 'p' and 'q'",
                ));
            }
            let given = Zeroizing::new(uint(&number(field, given)?));
            if own.is_none_or(|own| *own != *given) {
                return Err(invalid(
                    "'dp', 'dq' or 'qi' does not belong to 'd', 'p' and 'q'",
                ));
            }
        }
        Ok(())
    }

    pub(super) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        PrivateKey::from_pkcs8_der(der).ok().map(Self)
    }

    pub(super) fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>> {
        let der = self.0.to_pkcs8_der().map_err(rsa::Error::from)?;
        Ok(der.to_bytes())
    }

    pub(super) fn bits(&self) -> u32 {
        self.0.n().bit_width_vartime()
    }

    pub(super) fn bytes(&self) -> usize {
        self.0.size()
    }

    pub(super) fn public_key(&self) -> PublicKey {
        PublicKey::Rsa {
            n: base64url::encode(&self.0.n_bytes()),
            e: base64url::encode(&self.0.e_bytes()),
        }
    }

    pub(super) fn encrypt_oaep<D: Digest + FixedOutputReset>(
        &self,
        algorithm: EncryptionAlgorithm,
        plaintext: &[u8],
    ) -> Result<Vec<u8>> {
        // RFC 8017, 7.1.1: two hashes and two bytes of padding.
        let limit = self.0.size() - 2 * <D as Digest>::output_size() - 2;
        check_length(algorithm, plaintext, limit)?;
        Ok(self.0.as_public_key().oaep_encrypt::<D>(plaintext)?)
    }

    pub(super) fn decrypt_oaep<D: Digest + FixedOutputReset>(
        &self,
        ciphertext: &[u8],
    ) -> Decrypted {
        self.0
            .oaep_decrypt::<D>(ciphertext)
            .ok()
            .map(Zeroizing::new)
    }

    pub(super) fn encrypt_pkcs1(
        &self,
        algorithm: EncryptionAlgorithm,
        plaintext: &[u8],
    ) -> Result<Vec<u8>> {
        check_length(algorithm, plaintext, self.pkcs1_limit())?;
        Ok(self.0.as_public_key().pkcs1v15_encrypt(plaintext)?)
    }

    /// Decrypts a ciphertext. For wrong padding, the `rsa` crate returns a made-up plaintext, so that nobody can detect
    /// it.
    pub(super) fn decrypt_pkcs1(&self, ciphertext: &[u8]) -> Decrypted {
        self.0.pkcs1v15_decrypt(ciphertext).ok().map(Zeroizing::new)
    }

    pub(super) fn pkcs1_limit(&self) -> usize {
        self.0.size() - PKCS1_PADDING
    }

    pub(super) fn sign_pss(&self, sha: Sha, digest: &[u8]) -> Result<Vec<u8>> {
        Ok(match sha {
            Sha::Sha256 => self.0.sign(Pss::<Sha256>::new(), digest),
            Sha::Sha384 => self.0.sign(Pss::<Sha384>::new(), digest),
            Sha::Sha512 => self.0.sign(Pss::<Sha512>::new(), digest),
        }?)
    }

    pub(super) fn verify_pss(&self, sha: Sha, digest: &[u8], signature: &[u8]) -> bool {
        let key = self.0.as_public_key();
        match sha {
            Sha::Sha256 => key.verify(Pss::<Sha256>::new(), digest, signature),
            Sha::Sha384 => key.verify(Pss::<Sha384>::new(), digest, signature),
            Sha::Sha512 => key.verify(Pss::<Sha512>::new(), digest, signature),
        }
        .is_ok()
    }

    pub(super) fn sign_pkcs1(&self, sha: Option<Sha>, digest: &[u8]) -> Result<Vec<u8>> {
        Ok(self.0.sign(pkcs1(sha), digest)?)
    }

    pub(super) fn verify_pkcs1(&self, sha: Option<Sha>, digest: &[u8], signature: &[u8]) -> bool {
        self.0
            .as_public_key()
            .verify(pkcs1(sha), digest, signature)
            .is_ok()
    }
}

fn pkcs1(sha: Option<Sha>) -> Pkcs1v15Sign {
    match sha {
        Some(Sha::Sha256) => Pkcs1v15Sign::new::<Sha256>(),
        Some(Sha::Sha384) => Pkcs1v15Sign::new::<Sha384>(),
        Some(Sha::Sha512) => Pkcs1v15Sign::new::<Sha512>(),
        None => Pkcs1v15Sign::new_unprefixed(),
    }
}

fn check_length(algorithm: EncryptionAlgorithm, plaintext: &[u8], limit: usize) -> Result<()> {
    if plaintext.len() <= limit {
        return Ok(());
    }
    Err(Error::BadParameter(format!(
        "The value has {} bytes; {algorithm} with this key takes at most {limit}.",
        plaintext.len()
    )))
}

/// Makes the refusal. The text is Azure's: <https://github.com/Azure/azure-sdk-for-python/issues/28452>
fn invalid(why: &'static str) -> Error {
    Error::RsaKeyInvalid { why }
}

fn uint(big_endian: &[u8]) -> BoxedUint {
    BoxedUint::from_be_slice_vartime(big_endian)
}
