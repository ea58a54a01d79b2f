use std::{fmt, str::FromStr};

use sealock_core::excerpt;
use serde::{Deserialize, Serialize};

use crate::Error;

/// A built-in role. Each service decides which operations a role permits.
///
/// <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Role {
    /// Delete images of a registry.
    AcrDelete,
    /// Pull images from a registry.
    AcrPull,
    /// Push images to a registry, and pull them.
    AcrPush,
    /// Manage everything, but assign no roles.
    Contributor,
    /// Manage all content of a vault.
    KeyVaultAdministrator,
    /// Manage vaults, but not their content.
    KeyVaultContributor,
    /// Manage keys.
    KeyVaultCryptoOfficer,
    /// Read keys, wrap and unwrap with them. A registry's identity needs this role.
    KeyVaultCryptoServiceEncryptionUser,
    /// Release keys.
    KeyVaultCryptoServiceReleaseUser,
    /// Use keys.
    KeyVaultCryptoUser,
    /// Assign the roles for the content of a vault.
    KeyVaultDataAccessAdministrator,
    /// Purge deleted vaults.
    KeyVaultPurgeOperator,
    /// Read the metadata of keys and secrets.
    KeyVaultReader,
    /// Manage secrets.
    KeyVaultSecretsOfficer,
    /// Read secrets.
    KeyVaultSecretsUser,
    /// Manage everything, and assign roles.
    Owner,
    /// Read everything.
    Reader,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 17] = [
        Self::AcrDelete,
        Self::AcrPull,
        Self::AcrPush,
        Self::Contributor,
        Self::KeyVaultAdministrator,
        Self::KeyVaultContributor,
        Self::KeyVaultCryptoOfficer,
        Self::KeyVaultCryptoServiceEncryptionUser,
        Self::KeyVaultCryptoServiceReleaseUser,
        Self::KeyVaultCryptoUser,
        Self::KeyVaultDataAccessAdministrator,
        Self::KeyVaultPurgeOperator,
        Self::KeyVaultReader,
        Self::KeyVaultSecretsOfficer,
        Self::KeyVaultSecretsUser,
        Self::Owner,
        Self::Reader,
    ];

    /// Returns its name in Azure.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AcrDelete => "AcrDelete",
            Self::AcrPull => "AcrPull",
            Self::AcrPush => "AcrPush",
            Self::Contributor => "Contributor",
            Self::KeyVaultAdministrator => "Key Vault Administrator",
            Self::KeyVaultContributor => "Key Vault Contributor",
            Self::KeyVaultCryptoOfficer => "Key Vault Crypto Officer",
            Self::KeyVaultCryptoServiceEncryptionUser => "Key Vault Crypto Service Encryption User",
            Self::KeyVaultCryptoServiceReleaseUser => "Key Vault Crypto Service Release User",
            Self::KeyVaultCryptoUser => "Key Vault Crypto User",
            Self::KeyVaultDataAccessAdministrator => "Key Vault Data Access Administrator",
            Self::KeyVaultPurgeOperator => "Key Vault Purge Operator",
            Self::KeyVaultReader => "Key Vault Reader",
            Self::KeyVaultSecretsOfficer => "Key Vault Secrets Officer",
            Self::KeyVaultSecretsUser => "Key Vault Secrets User",
            Self::Owner => "Owner",
            Self::Reader => "Reader",
        }
    }

    /// Returns true if it permits operations on vaults only.
    pub fn is_for_vaults(self) -> bool {
        self.as_str().starts_with("Key Vault ")
    }

    /// Returns the id of its role definition, which is the same in every tenant.
    ///
    /// <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/containers>,
    /// <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/privileged>,
    /// <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/security>,
    /// <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/general>
    pub const fn definition_id(self) -> &'static str {
        match self {
            Self::AcrDelete => "c2f4ef07-c644-48eb-af81-4b1b4947fb11",
            Self::AcrPull => "7f951dda-4ed3-4680-a7ca-43fe172d538d",
            Self::AcrPush => "8311e382-0749-4cb8-b61a-304f252e45ec",
            Self::Contributor => "b24988ac-6180-42a0-ab88-20f7382dd24c",
            Self::KeyVaultAdministrator => "00482a5a-887f-4fb3-b363-3b7fe8e74483",
            Self::KeyVaultContributor => "f25e0fa2-a7c8-4377-a976-54943a77a395",
            Self::KeyVaultCryptoOfficer => "14b46e9e-c2b7-41b4-b07b-48a6ebf60603",
            Self::KeyVaultCryptoServiceEncryptionUser => "e147488a-f6f5-4113-8e2d-b22465e65bf6",
            Self::KeyVaultCryptoServiceReleaseUser => "08bbd89e-9f13-488c-ac41-acfcb10c90ab",
            Self::KeyVaultCryptoUser => "12338af0-0e69-4776-bea7-57ae8d297424",
            Self::KeyVaultDataAccessAdministrator => "8b54135c-b56d-4d72-a534-26097cfdc8d8",
            Self::KeyVaultPurgeOperator => "a68e7c17-0ab2-4c09-9a58-125dae29748c",
            Self::KeyVaultReader => "21090545-7ca7-4776-b22c-e363652d74d2",
            Self::KeyVaultSecretsOfficer => "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
            Self::KeyVaultSecretsUser => "4633458b-17de-408a-b874-0445c86b69e6",
            Self::Owner => "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
            Self::Reader => "acdd72a7-3385-48ef-bd42-f606fba81ae7",
        }
    }
}

/// Parses a name or the id of a definition. Case and spaces are ignored.
impl FromStr for Role {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let normalized = |name: &str| name.replace(' ', "").to_ascii_lowercase();
        let given = normalized(text);
        Self::ALL
            .into_iter()
            .find(|role| normalized(role.as_str()) == given || role.definition_id() == given)
            .ok_or_else(|| Error::RoleUnknown(excerpt(text).to_owned()))
    }
}

impl TryFrom<String> for Role {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Role> for String {
    fn from(role: Role) -> Self {
        role.as_str().to_owned()
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_is_parsed_from_its_name_or_definition_id() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>().unwrap(), role);
            assert_eq!(role.definition_id().parse::<Role>().unwrap(), role);
            let lower = role.as_str().to_ascii_lowercase();
            assert_eq!(lower.parse::<Role>().unwrap(), role);
            let upper = role.definition_id().to_ascii_uppercase();
            assert_eq!(upper.parse::<Role>().unwrap(), role);
            // Without spaces.
            assert_eq!(format!("{role:?}").parse::<Role>().unwrap(), role);
            let json = serde_json::to_value(role).unwrap();
            assert_eq!(json, role.as_str());
            assert_eq!(serde_json::from_value::<Role>(json).unwrap(), role);
        }
        assert!("".parse::<Role>().is_err() && "AcrPul".parse::<Role>().is_err());
    }
}
