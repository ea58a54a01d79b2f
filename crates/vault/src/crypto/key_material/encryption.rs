//! Encryption and key wrapping.

use sha1::Sha1;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::KeyMaterial;
use crate::{EncryptionAlgorithm, Error, Result};

/// The result of an encryption.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encrypted {
    /// The ciphertext.
    pub ciphertext: Vec<u8>,
    /// The initialisation vector of AES-GCM and AES-CBC.
    pub iv: Option<Vec<u8>>,
    /// The authentication tag of AES-GCM.
    pub tag: Option<Vec<u8>>,
}

/// The plaintext, or `None` for any fault in the ciphertext: telling faults apart makes an oracle (RFC 8017, 7.1.2).
pub(super) type Decrypted = Option<Zeroizing<Vec<u8>>>;

impl KeyMaterial {
    /// Encrypts `plaintext`. Without an `iv`, AES-CBC draws a random one. AES-GCM always does, since reuse of one reveals
    /// the authentication key.
    ///
    /// <https://learn.microsoft.com/rest/api/keyvault/keys/encrypt/encrypt>
    pub(crate) fn encrypt(
        &self,
        algorithm: EncryptionAlgorithm,
        plaintext: &[u8],
        iv: Option<&[u8]>,
        aad: Option<&[u8]>,
    ) -> Result<Encrypted> {
        use EncryptionAlgorithm::{AesCbc, AesCbcPad, AesGcm, AesKw};

        let cbc = matches!(algorithm, AesCbc(_) | AesCbcPad(_));
        refuse_unused(algorithm, aad, "aad", cbc || matches!(algorithm, AesGcm(_)))?;
        refuse_unused(algorithm, iv, "iv", cbc)?;
        match (self, algorithm) {
            (Self::Oct(key), AesGcm(size)) => {
                key.encrypt_gcm(size, plaintext, aad.unwrap_or_default())
            }
            (Self::Oct(key), AesCbc(size)) => key.encrypt_cbc(size, plaintext, iv),
            (Self::Oct(key), AesCbcPad(size)) => key.encrypt_cbc_pad(size, plaintext, iv),
            (_, AesKw(_)) => Err(usable_only_for(algorithm, "wrapKey and unwrapKey")),
            _ => Ok(Encrypted {
                ciphertext: self.encrypt_with_rsa(algorithm, plaintext)?,
                ..Encrypted::default()
            }),
        }
    }

    /// Decrypts a ciphertext.
    ///
    /// <https://learn.microsoft.com/rest/api/keyvault/keys/decrypt/decrypt>
    pub(crate) fn decrypt(
        &self,
        algorithm: EncryptionAlgorithm,
        encrypted: &Encrypted,
        aad: Option<&[u8]>,
    ) -> Result<Zeroizing<Vec<u8>>> {
        use EncryptionAlgorithm::{AesCbc, AesCbcPad, AesGcm, AesKw};

        let ciphertext = encrypted.ciphertext.as_slice();
        let (iv, tag) = (encrypted.iv.as_deref(), encrypted.tag.as_deref());
        let gcm = matches!(algorithm, AesGcm(_));
        let cbc = matches!(algorithm, AesCbc(_) | AesCbcPad(_));
        refuse_unused(algorithm, aad, "aad", gcm || cbc)?;
        refuse_unused(algorithm, tag, "tag", gcm || cbc)?;
        refuse_unused(algorithm, iv, "iv", gcm || cbc)?;
        let decrypted = match (self, algorithm) {
            (Self::Oct(key), AesGcm(size)) => key.decrypt_gcm(
                size,
                ciphertext,
                required(algorithm, iv, "iv")?,
                aad.unwrap_or_default(),
                required(algorithm, tag, "tag")?,
            )?,
            (Self::Oct(key), AesCbc(size)) => {
                key.decrypt_cbc(size, ciphertext, required(algorithm, iv, "iv")?)?
            }
            (Self::Oct(key), AesCbcPad(size)) => {
                key.decrypt_cbc_pad(size, ciphertext, required(algorithm, iv, "iv")?)?
            }
            (_, AesKw(_)) => return Err(usable_only_for(algorithm, "wrapKey and unwrapKey")),
            _ => self.decrypt_with_rsa(algorithm, ciphertext)?,
        };
        decrypted.ok_or_else(|| decryption_failed(algorithm))
    }

    /// Wraps another key.
    ///
    /// <https://learn.microsoft.com/rest/api/keyvault/keys/wrap-key/wrap-key>
    pub(crate) fn wrap(&self, algorithm: EncryptionAlgorithm, value: &[u8]) -> Result<Vec<u8>> {
        use EncryptionAlgorithm::{AesCbc, AesCbcPad, AesGcm, AesKw};

        match (self, algorithm) {
            (Self::Oct(key), AesKw(size)) => key.wrap(size, value),
            (_, AesGcm(_) | AesCbc(_) | AesCbcPad(_)) => {
                Err(usable_only_for(algorithm, "encrypt and decrypt"))
            }
            _ => self.encrypt_with_rsa(algorithm, value),
        }
    }

