//! Keys with their private half: generation, import, and cryptographic operations.
//!
//! Each operation refuses an algorithm that does not suit the key, with Azure's text where that is public. Nothing here
//! knows permissions, states or `key_ops`.

mod ec;
mod encryption;
mod jwk;
mod oct;
mod rsa;
mod signing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

use zeroize::Zeroizing;

use self::{ec::EcKey, oct::OctKey, rsa::RsaKey};
pub use self::{encryption::Encrypted, jwk::JsonWebKey};
use crate::{KeyShape, KeyType, PublicKey, Result};

/// A key with its private half, which is wiped on drop. It has no `Debug`.
pub(crate) enum KeyMaterial {
    Rsa(RsaKey),
    Ec(EcKey),
    Oct(OctKey),
}

impl KeyMaterial {
    /// Generates a key. For RSA, this can take seconds.
    pub(crate) fn generate(shape: KeyShape) -> Result<Self> {
        Ok(match shape {
            KeyShape::Rsa { bits } => Self::Rsa(RsaKey::generate(bits)?),
            KeyShape::Ec { curve } => Self::Ec(EcKey::generate(curve)),
            KeyShape::Oct { bits } => Self::Oct(OctKey::generate(bits)),
        })
    }

    /// Reads a client's key, and returns it with the type that its JWK names.
    ///
    /// <https://learn.microsoft.com/rest/api/keyvault/keys/import-key/import-key>
    pub(crate) fn import(jwk: &JsonWebKey) -> Result<(KeyType, Self)> {
        jwk.refuse_transfer_blob()?;
        let kty = jwk.kty()?;
        let imported = match kty {
            KeyType::Rsa | KeyType::RsaHsm => Self::Rsa(RsaKey::import(jwk)?),
            KeyType::Ec | KeyType::EcHsm => Self::Ec(EcKey::import(jwk)?),
            KeyType::Oct | KeyType::OctHsm => Self::Oct(OctKey::import(jwk)?),
        };
        Ok((kty, imported))
    }

    /// Reads the bytes that [`to_secret`](Self::to_secret) wrote of a key of this type.
    pub(crate) fn from_secret(kty: KeyType, secret: &[u8]) -> Option<Self> {
        Some(match kty {
            KeyType::Rsa | KeyType::RsaHsm => Self::Rsa(RsaKey::from_pkcs8(secret)?),
            KeyType::Ec | KeyType::EcHsm => Self::Ec(EcKey::from_pkcs8(secret)?),
            KeyType::Oct | KeyType::OctHsm => Self::Oct(OctKey::from_bytes(secret)?),
        })
    }

    /// Returns the whole key for sealing: PKCS#8 DER for RSA and EC, the raw bytes of a symmetric key.
    pub(crate) fn to_secret(&self) -> Result<Zeroizing<Vec<u8>>> {
        match self {
            Self::Rsa(key) => key.to_pkcs8(),
            Self::Ec(key) => key.to_pkcs8(),
            Self::Oct(key) => Ok(key.to_bytes()),
        }
    }

    pub(crate) fn shape(&self) -> KeyShape {
        match self {
            Self::Rsa(key) => KeyShape::Rsa { bits: key.bits() },
            Self::Ec(key) => KeyShape::Ec { curve: key.curve() },
            Self::Oct(key) => KeyShape::Oct { bits: key.bits() },
        }
    }

    pub(crate) fn public_key(&self) -> PublicKey {
        match self {
            Self::Rsa(key) => key.public_key(),
            Self::Ec(key) => key.public_key(),
            Self::Oct(_) => PublicKey::Oct,
        }
    }

    /// Returns the type without regard to hardware, for refusals.
    fn kind(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RSA",
            Self::Ec(_) => "EC",
            Self::Oct(_) => "oct",
        }
    }
}
