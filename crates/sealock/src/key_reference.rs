use std::str::FromStr;

use clap::Args;
use sealock_core::{ChosenKey, InvalidName, KeyIdentifier, KeyName, KeyVersion, VaultName};

use crate::{error::Error, target::ResourceName as _};

/// The key of a command that names none: the quickstart's.
pub(crate) const DEFAULT_KEY: &str = "registry-key";

/// A key as the user names it: `KEY`, `VAULT/KEY`, `VAULT/KEY/VERSION` or a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyReference {
    vault: Option<VaultName>,
    key: KeyName,
    version: Option<KeyVersion>,
    /// The URL, if the user gave one.
    url: Option<String>,
}

impl FromStr for KeyReference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('/') {
            let identifier = text.parse::<KeyIdentifier>();
            let KeyIdentifier {
                vault,
                key,
                version,
            } = identifier.map_err(|error| error.to_string())?;
            return Ok(Self {
                vault: Some(vault),
                key,
                version,
                url: text.contains("://").then(|| text.to_owned()),
            });
        }
        let key = text.parse().map_err(|error: InvalidName| error.to_string());
        Ok(Self {
            vault: None,
            key: key?,
            version: None,
            url: None,
        })
    }
}

impl KeyReference {
    /// Returns the key's identifier. The vault defaults to the quickstart's.
    pub(crate) fn identifier(self) -> Result<KeyIdentifier, Error> {
        let vault = self.vault.map_or_else(default_vault, Ok)?;
        Ok(KeyIdentifier {
            vault,
            key: self.key,
            version: self.version,
        })
    }

    /// Returns the key for a registry. A URL stays as the user gave it.
    pub(crate) fn chosen(self) -> Result<ChosenKey, Error> {
        match self.url.as_deref().map(str::parse) {
            Some(Ok(chosen)) => Ok(chosen),
            _ => Ok(self.identifier()?.into()),
        }
    }

    /// Returns the key and its vault, if its name or the option names one. Rejects a version.
    pub(crate) fn names(
        self,
        vault: Option<VaultName>,
    ) -> Result<(Option<VaultName>, KeyName), Error> {
        if let Some(version) = &self.version {
            return Err(Error::failed(format_args!(
                "this command takes a key without a version, but the key's name ends in version {version}"
            )));
        }
        match (self.vault, vault) {
            (Some(named), Some(option)) if named != option => Err(contradiction(&named, &option)),
            (named, option) => Ok((named.or(option), self.key)),
        }
    }
}

fn contradiction(named: &VaultName, option: &VaultName) -> Error {
    Error::failed(format_args!(
        "the key's name says vault {named}, but --vault says {option}"
    ))
}

/// The key that a command acts on.
#[derive(Clone, Debug, Args)]
pub(crate) struct KeyArgs {
    /// Key: `KEY`, `VAULT/KEY` or a URL
    #[arg(value_name = "KEY", default_value = DEFAULT_KEY)]
    key_name: KeyReference,
    /// Same as KEY
    #[arg(long, value_name = "KEY", conflicts_with = "key_name")]
    key: Option<KeyReference>,
    /// Vault of the key, unless its name includes it [default: sealock]
    #[arg(long, value_name = "VAULT")]
    vault: Option<VaultName>,
}

/// The key version that a command acts on.
#[derive(Clone, Debug, Args)]
pub(crate) struct KeyVersionArgs {
    #[command(flatten)]
    key: KeyArgs,
    /// Version of the key [default: the current one]
    #[arg(long)]
    version: Option<KeyVersion>,
}

impl KeyArgs {
    /// Returns the vault and the key's name.
    pub(crate) fn names(&self) -> Result<(VaultName, KeyName), Error> {
        let (vault, key) = self.reference().clone().names(self.vault.clone())?;
        Ok((vault.map_or_else(default_vault, Ok)?, key))
    }

    fn reference(&self) -> &KeyReference {
        self.key.as_ref().unwrap_or(&self.key_name)
    }

    fn vault_of(&self, reference: &KeyReference) -> Result<VaultName, Error> {
        match (&reference.vault, &self.vault) {
            (Some(named), Some(option)) if named != option => Err(contradiction(named, option)),
            (Some(vault), _) | (None, Some(vault)) => Ok(vault.clone()),
            (None, None) => default_vault(),
        }
    }
}

impl KeyVersionArgs {
    /// Returns the identifier, without a version for the current one.
    pub(crate) fn identifier(&self) -> Result<KeyIdentifier, Error> {
        let reference = self.key.reference();
        let version = match (&reference.version, &self.version) {
            (Some(named), Some(option)) if named != option => {
                return Err(Error::failed(format_args!(
                    "the key's name says version {named}, but --version says {option}"
                )));
            }
            (named, option) => named.clone().or_else(|| option.clone()),
        };
        Ok(KeyIdentifier {
            vault: self.key.vault_of(reference)?,
            key: reference.key.clone(),
            version,
        })
    }
}

fn default_vault() -> Result<VaultName, Error> {
    VaultName::DEFAULT.parse().map_err(Error::failed)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        version: KeyVersionArgs,
    }

    fn identifier(arguments: &[&str]) -> Result<String, String> {
        let arguments = ["command"].iter().chain(arguments);
        let command = Command::try_parse_from(arguments).map_err(|error| error.to_string())?;
        let identifier = command.version.identifier();
        let KeyIdentifier {
            vault,
            key,
            version,
        } = identifier.map_err(|error| error.to_string())?;
        let version = version.map_or_else(|| "current".to_owned(), |version| version.to_string());
        Ok(format!("{vault} {key} {version}"))
    }

    #[test]
    fn key_is_accepted_by_name_with_vault_or_by_url() {
        let version = "a".repeat(32);
        for (arguments, expected) in [
            (&[][..], "sealock registry-key current".to_owned()),
            (&["k1"], "sealock k1 current".to_owned()),
            (&["k1", "--vault", "kv1"], "kv1 k1 current".to_owned()),
            (&["--key", "kv1/k1"], "kv1 k1 current".to_owned()),
            (&["kv1/k1", "--vault", "kv1"], "kv1 k1 current".to_owned()),
            (
                &["k1", "--version", &version],
                format!("sealock k1 {version}"),
            ),
            (&[&format!("kv1/k1/{version}")], format!("kv1 k1 {version}")),
            (
                &[&format!(
                    "https://kv1.vault.localhost:5000/keys/k1/{version}"
                )],
                format!("kv1 k1 {version}"),
            ),
        ] {
            assert_eq!(identifier(arguments), Ok(expected), "{arguments:?}");
        }
    }

    #[test]
    fn contradicting_names_of_a_key_are_rejected() {
        let (one, other) = ("a".repeat(32), "b".repeat(32));
        for arguments in [
            &["kv1/k1", "--vault", "kv2"][..],
            &["k1", "--key", "k2"],
            &[&format!("kv1/k1/{one}"), "--version", &other],
        ] {
            assert!(identifier(arguments).is_err(), "{arguments:?}");
        }
    }
}
