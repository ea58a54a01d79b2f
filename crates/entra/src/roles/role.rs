use serde::{Deserialize, Serialize};

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
