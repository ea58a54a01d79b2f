use std::{fmt, str::FromStr};

use crate::{KeyIdentifier, KeyName, RegistryName, VaultName};

/// The host and port at which clients reach the emulator. URLs that are stored without them (`kid`, `vaultUri`,
/// `loginServer`) are rendered with this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicName {
    host: String,
    port: u16,
}

/// A text that is not `HOST[:PORT]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a public name; expected HOST or HOST:PORT, such as registry.test:5000")]
pub struct InvalidPublicName(String);

impl PublicName {
    /// Creates a name from `host` and `port`.
    ///
    /// # Errors
    /// If `host` is not a lower-case DNS name.
    pub fn new(host: &str, port: u16) -> Result<Self, InvalidPublicName> {
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        if host.len() <= 200 && host.split('.').all(label) {
            Ok(Self {
                host: host.to_owned(),
                port,
            })
        } else {
            Err(InvalidPublicName(host.to_owned()))
        }
    }

    /// Parses `HOST` or `HOST:PORT`. `default_port` is the port of a name without one.
    ///
    /// # Errors
    /// If the text is neither, or the host is not a lower-case DNS name.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, InvalidPublicName> {
        let invalid = || InvalidPublicName(text.to_owned());
        match text.split_once(':') {
            Some((host, port)) => Self::new(host, u16::from_str(port).map_err(|_| invalid())?),
            None => Self::new(text, default_port),
        }
        .map_err(|_| invalid())
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns `REGISTRY.azurecr.HOST`.
    pub fn registry_host(&self, registry: &RegistryName) -> String {
        self.service_host(&format!("{registry}.azurecr"))
    }

    /// Returns `VAULT.vault.HOST`.
    pub fn vault_host(&self, vault: &VaultName) -> String {
        self.service_host(&format!("{vault}.vault"))
    }

    /// Returns `SERVICE.HOST`, for a service such as `management` or `login`.
    pub fn service_host(&self, service: &str) -> String {
        format!("{service}.{}", self.host)
    }

    /// Returns `https://VAULT.vault.HOST:PORT/`.
    pub fn vault_uri(&self, vault: &VaultName) -> String {
        format!("https://{vault}.vault.{self}/")
    }

    /// Returns `https://VAULT.vault.HOST:PORT/keys/KEY[/VERSION]`.
    pub fn key_uri(&self, key: &KeyIdentifier) -> String {
        let base = format!("{}keys/{}", self.vault_uri(&key.vault), key.key);
        match &key.version {
            Some(version) => format!("{base}/{version}"),
            None => base,
        }
    }

    /// Returns `https://VAULT.vault.HOST:PORT/deletedkeys/KEY`.
    pub fn deleted_key_uri(&self, vault: &VaultName, key: &KeyName) -> String {
        format!("{}deletedkeys/{key}", self.vault_uri(vault))
    }

    /// Returns `REGISTRY.azurecr.HOST:PORT`.
    pub fn login_server(&self, registry: &RegistryName) -> String {
        format!("{registry}.azurecr.{self}")
    }
}

impl fmt::Display for PublicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            443 => f.write_str(&self.host),
            port => write!(f, "{}:{port}", self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_contain_the_port_unless_it_is_443() {
        let key = "kv1/k1".parse().unwrap();
        let name = PublicName::parse("localhost", 5000).unwrap();
        assert_eq!(
            name.key_uri(&key),
            "https://kv1.vault.localhost:5000/keys/k1"
        );
        let name = PublicName::parse("registry.test:443", 5000).unwrap();
        assert_eq!(
            name.login_server(&"sealock".parse().unwrap()),
            "sealock.azurecr.registry.test"
        );
        for bad in [
            "", ":5000", "host:", "host:x", "Host", "a..b", "-a", "a b", "http://x",
        ] {
            assert!(PublicName::parse(bad, 5000).is_err(), "{bad}");
        }
    }
}
