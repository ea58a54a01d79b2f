//! The built-in roles as Azure defines them.
//!
//! <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/privileged>,
//! <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/general>,
//! <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/containers>,
//! <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/identity>,
//! <https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/security>

use std::{fmt, str::FromStr};

use sealock_core::excerpt;

use super::{definition::RoleDefinition, role::Role};
use crate::Error;

/// The actions that most roles for the content of vaults permit.
const AROUND_VAULTS: &[&str] = &[
    "Microsoft.Authorization/*/read",
    "Microsoft.Insights/alertRules/*",
    "Microsoft.Resources/deployments/*",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Support/*",
    "Microsoft.KeyVault/checkNameAvailability/read",
    "Microsoft.KeyVault/deletedVaults/read",
    "Microsoft.KeyVault/locations/*/read",
    "Microsoft.KeyVault/vaults/*/read",
    "Microsoft.KeyVault/operations/read",
];

/// A definition that permits nothing.
const NONE: RoleDefinition = RoleDefinition {
    id: "",
    name: "",
    description: "",
    actions: &[],
    not_actions: &[],
    data_actions: &[],
    assignable: None,
};

impl Role {
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

/// Returns the definition of a role.
#[expect(clippy::too_many_lines, reason = "a table")]
const fn definition(role: Role) -> &'static RoleDefinition {
    match role {
        Role::AcrDelete => &RoleDefinition {
            id: "c2f4ef07-c644-48eb-af81-4b1b4947fb11",
            name: "AcrDelete",
            description: "acr delete",
            actions: &["Microsoft.ContainerRegistry/registries/artifacts/delete"],
            ..NONE
        },
        Role::AcrImageSigner => &RoleDefinition {
            id: "6cef56e8-d556-48e5-a04f-b8e64114680f",
            name: "AcrImageSigner",
            description: "acr image signer",
            actions: &["Microsoft.ContainerRegistry/registries/sign/write"],
            data_actions: &["Microsoft.ContainerRegistry/registries/trustedCollections/write"],
            ..NONE
        },
        Role::AcrPull => &RoleDefinition {
            id: "7f951dda-4ed3-4680-a7ca-43fe172d538d",
            name: "AcrPull",
            description: "acr pull",
            actions: &["Microsoft.ContainerRegistry/registries/pull/read"],
            ..NONE
        },
        Role::AcrPush => &RoleDefinition {
            id: "8311e382-0749-4cb8-b61a-304f252e45ec",
            name: "AcrPush",
            description: "acr push",
            actions: &[
                "Microsoft.ContainerRegistry/registries/pull/read",
                "Microsoft.ContainerRegistry/registries/push/write",
            ],
            ..NONE
        },
        Role::AcrQuarantineReader => &RoleDefinition {
            id: "cdda3590-29a3-44f6-95f2-9f980659eb04",
            name: "AcrQuarantineReader",
            description: "acr quarantine data reader",
            actions: &["Microsoft.ContainerRegistry/registries/quarantine/read"],
            data_actions: &["Microsoft.ContainerRegistry/registries/quarantinedArtifacts/read"],
            ..NONE
        },
        Role::AcrQuarantineWriter => &RoleDefinition {
            id: "c8d4ff99-41c3-41a8-9f60-21dfdad59608",
            name: "AcrQuarantineWriter",
            description: "acr quarantine data writer",
            actions: &[
                "Microsoft.ContainerRegistry/registries/quarantine/read",
                "Microsoft.ContainerRegistry/registries/quarantine/write",
            ],
            data_actions: &[
                "Microsoft.ContainerRegistry/registries/quarantinedArtifacts/read",
                "Microsoft.ContainerRegistry/registries/quarantinedArtifacts/write",
            ],
            ..NONE
        },
        Role::ContainerRegistryRepositoryCatalogLister => &RoleDefinition {
            id: "bfdb9389-c9a5-478a-bb2f-ba9ca092c3c7",
            name: "Container Registry Repository Catalog Lister",
            description: "Allows for listing all repositories in an Azure Container Registry. This role is in preview and subject to change.",
            data_actions: &["Microsoft.ContainerRegistry/registries/catalog/read"],
            ..NONE
        },
        Role::ContainerRegistryRepositoryContributor => &RoleDefinition {
            id: "2efddaa5-3f1f-4df3-97df-af3f13818f4c",
            name: "Container Registry Repository Contributor",
            description: "Allows for read, write, and delete access to Azure Container Registry repositories, but excluding catalog listing. This role is in preview and subject to change.",
            data_actions: &[
                "Microsoft.ContainerRegistry/registries/repositories/metadata/read",
                "Microsoft.ContainerRegistry/registries/repositories/content/read",
                "Microsoft.ContainerRegistry/registries/repositories/metadata/write",
                "Microsoft.ContainerRegistry/registries/repositories/content/write",
                "Microsoft.ContainerRegistry/registries/repositories/metadata/delete",
                "Microsoft.ContainerRegistry/registries/repositories/content/delete",
            ],
            ..NONE
        },
        Role::ContainerRegistryRepositoryReader => &RoleDefinition {
            id: "b93aa761-3e63-49ed-ac28-beffa264f7ac",
            name: "Container Registry Repository Reader",
            description: "Allows for read access to Azure Container Registry repositories, but excluding catalog listing. This role is in preview and subject to change.",
            data_actions: &[
                "Microsoft.ContainerRegistry/registries/repositories/metadata/read",
                "Microsoft.ContainerRegistry/registries/repositories/content/read",
            ],
            ..NONE
        },
        Role::ContainerRegistryRepositoryWriter => &RoleDefinition {
            id: "2a1e307c-b015-4ebd-883e-5b7698a07328",
            name: "Container Registry Repository Writer",
            description: "Allows for read and write access to Azure Container Registry repositories, but excluding catalog listing. This role is in preview and subject to change.",
            data_actions: &[
                "Microsoft.ContainerRegistry/registries/repositories/metadata/read",
                "Microsoft.ContainerRegistry/registries/repositories/content/read",
                "Microsoft.ContainerRegistry/registries/repositories/metadata/write",
                "Microsoft.ContainerRegistry/registries/repositories/content/write",
            ],
            ..NONE
        },
        Role::Contributor => &RoleDefinition {
            id: "b24988ac-6180-42a0-ab88-20f7382dd24c",
            name: "Contributor",
            description: "Grants full access to manage all resources, but does not allow you to assign roles in Azure RBAC, manage assignments in Azure Blueprints, or share image galleries.",
            actions: &["*"],
            not_actions: &[
                "Microsoft.Authorization/*/Delete",
                "Microsoft.Authorization/*/Write",
                "Microsoft.Authorization/elevateAccess/Action",
                "Microsoft.Blueprint/blueprintAssignments/write",
                "Microsoft.Blueprint/blueprintAssignments/delete",
                "Microsoft.Compute/galleries/share/action",
                "Microsoft.Purview/consents/write",
                "Microsoft.Purview/consents/delete",
                "Microsoft.Resources/deploymentStacks/manageDenySetting/action",
                "Microsoft.Subscription/cancel/action",
                "Microsoft.Subscription/enable/action",
            ],
            ..NONE
        },
        Role::KeyVaultAdministrator => &RoleDefinition {
            id: "00482a5a-887f-4fb3-b363-3b7fe8e74483",
            name: "Key Vault Administrator",
            description: "Perform all data plane operations on a key vault and all objects in it, including certificates, keys, and secrets. Cannot manage key vault resources or manage role assignments. Only works for key vaults that use the 'Azure role-based access control' permission model.",
            actions: AROUND_VAULTS,
            data_actions: &["Microsoft.KeyVault/vaults/*"],
            ..NONE
        },
        Role::KeyVaultContributor => &RoleDefinition {
            id: "f25e0fa2-a7c8-4377-a976-54943a77a395",
            name: "Key Vault Contributor",
            description: "Lets you manage key vaults, but not access to them.",
            actions: &[
                "Microsoft.Authorization/*/read",
                "Microsoft.Insights/alertRules/*",
                "Microsoft.KeyVault/*",
                "Microsoft.Resources/deployments/*",
                "Microsoft.Resources/subscriptions/resourceGroups/read",
                "Microsoft.Support/*",
            ],
            not_actions: &[
                "Microsoft.KeyVault/locations/deletedVaults/purge/action",
                "Microsoft.KeyVault/hsmPools/*",
                "Microsoft.KeyVault/managedHsms/*",
            ],
            ..NONE
        },
        Role::KeyVaultCryptoOfficer => &RoleDefinition {
            id: "14b46e9e-c2b7-41b4-b07b-48a6ebf60603",
            name: "Key Vault Crypto Officer",
            description: "Perform any action on the keys of a key vault, except manage permissions. Only works for key vaults that use the 'Azure role-based access control' permission model.",
            actions: AROUND_VAULTS,
            data_actions: &[
                "Microsoft.KeyVault/vaults/keys/*",
                "Microsoft.KeyVault/vaults/keyrotationpolicies/*",
            ],
            ..NONE
        },
        Role::KeyVaultCryptoServiceEncryptionUser => &RoleDefinition {
            id: "e147488a-f6f5-4113-8e2d-b22465e65bf6",
            name: "Key Vault Crypto Service Encryption User",
            description: "Read metadata of keys and perform wrap/unwrap operations. Only works for key vaults that use the 'Azure role-based access control' permission model.",
            actions: &[
                "Microsoft.EventGrid/eventSubscriptions/write",
                "Microsoft.EventGrid/eventSubscriptions/read",
                "Microsoft.EventGrid/eventSubscriptions/delete",
            ],
            data_actions: &[
                "Microsoft.KeyVault/vaults/keys/read",
                "Microsoft.KeyVault/vaults/keys/wrap/action",
                "Microsoft.KeyVault/vaults/keys/unwrap/action",
            ],
            ..NONE
        },
        Role::KeyVaultCryptoServiceReleaseUser => &RoleDefinition {
            id: "08bbd89e-9f13-488c-ac41-acfcb10c90ab",
            name: "Key Vault Crypto Service Release User",
            description: "Release keys. Only works for key vaults that use the 'Azure role-based access control' permission model.",
            data_actions: &["Microsoft.KeyVault/vaults/keys/release/action"],
            ..NONE
        },
        Role::KeyVaultCryptoUser => &RoleDefinition {
            id: "12338af0-0e69-4776-bea7-57ae8d297424",
            name: "Key Vault Crypto User",
            description: "Perform cryptographic operations using keys. Only works for key vaults that use the 'Azure role-based access control' permission model.",
            data_actions: &[
                "Microsoft.KeyVault/vaults/keys/read",
                "Microsoft.KeyVault/vaults/keys/update/action",
                "Microsoft.KeyVault/vaults/keys/backup/action",
                "Microsoft.KeyVault/vaults/keys/encrypt/action",
                "Microsoft.KeyVault/vaults/keys/decrypt/action",
                "Microsoft.KeyVault/vaults/keys/wrap/action",
                "Microsoft.KeyVault/vaults/keys/unwrap/action",
                "Microsoft.KeyVault/vaults/keys/sign/action",
                "Microsoft.KeyVault/vaults/keys/verify/action",
            ],
            ..NONE
        },
        Role::KeyVaultDataAccessAdministrator => &RoleDefinition {
            id: "8b54135c-b56d-4d72-a534-26097cfdc8d8",
            name: "Key Vault Data Access Administrator",
            description: "Manage access to Azure Key Vault by adding or removing role assignments for the Key Vault Administrator, Key Vault Certificates Officer, Key Vault Crypto Officer, Key Vault Crypto Service Encryption User, Key Vault Crypto User, Key Vault Reader, Key Vault Secrets Officer, or Key Vault Secrets User roles. Includes an ABAC condition to constrain role assignments.",
            actions: &[
                "Microsoft.Authorization/roleAssignments/write",
                "Microsoft.Authorization/roleAssignments/delete",
                "Microsoft.Authorization/*/read",
                "Microsoft.Resources/deployments/*",
                "Microsoft.Resources/subscriptions/resourceGroups/read",
                "Microsoft.Resources/subscriptions/read",
                "Microsoft.Management/managementGroups/read",
                "Microsoft.Support/*",
                "Microsoft.KeyVault/vaults/*/read",
            ],
            assignable: Some(&[
                Role::KeyVaultAdministrator,
                Role::KeyVaultCryptoOfficer,
                Role::KeyVaultCryptoServiceEncryptionUser,
                Role::KeyVaultCryptoUser,
                Role::KeyVaultReader,
                Role::KeyVaultSecretsOfficer,
                Role::KeyVaultSecretsUser,
            ]),
            ..NONE
        },
        Role::KeyVaultPurgeOperator => &RoleDefinition {
            id: "a68e7c17-0ab2-4c09-9a58-125dae29748c",
            name: "Key Vault Purge Operator",
            description: "Allows permanent deletion of soft-deleted vaults.",
            actions: &[
                "Microsoft.KeyVault/locations/deletedVaults/read",
                "Microsoft.KeyVault/locations/deletedVaults/purge/action",
            ],
            ..NONE
        },
        Role::KeyVaultReader => &RoleDefinition {
            id: "21090545-7ca7-4776-b22c-e363652d74d2",
            name: "Key Vault Reader",
            description: "Read metadata of key vaults and its certificates, keys, and secrets. Cannot read sensitive values such as secret contents or key material. Only works for key vaults that use the 'Azure role-based access control' permission model.",
            actions: AROUND_VAULTS,
            data_actions: &[
                "Microsoft.KeyVault/vaults/*/read",
                "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
            ],
            ..NONE
        },
        Role::KeyVaultSecretsOfficer => &RoleDefinition {
            id: "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
            name: "Key Vault Secrets Officer",
            description: "Perform any action on the secrets of a key vault, except manage permissions. Only works for key vaults that use the 'Azure role-based access control' permission model.",
            actions: AROUND_VAULTS,
            data_actions: &["Microsoft.KeyVault/vaults/secrets/*"],
            ..NONE
        },
        Role::KeyVaultSecretsUser => &RoleDefinition {
            id: "4633458b-17de-408a-b874-0445c86b69e6",
            name: "Key Vault Secrets User",
            description: "Read secret contents. Only works for key vaults that use the 'Azure role-based access control' permission model.",
            data_actions: &[
                "Microsoft.KeyVault/vaults/secrets/getSecret/action",
                "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
            ],
            ..NONE
        },
        Role::ManagedIdentityContributor => &RoleDefinition {
            id: "e40ec5ca-96e0-45a2-b4ff-59039f2c2b59",
            name: "Managed Identity Contributor",
            description: "Create, Read, Update, and Delete User Assigned Identity",
            actions: &[
                "Microsoft.ManagedIdentity/userAssignedIdentities/read",
                "Microsoft.ManagedIdentity/userAssignedIdentities/write",
                "Microsoft.ManagedIdentity/userAssignedIdentities/delete",
                "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read",
                "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write",
                "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/delete",
                "Microsoft.ManagedIdentity/userAssignedIdentities/revokeTokens/action",
                "Microsoft.Authorization/*/read",
                "Microsoft.Insights/alertRules/*",
                "Microsoft.Resources/subscriptions/resourceGroups/read",
                "Microsoft.Resources/deployments/*",
                "Microsoft.Support/*",
            ],
            ..NONE
        },
        Role::ManagedIdentityOperator => &RoleDefinition {
            id: "f1a07417-d97a-45cb-824c-7a7467783830",
            name: "Managed Identity Operator",
            description: "Read and Assign User Assigned Identity",
            actions: &[
                "Microsoft.ManagedIdentity/userAssignedIdentities/*/read",
                "Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action",
                "Microsoft.Authorization/*/read",
                "Microsoft.Insights/alertRules/*",
                "Microsoft.Resources/subscriptions/resourceGroups/read",
                "Microsoft.Resources/deployments/*",
                "Microsoft.Support/*",
            ],
            ..NONE
        },
        Role::Owner => &RoleDefinition {
            id: "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
            name: "Owner",
            description: "Grants full access to manage all resources, including the ability to assign roles in Azure RBAC.",
            actions: &["*"],
            ..NONE
        },
        Role::Reader => &RoleDefinition {
            id: "acdd72a7-3385-48ef-bd42-f606fba81ae7",
            name: "Reader",
            description: "View all resources, but does not allow you to make any changes.",
            actions: &["*/read"],
            ..NONE
        },
        Role::RoleBasedAccessControlAdministrator => &RoleDefinition {
            id: "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
            name: "Role Based Access Control Administrator",
            description: "Manage access to Azure resources by assigning roles using Azure RBAC. This role does not allow you to manage access using other ways, such as Azure Policy.",
            actions: &[
                "Microsoft.Authorization/roleAssignments/write",
                "Microsoft.Authorization/roleAssignments/delete",
                "*/read",
                "Microsoft.Support/*",
            ],
            ..NONE
        },
        Role::UserAccessAdministrator => &RoleDefinition {
            id: "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
            name: "User Access Administrator",
            description: "Lets you manage user access to Azure resources.",
            actions: &["*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"],
            ..NONE
        },
    }
}
