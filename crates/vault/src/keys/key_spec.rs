use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Curve, Error, Result, error::redact_long_word};

/// The type of a key, `kty`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum KeyType {
    /// RSA, in software.
    Rsa,
    /// RSA, in a hardware security module. The emulator treats it like RSA in software.
    RsaHsm,
    /// Elliptic curve.
    Ec,
    /// Elliptic curve, in a hardware security module.
    EcHsm,
    /// Symmetric.
    Oct,
    /// Symmetric, in a hardware security module.
    OctHsm,
}

/// The specification of a new key version. The default is RSA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeySpec {
    /// The type.
    pub kty: KeyType,
    /// The size in bits: of an RSA key's modulus, or of a symmetric key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_size: Option<u32>,
    /// An EC key's curve.
    #[serde(rename = "crv", skip_serializing_if = "Option::is_none")]
    pub curve: Option<Curve>,
}

/// A key's algorithm family, with its size or curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyShape {
    /// RSA.
    Rsa {
        /// The length of the modulus.
        bits: u32,
    },
    /// Elliptic curve.
    Ec {
        /// The curve.
        curve: Curve,
    },
    /// Symmetric.
    Oct {
        /// The length of the key.
        bits: u32,
    },
}

impl Default for KeySpec {
    fn default() -> Self {
        Self {
            kty: KeyType::Rsa,
            key_size: None,
            curve: None,
        }
    }
}

impl KeySpec {
    /// Checks that a vault can generate such a key, and fills in the defaults.
    ///
    /// <https://learn.microsoft.com/azure/key-vault/keys/about-keys-details#key-types-and-protection-methods>
    pub(crate) fn check(self) -> Result<KeyShape> {
        if let Some(curve) = self.curve
            && !matches!(self.kty, KeyType::Ec | KeyType::EcHsm)
        {
            return Err(Error::BadParameter(format!(
                "The curve {curve} is not valid for {} keys; only EC and EC-HSM keys have one.",
                self.kty
            )));
        }
        match self.kty {
            KeyType::Rsa | KeyType::RsaHsm => {
                let bits = self.key_size.unwrap_or(2048);
                check_size(bits, &KeyShape::RSA_BITS)?;
                Ok(KeyShape::Rsa { bits })
            }
            KeyType::Ec | KeyType::EcHsm => {
                let curve = self.curve.unwrap_or(Curve::P256);
                let size = self.key_size.unwrap_or(curve.bits());
                check_size(size, &KeyShape::EC_BITS)?;
                if size != curve.bits() {
                    return Err(Error::BadParameter(format!(
                        "The key size {size} is not valid for {} keys on the curve {curve}; leave it out.",
                        self.kty
                    )));
                }
                Ok(KeyShape::Ec { curve })
            }
            KeyType::Oct => Err(self.kty.not_supported()),
            KeyType::OctHsm => {
                let bits = self.key_size.unwrap_or(256);
                check_size(bits, &KeyShape::OCT_BITS)?;
                Ok(KeyShape::Oct { bits })
            }
        }
    }
}

/// Checks the size of a key.
///
/// Text and inner code are Azure's: <https://github.com/MicrosoftDocs/azure-docs/issues/115129>
pub(crate) fn check_size(size: u32, supported: &'static [u32]) -> Result<()> {
    if supported.contains(&size) {
        return Ok(());
    }
    Err(Error::KeySizeNotSupported { size, supported })
}

impl KeyShape {
    pub(crate) const RSA_BITS: [u32; 3] = [2048, 3072, 4096];
    /// Azure imports keys of 1024 bits, but does not generate them: azure-sdk-for-python recorded this in December 2024.
    pub(crate) const IMPORTED_RSA_BITS: [u32; 4] = [1024, 2048, 3072, 4096];
    pub(crate) const EC_BITS: [u32; 3] = [256, 384, 521];
    pub(crate) const OCT_BITS: [u32; 3] = [128, 192, 256];

    /// Returns the key's size as Azure counts it: the size of the modulus, of the curve's field, or of the key.
    pub fn bits(self) -> u32 {
        match self {
            Self::Rsa { bits } | Self::Oct { bits } => bits,
            Self::Ec { curve } => curve.bits(),
        }
    }

    /// Checks that a vault can generate such a key. Some keys can only be imported.
    pub(crate) fn check_generatable(self) -> Result<()> {
        match self {
            Self::Rsa { bits } => check_size(bits, &Self::RSA_BITS),
            Self::Ec { .. } | Self::Oct { .. } => Ok(()),
        }
    }

    /// Returns the curve of an EC key.
    pub fn curve(self) -> Option<Curve> {
        match self {
            Self::Ec { curve } => Some(curve),
            Self::Rsa { .. } | Self::Oct { .. } => None,
        }
    }
}

