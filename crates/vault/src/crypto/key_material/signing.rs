//! Signatures of digests that the client made.

use super::KeyMaterial;
use crate::{Error, Result, SignatureAlgorithm};

impl KeyMaterial {
    /// Signs `digest`. A refusal names `kid`, the key's URL.
    ///
    /// <https://learn.microsoft.com/rest/api/keyvault/keys/sign/sign>
    pub(crate) fn sign(
        &self,
        kid: &str,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
    ) -> Result<Vec<u8>> {
        self.check_digest(kid, algorithm, "value", digest)?;
        match (self, algorithm) {
            (Self::Rsa(key), SignatureAlgorithm::Ps(sha)) => key.sign_pss(sha, digest),
            (Self::Rsa(key), SignatureAlgorithm::Rs(sha)) => key.sign_pkcs1(Some(sha), digest),
            (Self::Rsa(key), SignatureAlgorithm::RsNull) => key.sign_pkcs1(None, digest),
            (Self::Ec(key), SignatureAlgorithm::Es(_)) => key.sign(digest),
            (Self::Oct(key), SignatureAlgorithm::Hs(sha)) => Ok(key.sign(sha, digest)),
            _ => Err(self.incompatible(kid, algorithm)),
        }
    }

    /// Returns true if `signature` is valid for `digest`. A malformed signature is invalid, and not an error.
    ///
    /// <https://learn.microsoft.com/rest/api/keyvault/keys/verify/verify>
    pub(crate) fn verify(
        &self,
        kid: &str,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<bool> {
        self.check_digest(kid, algorithm, "digest", digest)?;
        Ok(match (self, algorithm) {
            (Self::Rsa(key), SignatureAlgorithm::Ps(sha)) => key.verify_pss(sha, digest, signature),
            (Self::Rsa(key), SignatureAlgorithm::Rs(sha)) => {
                key.verify_pkcs1(Some(sha), digest, signature)
            }
            (Self::Rsa(key), SignatureAlgorithm::RsNull) => {
                key.verify_pkcs1(None, digest, signature)
            }
            (Self::Ec(key), SignatureAlgorithm::Es(_)) => key.verify(digest, signature),
            (Self::Oct(key), SignatureAlgorithm::Hs(sha)) => key.verify(sha, digest, signature),
            _ => return Err(self.incompatible(kid, algorithm)),
        })
    }

    fn check_digest(
        &self,
        kid: &str,
        algorithm: SignatureAlgorithm,
        field: &str,
        digest: &[u8],
    ) -> Result<()> {
        let length = digest.len();
        let refuse = |required: String| {
            Err(Error::BadParameter(format!(
                "Invalid length of '{field}': {length} bytes. {algorithm} requires {required}, encoded with base64url."
            )))
        };
        match (self, algorithm) {
            (Self::Ec(key), SignatureAlgorithm::Es(curve)) if key.curve() != curve => {
                Err(self.incompatible(kid, algorithm))
            }
            (Self::Rsa(key), _) if key.bytes() < algorithm.min_rsa_bytes() => {
                Err(Error::BadParameter(format!(
                    "{algorithm} cannot be used with a key of {} bits.",
                    key.bits()
                )))
            }
            (Self::Rsa(key), SignatureAlgorithm::RsNull) => {
                let limit = key.pkcs1_limit();
                if (1..=limit).contains(&length) {
                    return Ok(());
                }
                refuse(format!("1 to {limit} bytes"))
            }
            _ => match algorithm.digest_bytes() {
                Some(required) if required != length => refuse(format!("{required} bytes")),
                _ => Ok(()),
            },
        }
    }

    fn incompatible(&self, kid: &str, algorithm: SignatureAlgorithm) -> Error {
        let kind = self.kind();
        let why = match (self, algorithm) {
            (Self::Ec(key), SignatureAlgorithm::Es(curve)) => format!(
                "uses curve '{}', and algorithm '{algorithm}' can only be used with curve '{curve}'",
                key.curve()
            ),
            _ => {
                let required = match algorithm {
                    SignatureAlgorithm::Ps(_)
                    | SignatureAlgorithm::Rs(_)
                    | SignatureAlgorithm::RsNull => "RSA",
                    SignatureAlgorithm::Es(_) => "EC",
                    SignatureAlgorithm::Hs(_) => "oct",
                };
                format!(
                    "is of type '{kind}', and algorithm '{algorithm}' can only be used with type '{required}'"
                )
            }
        };
        Error::BadParameter(format!(
            "Key and signing algorithm are incompatible. Key {kid} {why}."
        ))
    }
}
