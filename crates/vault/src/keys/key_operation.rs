use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Error, KeyType, Result, error::redact_long_word};

/// An operation that a key permits: an entry of its `key_ops`.
///
/// <https://learn.microsoft.com/azure/key-vault/keys/about-keys-details#key-operations>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[expect(missing_docs, reason = "they are the names of operations")]
pub enum KeyOperation {
    Encrypt,
    Decrypt,
    Sign,
    Verify,
    WrapKey,
    UnwrapKey,
    /// The import of other keys, which the emulator does not support.
    Import,
    /// The release of the key, which the emulator does not support.
    Export,
}

impl KeyOperation {
    const EVERY: [Self; 8] = [
        Self::Encrypt,
        Self::Decrypt,
        Self::Sign,
        Self::Verify,
        Self::WrapKey,
        Self::UnwrapKey,
        Self::Import,
        Self::Export,
    ];

    /// Returns the operation's name in Azure.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Encrypt => "encrypt",
            Self::Decrypt => "decrypt",
            Self::Sign => "sign",
            Self::Verify => "verify",
            Self::WrapKey => "wrapKey",
            Self::UnwrapKey => "unwrapKey",
            Self::Import => "import",
            Self::Export => "export",
        }
    }

    /// Returns the default operations of a new key.
    pub(crate) fn default_for(kty: KeyType) -> Vec<Self> {
        use KeyOperation::{Decrypt, Encrypt, Sign, UnwrapKey, Verify, WrapKey};
        match kty {
            KeyType::Rsa | KeyType::RsaHsm => {
                vec![Encrypt, Decrypt, Sign, Verify, WrapKey, UnwrapKey]
            }
            KeyType::Ec | KeyType::EcHsm => vec![Sign, Verify],
            KeyType::Oct | KeyType::OctHsm => vec![Encrypt, Decrypt, WrapKey, UnwrapKey],
        }
    }

    /// Checks the operations of a key: each occurs once, and its type supports it.
    pub(crate) fn check(operations: &[Self], kty: KeyType) -> Result<()> {
        for (index, operation) in operations.iter().enumerate() {
            if operations[..index].contains(operation) {
                return Err(Error::BadParameter(format!(
                    "The key operation '{operation}' is named twice."
                )));
            }
        }
        Self::check_supported(operations, kty)
    }

    /// Checks that EC keys only sign and verify.
    ///
    /// <https://github.com/Azure/AzureKeyVault/issues/22>
    fn check_supported(operations: &[Self], kty: KeyType) -> Result<()> {
        let supported = match kty {
            KeyType::Ec | KeyType::EcHsm => [Self::Sign, Self::Verify],
            KeyType::Rsa | KeyType::RsaHsm | KeyType::Oct | KeyType::OctHsm => return Ok(()),
        };
        let mut others = operations.to_vec();
        others.retain(|operation| !supported.contains(operation));
        if others.is_empty() {
            return Ok(());
        }
        Err(Error::BadParameter(format!(
            "Unsupported key operation(s): {}. Supported values are {}.",
            quoted(&others),
            quoted(&supported)
        )))
    }
}

fn quoted(operations: &[KeyOperation]) -> String {
    let quoted: Vec<_> = operations
        .iter()
        .map(|operation| format!("\"{operation}\""))
        .collect();
    quoted.join(", ")
}

impl fmt::Display for KeyOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for KeyOperation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::EVERY
            .into_iter()
            .find(|operation| operation.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| {
                Error::BadParameter(format!(
                    "'{}' is not a key operation; expected one of {}.",
                    redact_long_word(text),
                    Self::EVERY.map(Self::as_str).join(", ")
                ))
            })
    }
}

impl TryFrom<String> for KeyOperation {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<KeyOperation> for String {
    fn from(operation: KeyOperation) -> Self {
        operation.as_str().to_owned()
    }
}