    /// Unwraps a wrapped key.
    ///
    /// <https://learn.microsoft.com/rest/api/keyvault/keys/unwrap-key/unwrap-key>
    pub(crate) fn unwrap(
        &self,
        algorithm: EncryptionAlgorithm,
        value: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>> {
        use EncryptionAlgorithm::{AesCbc, AesCbcPad, AesGcm, AesKw};

        let unwrapped = match (self, algorithm) {
            (Self::Oct(key), AesKw(size)) => key.unwrap(size, value)?,
            (_, AesGcm(_) | AesCbc(_) | AesCbcPad(_)) => {
                return Err(usable_only_for(algorithm, "encrypt and decrypt"));
            }
            _ => self.decrypt_with_rsa(algorithm, value)?,
        };
        unwrapped.ok_or_else(|| decryption_failed(algorithm))
    }

    fn encrypt_with_rsa(
        &self,
        algorithm: EncryptionAlgorithm,
        plaintext: &[u8],
    ) -> Result<Vec<u8>> {
        match (self, algorithm) {
            (Self::Rsa(key), EncryptionAlgorithm::RsaOaep256) => {
                key.encrypt_oaep::<Sha256>(algorithm, plaintext)
            }
            (Self::Rsa(key), EncryptionAlgorithm::RsaOaep) => {
                key.encrypt_oaep::<Sha1>(algorithm, plaintext)
            }
            (Self::Rsa(key), EncryptionAlgorithm::Rsa15) => key.encrypt_pkcs1(algorithm, plaintext),
            _ => Err(self.unsuitable(algorithm)),
        }
    }

    fn decrypt_with_rsa(
        &self,
        algorithm: EncryptionAlgorithm,
        ciphertext: &[u8],
    ) -> Result<Decrypted> {
        match (self, algorithm) {
            (Self::Rsa(key), EncryptionAlgorithm::RsaOaep256) => {
                Ok(key.decrypt_oaep::<Sha256>(ciphertext))
            }
            (Self::Rsa(key), EncryptionAlgorithm::RsaOaep) => {
                Ok(key.decrypt_oaep::<Sha1>(ciphertext))
            }
            (Self::Rsa(key), EncryptionAlgorithm::Rsa15) => Ok(key.decrypt_pkcs1(ciphertext)),
            _ => Err(self.unsuitable(algorithm)),
        }
    }

    fn unsuitable(&self, algorithm: EncryptionAlgorithm) -> Error {
        let kind = self.kind();
        Error::BadParameter(match self {
            Self::Ec(_) => format!(
                "Keys of the type {kind} can only sign and verify; {algorithm} cannot be used with them."
            ),
            Self::Rsa(_) | Self::Oct(_) => {
                format!("The algorithm {algorithm} cannot be used with keys of the type {kind}.")
            }
        })
    }
}

/// Refuses a parameter that the algorithm ignores, so that no client believes it is bound to the ciphertext. AES-CBC accepts
/// all parameters of AES-GCM, because Microsoft's SDKs for .NET and JavaScript send them in their tests.
fn refuse_unused(
    algorithm: EncryptionAlgorithm,
    given: Option<&[u8]>,
    field: &str,
    is_accepted: bool,
) -> Result<()> {
    if given.is_none() || is_accepted {
        return Ok(());
    }
    Err(Error::BadParameter(match (algorithm, field) {
        (EncryptionAlgorithm::AesGcm(_), "iv") => {
            format!("'iv' cannot be given with {algorithm}: the service chooses it.")
        }
        _ => format!("'{field}' cannot be given with {algorithm}."),
    }))
}

/// Makes the refusal of a ciphertext: one text for each algorithm, whatever the fault. The texts of OAEP
/// (<https://github.com/MicrosoftDocs/azure-docs/issues/39976>) and `RSA1_5`
/// (<https://github.com/Azure/azure-sdk-for-js/issues/30125>) are Azure's.
fn decryption_failed(algorithm: EncryptionAlgorithm) -> Error {
    use EncryptionAlgorithm::{AesCbc, AesCbcPad, AesGcm, AesKw, Rsa15, RsaOaep, RsaOaep256};

    Error::BadParameter(match algorithm {
        RsaOaep | RsaOaep256 => "Error occurred while decoding OAEP padding.".to_owned(),
        Rsa15 => "Unable to decrypt specified value with this key".to_owned(),
        AesGcm(_) | AesCbc(_) | AesCbcPad(_) | AesKw(_) => {
            format!("The value cannot be decrypted with this key version and {algorithm}.")
        }
    })
}

fn required<'a>(
    algorithm: EncryptionAlgorithm,
    given: Option<&'a [u8]>,
    field: &str,
) -> Result<&'a [u8]> {
    given.ok_or_else(|| {
        Error::BadParameter(format!(
            "'{field}' is required to decrypt with {algorithm}."
        ))
    })
}

fn usable_only_for(algorithm: EncryptionAlgorithm, operations: &str) -> Error {
    Error::BadParameter(format!(
        "The algorithm {algorithm} can only be used for {operations}."
    ))
}