impl KeyType {
    const EVERY: [Self; 6] = [
        Self::Rsa,
        Self::RsaHsm,
        Self::Ec,
        Self::EcHsm,
        Self::Oct,
        Self::OctHsm,
    ];

    /// Returns true for a key in a hardware security module.
    pub fn is_hardware(self) -> bool {
        self.in_hardware() == self
    }

    /// Returns the same type in a hardware security module.
    pub(crate) fn in_hardware(self) -> Self {
        match self {
            Self::Rsa | Self::RsaHsm => Self::RsaHsm,
            Self::Ec | Self::EcHsm => Self::EcHsm,
            Self::Oct | Self::OctHsm => Self::OctHsm,
        }
    }

    /// Makes the refusal of this type. No vault has symmetric keys in software.
    ///
    /// <https://learn.microsoft.com/azure/key-vault/keys/about-keys#key-types-and-protection-methods>
    pub(crate) fn not_supported(self) -> Error {
        Error::KeyTypeNotSupported {
            kty: self.to_string(),
        }
    }

    /// Returns the type's name in Azure.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rsa => "RSA",
            Self::RsaHsm => "RSA-HSM",
            Self::Ec => "EC",
            Self::EcHsm => "EC-HSM",
            Self::Oct => "oct",
            Self::OctHsm => "oct-HSM",
        }
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for KeyType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::EVERY
            .into_iter()
            .find(|kty| kty.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| Error::KeyTypeNotSupported {
                kty: redact_long_word(text).to_owned(),
            })
    }
}

/// Parses a type in our own JSON, with our own error text.
impl TryFrom<String> for KeyType {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        text.parse().map_err(|_| {
            format!(
                "'{}' is not a key type; use RSA, RSA-HSM, EC, EC-HSM or oct-HSM.",
                redact_long_word(&text)
            )
        })
    }
}

impl From<KeyType> for String {
    fn from(kty: KeyType) -> Self {
        kty.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<KeyShape> {
        serde_json::from_str::<KeySpec>(json).unwrap().check()
    }

    #[test]
    fn absent_members_get_azures_defaults() {
        for (json, shape) in [
            ("{}", KeyShape::Rsa { bits: 2048 }),
            (
                r#"{"kty":"RSA-HSM","key_size":4096}"#,
                KeyShape::Rsa { bits: 4096 },
            ),
            (r#"{"kty":"EC"}"#, KeyShape::Ec { curve: Curve::P256 }),
            (
                r#"{"kty":"EC-HSM","crv":"P-521","key_size":521}"#,
                KeyShape::Ec { curve: Curve::P521 },
            ),
            (
                r#"{"kty":"EC","crv":"SECP256K1"}"#,
                KeyShape::Ec {
                    curve: Curve::P256K,
                },
            ),
            (r#"{"kty":"oct-HSM"}"#, KeyShape::Oct { bits: 256 }),
            (
                r#"{"kty":"oct-HSM","key_size":192}"#,
                KeyShape::Oct { bits: 192 },
            ),
        ] {
            assert_eq!(check(json).unwrap(), shape, "{json}");
        }
    }

    #[test]
    fn unsupported_keys_are_refused_with_the_reason() {
        for (json, reason) in [
            (r#"{"key_size":1024}"#, "are [2048, 3072, 4096]"),
            (r#"{"key_size":2049}"#, "are [2048, 3072, 4096]"),
            (r#"{"kty":"EC","key_size":4096}"#, "are [256, 384, 521]"),
            (r#"{"crv":"P-256"}"#, "only EC and EC-HSM keys have one"),
            (r#"{"kty":"EC","key_size":384}"#, "on the curve P-256"),
            (r#"{"kty":"oct"}"#, "Invalid kty value: oct"),
            (r#"{"kty":"oct-HSM","key_size":512}"#, "are [128, 192, 256]"),
            (
                r#"{"kty":"oct-HSM","crv":"P-256"}"#,
                "only EC and EC-HSM keys have one",
            ),
        ] {
            let refusal = check(json).unwrap_err();
            assert_eq!(refusal.code(), "BadParameter", "{json}");
            let text = refusal.to_string();
            assert!(text.contains(reason), "{json}: {text}");
        }
        for json in [r#"{"kty":"DSA"}"#, r#"{"kty":"EC","crv":"P-257"}"#] {
            assert!(serde_json::from_str::<KeySpec>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn an_alias_of_a_curve_is_written_as_azures_name() {
        let spec = r#"{"kty":"EC","crv":"SECP256K1"}"#;
        let spec: KeySpec = serde_json::from_str(spec).unwrap();
        let written = serde_json::to_string(&spec).unwrap();
        assert_eq!(written, r#"{"kty":"EC","crv":"P-256K"}"#);
    }
}
