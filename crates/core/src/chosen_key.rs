use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{InvalidKeyIdentifier, KeyIdentifier, Kid, PublicName, schema::text_schema};

/// A key as a client chose it. Azure shows a URL exactly as the client wrote it, whatever its host is.
///
/// <https://github.com/hashicorp/terraform-provider-azurerm/issues/11774>
///
/// Its text is that URL, or else that of the [identifier](KeyIdentifier).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChosenKey {
    /// The key. A registry follows the rotation of a key without a version.
    pub identifier: KeyIdentifier,
    /// The URL that the client wrote. `None` for the URL at the emulator's public name, which changes with its port, and
    /// for a key that the client named otherwise.
    url: Option<String>,
}

impl ChosenKey {
    /// Returns the key's URL: as the client wrote it, or at the emulator's public name.
    pub fn url(&self, names: &PublicName) -> String {
        match &self.url {
            Some(url) => url.clone(),
            None => names.key_uri(&self.identifier),
        }
    }

    /// Returns the key, to be stored: without the URL at the emulator's public name.
    #[must_use]
    pub fn without_own_url(self, names: &PublicName) -> Self {
        let own = names.key_uri(&self.identifier);
        Self {
            url: self.url.filter(|url| *url != own),
            ..self
        }
    }

    /// Returns the URL of a version of the key, at the host of the key's own URL.
    pub fn version_url(&self, kid: &Kid, names: &PublicName) -> String {
        match (&self.url, &self.identifier.version) {
            (Some(url), None) => format!("{}/{}", url.trim_end_matches('/'), kid.version),
            (Some(url), Some(_)) => url.clone(),
            (None, _) => names.key_uri(&kid.identifier()),
        }
    }
}

text_schema!(
    ChosenKey,
    "^([A-Za-z](-?[A-Za-z0-9]){2,23}/(keys/)?[A-Za-z0-9-]{1,127}(/[0-9A-Fa-f]{32})?|https?://[^/]+/keys/[^/]+(/[0-9A-Fa-f]{32})?)/?$",
    1024
);

impl fmt::Display for ChosenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.url {
            Some(url) => f.write_str(url),
            None => self.identifier.fmt(f),
        }
    }
}

impl TryFrom<String> for ChosenKey {
    type Error = InvalidKeyIdentifier;

    fn try_from(text: String) -> Result<Self, InvalidKeyIdentifier> {
        text.parse()
    }
}

impl From<ChosenKey> for String {
    fn from(key: ChosenKey) -> Self {
        key.to_string()
    }
}

impl From<KeyIdentifier> for ChosenKey {
    fn from(identifier: KeyIdentifier) -> Self {
        Self {
            identifier,
            url: None,
        }
    }
}

impl FromStr for ChosenKey {
    type Err = InvalidKeyIdentifier;

    fn from_str(text: &str) -> Result<Self, InvalidKeyIdentifier> {
        let url = text.contains("://").then(|| text.to_owned());
        Ok(Self {
            identifier: text.parse()?,
            url,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_is_shown_as_it_was_written() {
        let names = PublicName::parse("localhost", 5000).unwrap();
        let version = "0123456789abcdef0123456789abcdef";
        let kid: Kid = format!("kv1/k1/{version}").parse().unwrap();
        let own = "https://kv1.vault.localhost:5000/keys/k1";
        for (text, key, of_version) in [
            ("kv1/k1", own, format!("{own}/{version}")),
            (
                "https://KV1.managedhsm.azure.net/keys/k1",
                "https://KV1.managedhsm.azure.net/keys/k1",
                format!("https://KV1.managedhsm.azure.net/keys/k1/{version}"),
            ),
            (
                "https://kv1.vault.azure.net/keys/k1/",
                "https://kv1.vault.azure.net/keys/k1/",
                format!("https://kv1.vault.azure.net/keys/k1/{version}"),
            ),
            (
                "https://kv1.vault.azure.net/keys/k1/0123456789ABCDEF0123456789ABCDEF",
                "https://kv1.vault.azure.net/keys/k1/0123456789ABCDEF0123456789ABCDEF",
                "https://kv1.vault.azure.net/keys/k1/0123456789ABCDEF0123456789ABCDEF".to_owned(),
            ),
        ] {
            let chosen: ChosenKey = text.parse().unwrap();
            assert_eq!(chosen.url(&names), key);
            assert_eq!(chosen.version_url(&kid, &names), of_version);
        }
    }

    #[test]
    fn url_at_the_public_name_follows_the_port() {
        let names = |port| PublicName::parse("localhost", port).unwrap();
        let own: ChosenKey = "https://kv1.vault.localhost:5000/keys/k1".parse().unwrap();
        let own = own.without_own_url(&names(5000));
        assert_eq!(
            own.url(&names(6000)),
            "https://kv1.vault.localhost:6000/keys/k1"
        );
        let other: ChosenKey = "https://kv1.vault.azure.net/keys/k1".parse().unwrap();
        let other = other.without_own_url(&names(5000));
        assert_eq!(
            other.url(&names(6000)),
            "https://kv1.vault.azure.net/keys/k1"
        );
    }
}
