use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The type of a key, `kty`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum KeyType {
    /// RSA, in software.
    Rsa,
    /// RSA, in Azure in a hardware security module. Here it is no different.
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

/// What a new key version is to be. RSA with 2048 bits unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeySpec {
    /// The type.
    pub kty: KeyType,
    /// The modulus' length in bits: 2048, 3072 or 4096.
    pub key_size: u32,
}

impl Default for KeySpec {
    fn default() -> Self {
        Self {
            kty: KeyType::Rsa,
            key_size: 2048,
        }
    }
}

impl KeySpec {
    /// Checks that such a key can be made.
    ///
    /// <https://learn.microsoft.com/azure/key-vault/keys/about-keys-details#key-types-and-protection-methods>
    pub(crate) fn check(self) -> Result<()> {
        match self.kty {
            KeyType::Rsa | KeyType::RsaHsm => {}
            kty => {
                return Err(Error::BadParameter(format!(
                    "The key type '{kty}' is not supported yet; use RSA or RSA-HSM."
                )));
            }
        }
        match self.key_size {
            2048 | 3072 | 4096 => Ok(()),
            size => Err(Error::BadParameter(format!(
                "The key size {size} is not valid for {} keys; use 2048, 3072 or 4096.",
                self.kty
            ))),
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

    /// As Azure writes it.
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
            .ok_or_else(|| {
                Error::BadParameter(format!(
                    "'{}' is not a key type; use RSA or RSA-HSM.",
                    text.chars().take(80).collect::<String>()
                ))
            })
    }
}

impl TryFrom<String> for KeyType {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
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

    #[test]
    fn only_rsa_of_azures_sizes_can_be_made() {
        let check = |json: &str| serde_json::from_str::<KeySpec>(json).unwrap().check();
        assert!(check("{}").is_ok());
        assert!(check(r#"{"kty":"RSA-HSM","key_size":4096}"#).is_ok());
        for refused in [
            r#"{"kty":"EC"}"#,
            r#"{"kty":"oct","key_size":2048}"#,
            r#"{"key_size":1024}"#,
            r#"{"key_size":2049}"#,
        ] {
            assert!(
                matches!(check(refused), Err(Error::BadParameter(_))),
                "{refused}"
            );
        }
        assert!(serde_json::from_str::<KeySpec>(r#"{"kty":"DSA"}"#).is_err());
    }
}
