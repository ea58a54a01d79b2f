use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::{KeyName, KeyVersion, VaultName, excerpt};

/// The limit of the length of an identifier in bytes, which is ours.
const LENGTH_LIMIT: usize = 1024;

/// The identifier of a key in a vault: always its current version, or one fixed version.
///
/// Its text is `VAULT/keys/KEY` or `VAULT/keys/KEY/VERSION`, without host and port, so that stored state survives a
/// change of the port. [`PublicName`](crate::PublicName) renders the URL that clients see.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyIdentifier {
    /// The vault: in a URL, the first label of the host.
    pub vault: VaultName,
    /// The key.
    pub key: KeyName,
    /// The version, or `None` to follow the current version.
    pub version: Option<KeyVersion>,
}

/// The identifier of a key version: a `kid`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Kid {
    /// The vault.
    pub vault: VaultName,
    /// The key.
    pub key: KeyName,
    /// The version.
    pub version: KeyVersion,
}

/// A text that is not a key identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{given}' is not a key identifier: {why}; expected VAULT/KEY, VAULT/KEY/VERSION or https://VAULT.vault.azure.net/keys/KEY[/VERSION]"
)]
pub struct InvalidKeyIdentifier {
    given: String,
    why: String,
}

impl KeyIdentifier {
    /// Identifies the current version of a key.
    pub fn current(vault: &VaultName, key: &KeyName) -> Self {
        Self {
            vault: vault.clone(),
            key: key.clone(),
            version: None,
        }
    }

    /// Returns the identifier of the same key, to follow its current version.
    #[must_use]
    pub fn unversioned(&self) -> Self {
        Self {
            version: None,
            ..self.clone()
        }
    }

    /// Returns true if this identifies `key` in `vault`, in any version.
    pub fn refers_to(&self, vault: &VaultName, key: &KeyName) -> bool {
        self.vault == *vault && self.key == *key
    }
}

impl FromStr for KeyIdentifier {
    type Err = InvalidKeyIdentifier;

    fn from_str(text: &str) -> Result<Self, InvalidKeyIdentifier> {
        let invalid = |why: String| InvalidKeyIdentifier {
            given: excerpt(text).to_owned(),
            why,
        };
        if text.len() > LENGTH_LIMIT {
            return Err(invalid(format!("it has more than {LENGTH_LIMIT} bytes")));
        }
        let (vault, path) = if text.contains("://") {
            let url = Url::parse(text).map_err(|error| invalid(error.to_string()))?;
            let has_user = !url.username().is_empty() || url.password().is_some();
            if has_user || url.query().is_some() || url.fragment().is_some() {
                return Err(invalid("it has more than a host and a path".to_owned()));
            }
            let host = url.host_str().unwrap_or_default();
            let vault = host.split('.').next().unwrap_or_default().to_owned();
            (vault, url.path().trim_start_matches('/').to_owned())
        } else {
            let (vault, path) = text
                .split_once('/')
                .ok_or_else(|| invalid("it has no vault".to_owned()))?;
            (vault.to_owned(), path.to_owned())
        };
        let path = path.trim_end_matches('/');
        let mut segments = path.strip_prefix("keys/").unwrap_or(path).split('/');
        let key = segments.next().unwrap_or_default();
        let version = segments.next();
        if segments.next().is_some() {
            return Err(invalid("it has too many parts".to_owned()));
        }
        Ok(Self {
            vault: vault.parse().map_err(|error| invalid(format!("{error}")))?,
            key: key.parse().map_err(|error| invalid(format!("{error}")))?,
            version: version
                .map(|version| version.to_ascii_lowercase().parse())
                .transpose()
                .map_err(|error| invalid(format!("{error}")))?,
        })
    }
}

impl fmt::Display for KeyIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/keys/{}", self.vault, self.key)?;
        match &self.version {
            Some(version) => write!(f, "/{version}"),
            None => Ok(()),
        }
    }
}

impl Kid {
    /// Identifies a version of a key.
    pub fn new(vault: &VaultName, key: &KeyName, version: KeyVersion) -> Self {
        Self {
            vault: vault.clone(),
            key: key.clone(),
            version,
        }
    }

    /// Returns the identifier of the key, fixed to this version.
    pub fn identifier(&self) -> KeyIdentifier {
        KeyIdentifier {
            vault: self.vault.clone(),
            key: self.key.clone(),
            version: Some(self.version.clone()),
        }
    }
}

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/keys/{}/{}", self.vault, self.key, self.version)
    }
}

impl FromStr for Kid {
    type Err = InvalidKeyIdentifier;

    fn from_str(text: &str) -> Result<Self, InvalidKeyIdentifier> {
        let identifier: KeyIdentifier = text.parse()?;
        let version = identifier.version.ok_or_else(|| InvalidKeyIdentifier {
            given: text.to_owned(),
            why: "it has no version".to_owned(),
        })?;
        Ok(Self {
            vault: identifier.vault,
            key: identifier.key,
            version,
        })
    }
}

/// Implements the conversions that serde's `try_from` and `into` need, for a type that parses and displays.
macro_rules! string_conversions {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = InvalidKeyIdentifier;

            fn try_from(text: String) -> Result<Self, InvalidKeyIdentifier> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    };
}

string_conversions!(KeyIdentifier);
string_conversions!(Kid);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_short_forms_identify_the_same_key() {
        let version = "0123456789abcdef0123456789abcdef";
        for (text, stored) in [
            (
                "https://kv1.vault.azure.net/keys/k1",
                "kv1/keys/k1".to_owned(),
            ),
            (
                "https://kv1.vault.azure.net/keys/k1/",
                "kv1/keys/k1".to_owned(),
            ),
            (
                "https://kv1.vault.localhost:5000/keys/k1",
                "kv1/keys/k1".to_owned(),
            ),
            ("kv1/k1", "kv1/keys/k1".to_owned()),
            (
                &format!(
                    "https://KV1.vault.azure.net/keys/K1/{}",
                    version.to_uppercase()
                ),
                format!("kv1/keys/K1/{version}"),
            ),
            (
                &format!("kv1/k1/{version}"),
                format!("kv1/keys/k1/{version}"),
            ),
            (
                &format!("https://kv1.managedhsm.azure.net/keys/k1/{version}"),
                format!("kv1/keys/k1/{version}"),
            ),
        ] {
            assert_eq!(text.parse::<KeyIdentifier>().unwrap().to_string(), stored);
        }
        for bad in [
            "",
            "k1",
            "kv1/",
            "kv1/k1/v1",
            "https://",
            "https://kv1/",
            "kv1/k1/x/y",
            "http://[::1]/keys/k",
            "https://user:secret@kv1.vault.azure.net/keys/k1",
            "https://kv1.vault.azure.net/keys/k1?api-version=7.4",
            "https://kv1.vault.azure.net/keys/k1#x",
            &format!("https://kv1.{}/keys/k1", "x.".repeat(600)),
        ] {
            assert!(bad.parse::<KeyIdentifier>().is_err(), "{bad}");
        }
        assert!("kv1/k1".parse::<Kid>().is_err());
    }
}
