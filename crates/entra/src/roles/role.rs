use std::{fmt, str::FromStr};

use sealock_core::excerpt;
use serde::{Deserialize, Serialize};

use super::{built_in::definition, definition::RoleDefinition};
use crate::Error;

/// A built-in role. Its definition says which actions it permits, and each service which of its operations they are.
///
/// <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Role {
    /// Delete images of a registry.
    AcrDelete,
    /// Sign images in a registry.
    AcrImageSigner,
    /// Pull images from a registry.
    AcrPull,
    /// Push images to a registry, and pull them.
    AcrPush,
    /// Read quarantined images of a registry.
    AcrQuarantineReader,
    /// Read quarantined images of a registry, and change their state.
    AcrQuarantineWriter,
    /// List the repositories of a registry with permissions for each repository.
    ContainerRegistryRepositoryCatalogLister,
    /// Push, pull and delete in a registry with permissions for each repository.
    ContainerRegistryRepositoryContributor,
    /// Pull from a registry with permissions for each repository.
    ContainerRegistryRepositoryReader,
    /// Push and pull in a registry with permissions for each repository.
    ContainerRegistryRepositoryWriter,
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
    /// Manage user-assigned identities.
    ManagedIdentityContributor,
    /// Give user-assigned identities to resources.
    ManagedIdentityOperator,
    /// Manage everything, and assign roles.
    Owner,
    /// Read everything.
    Reader,
    /// Assign roles, and read everything.
    RoleBasedAccessControlAdministrator,
    /// Manage access, and read everything.
    UserAccessAdministrator,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 28] = [
        Self::AcrDelete,
        Self::AcrImageSigner,
        Self::AcrPull,
        Self::AcrPush,
        Self::AcrQuarantineReader,
        Self::AcrQuarantineWriter,
        Self::ContainerRegistryRepositoryCatalogLister,
        Self::ContainerRegistryRepositoryContributor,
        Self::ContainerRegistryRepositoryReader,
        Self::ContainerRegistryRepositoryWriter,
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
        Self::ManagedIdentityContributor,
        Self::ManagedIdentityOperator,
        Self::Owner,
        Self::Reader,
        Self::RoleBasedAccessControlAdministrator,
        Self::UserAccessAdministrator,
    ];

    /// Returns its definition.
    pub const fn definition(self) -> &'static RoleDefinition {
        definition(self)
    }

    /// Returns its name in Azure.
    pub const fn as_str(self) -> &'static str {
        self.definition().name
    }

    /// Returns the id of its definition.
    pub const fn definition_id(self) -> &'static str {
        self.definition().id
    }

    /// Returns true if it permits an action of the control plane.
    pub fn permits(self, action: &str) -> bool {
        self.definition().permits(action)
    }

    /// Returns true if it permits to assign `other`.
    ///
    /// <https://learn.microsoft.com/azure/role-based-access-control/delegate-role-assignments-overview>
    pub fn may_assign(self, other: Self) -> bool {
        let assignable = self.definition().assignable;
        self.permits("Microsoft.Authorization/roleAssignments/write")
            && assignable.is_none_or(|roles| roles.contains(&other))
    }

    /// Returns true if it permits operations on vaults only.
    pub fn is_for_vaults(self) -> bool {
        self.as_str().starts_with("Key Vault ")
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
