use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Error, Result, error::redact_long_word};

/// An elliptic curve, `crv`.
///
/// <https://learn.microsoft.com/azure/key-vault/keys/about-keys-details#curve-types>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// SECG secp256k1.
    P256K,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
}

impl Curve {
    pub(crate) const EVERY: [Self; 4] = [Self::P256, Self::P256K, Self::P384, Self::P521];

    /// Returns the curve's name in Azure.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P256K => "P-256K",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    /// Returns the size of its field in bits.
    pub fn bits(self) -> u32 {
        match self {
            Self::P256 | Self::P256K => 256,
            Self::P384 => 384,
            Self::P521 => 521,
        }
    }

    /// Returns the size of a coordinate in bytes.
    pub(crate) fn bytes(self) -> usize {
        self.bits().div_ceil(8) as usize
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Curve {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        // The name in Key Vault's first API version, which clients still send.
        if text == "SECP256K1" {
            return Ok(Self::P256K);
        }
        Self::EVERY
            .into_iter()
            .find(|curve| curve.as_str() == text)
            .ok_or_else(|| {
                Error::BadParameter(format!(
                    "'{}' is not a curve; use P-256, P-256K, P-384 or P-521.",
                    redact_long_word(text)
                ))
            })
    }
}

impl TryFrom<String> for Curve {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Curve> for String {
    fn from(curve: Curve) -> Self {
        curve.as_str().to_owned()
    }
}
