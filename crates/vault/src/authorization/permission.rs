use std::{fmt, str::FromStr};

use sealock_core::excerpt;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A permission to a vault's keys.
///
/// <https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/create-or-update#keypermissions>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[expect(missing_docs, reason = "they are the names of operations")]
pub enum KeyPermission {
    /// All other permissions.
    All,
    Get,
    List,
    Create,
    Update,
    Import,
    Delete,
    Recover,
    Backup,
    Restore,
    Purge,
    Encrypt,
    Decrypt,
    WrapKey,
    UnwrapKey,
    Sign,
    Verify,
    Release,
    Rotate,
    GetRotationPolicy,
    SetRotationPolicy,
}

impl KeyPermission {
    /// All permissions, in the order of Azure's lists.
    pub const EVERY: [Self; 21] = [
        Self::All,
        Self::Get,
        Self::List,
        Self::Create,
        Self::Update,
        Self::Import,
        Self::Delete,
        Self::Recover,
        Self::Backup,
        Self::Restore,
        Self::Purge,
        Self::Encrypt,
        Self::Decrypt,
        Self::WrapKey,
        Self::UnwrapKey,
        Self::Sign,
        Self::Verify,
        Self::Release,
        Self::Rotate,
        Self::GetRotationPolicy,
        Self::SetRotationPolicy,
    ];

    /// Returns true if the permission is for a change, which a failed-over vault refuses.
    ///
    /// <https://learn.microsoft.com/azure/key-vault/general/disaster-recovery-guidance>
    pub(crate) fn is_change(self) -> bool {
        matches!(
            self,
            Self::Create
                | Self::Update
                | Self::Import
                | Self::Delete
                | Self::Recover
                | Self::Restore
                | Self::Purge
                | Self::Rotate
                | Self::SetRotationPolicy
        )
    }

    /// Returns the permission's name in Azure.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Get => "get",
            Self::List => "list",
            Self::Create => "create",
            Self::Update => "update",
            Self::Import => "import",
            Self::Delete => "delete",
            Self::Recover => "recover",
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::Purge => "purge",
            Self::Encrypt => "encrypt",
            Self::Decrypt => "decrypt",
            Self::WrapKey => "wrapKey",
            Self::UnwrapKey => "unwrapKey",
            Self::Sign => "sign",
            Self::Verify => "verify",
            Self::Release => "release",
            Self::Rotate => "rotate",
            Self::GetRotationPolicy => "getrotationpolicy",
            Self::SetRotationPolicy => "setrotationpolicy",
        }
    }
}

impl fmt::Display for KeyPermission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for KeyPermission {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::EVERY
            .into_iter()
            .find(|permission| permission.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| {
                Error::BadParameter(format!(
                    "'{}' is not a key permission; expected one of {}",
                    excerpt(text),
                    Self::EVERY.map(Self::as_str).join(", ")
                ))
            })
    }
}

impl TryFrom<String> for KeyPermission {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<KeyPermission> for String {
    fn from(permission: KeyPermission) -> Self {
        permission.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_parsed_in_any_case_and_written_in_azures_case() {
        for permission in KeyPermission::EVERY {
            let text = permission.to_string();
            for given in [text.clone(), text.to_lowercase(), text.to_uppercase()] {
                assert_eq!(given.parse::<KeyPermission>().unwrap(), permission);
            }
            assert_eq!(
                serde_json::to_string(&permission).unwrap(),
                format!("\"{text}\"")
            );
        }
        let error = "wrap".parse::<KeyPermission>().unwrap_err().to_string();
        assert!(
            error.contains("'wrap' is not") && error.contains("wrapKey"),
            "{error}"
        );
    }
}
