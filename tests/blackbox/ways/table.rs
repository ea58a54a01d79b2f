//! Every revocation of a registry and its restoration, by each way that Azure or the emulator has for it.

use super::Step::{self, Manage, ManageRefused, Run, Vault};

pub(crate) const KEY_FORBIDDEN: &str = "Access to Key Encryption Key is forbidden. View troubleshooting steps at https://aka.ms/acr/cmk";
pub(crate) const IDENTITY_INACTIVE: &str = "The identity associated with the registry is inactive. This could be due to \
                                            attempted removal of the identity. Reassign the identity manually";

/// The time for which a key that the vault refuses serves with `propagation = "azure"`: 59 minutes, and one more.
pub(super) const AN_HOUR: [&str; 2] = ["59m", "1m"];

/// The time for which a lost identity serves with `propagation = "azure"`: 90 days.
const NINETY_DAYS: [&str; 2] = ["2159h", "1h"];

/// One revocation, with its restoration.
pub(super) struct Row {
    pub(super) name: &'static str,
    /// The preparation by the command line, which revokes nothing by itself.
    pub(super) given: &'static [Step],
    /// By the command line.
    pub(super) command_line: Way,
    /// By the vault's data plane.
    pub(super) data_plane: Option<Way>,
    /// By Resource Manager.
    pub(super) resource_manager: Option<Way>,
    pub(super) cause: &'static str,
    pub(super) message: &'static str,
    /// The time for which the registry serves all the same with `propagation = "azure"`, in two steps.
    pub(super) lasts: [&'static str; 2],
}

/// The steps that revoke, and those that restore.
pub(super) struct Way {
    pub(super) revoke: &'static [Step],
    pub(super) restore: &'static [Step],
}

const KEY: &str = "/keys/registry-key";
const ASSIGN_ROLE: Step =
    Run(r#"role assign --role "Key Vault Crypto Service Encryption User" --vault sealock"#);
const ROLES_DECIDE: &[Step] = &[ASSIGN_ROLE, Run("vault update --rbac true")];
const PUT_ASSIGNMENT: Step = Manage(
    "PUT",
    "ASSIGNMENT",
    r#"{"properties": {"roleDefinitionId": "ROLE", "principalId": "PRINCIPAL", "principalType": "ServicePrincipal"}}"#,
);
const RECOVER_VAULT: Step = Manage(
    "PUT",
    "VAULT",
    r#"{"location": "eastus", "properties": {"tenantId": "TENANT", "createMode": "recover"}}"#,
);
const ADD_POLICY: Step = Manage(
    "PUT",
    "VAULT/accessPolicies/add",
    r#"{"properties": {"accessPolicies": [{"tenantId": "TENANT", "objectId": "PRINCIPAL", "permissions": {"keys": ["get", "wrapKey", "unwrapKey"]}}]}}"#,
);
const ASSIGN_IDENTITY: Step = Manage(
    "PATCH",
    "REGISTRY",
    r#"{"identity": {"type": "UserAssigned", "userAssignedIdentities": {"IDENTITY": {}}}}"#,
);

pub(super) const TABLE: &[Row] = &[
    Row {
        name: "key version disabled",
        given: &[Run("key rotate")],
        command_line: Way {
            revoke: &[Run("key disable --version VERSION")],
            restore: &[Run("key enable --version VERSION")],
        },
        data_plane: Some(Way {
            revoke: &[Vault(
                "PATCH",
                "/keys/registry-key/VERSION",
                r#"{"attributes": {"enabled": false}}"#,
            )],
            restore: &[Vault(
                "PATCH",
                "/keys/registry-key/VERSION",
                r#"{"attributes": {"enabled": true}}"#,
            )],
        }),
        resource_manager: None,
        cause: "KeyDisabled",
        message: KEY_FORBIDDEN,
        lasts: AN_HOUR,
    },
    Row {
        name: "whole key disabled",
        given: &[Run("key rotate")],
        command_line: Way {
            revoke: &[Run("key disable --version OLD"), Run("key disable")],
            restore: &[Run("key enable"), Run("key enable --version OLD")],
        },
        data_plane: Some(Way {
            revoke: &[
                Vault(
                    "PATCH",
                    "/keys/registry-key/OLD",
                    r#"{"attributes": {"enabled": false}}"#,
                ),
                Vault("PATCH", KEY, r#"{"attributes": {"enabled": false}}"#),
            ],
            restore: &[
                Vault("PATCH", KEY, r#"{"attributes": {"enabled": true}}"#),
                Vault(
                    "PATCH",
                    "/keys/registry-key/OLD",
                    r#"{"attributes": {"enabled": true}}"#,
                ),
            ],
        }),
        resource_manager: None,
        cause: "KeyDisabled",
        message: KEY_FORBIDDEN,
        lasts: AN_HOUR,
    },
    Row {
        name: "`unwrapKey` taken from the key's operations",
        given: &[],
        command_line: Way {
            revoke: &[Run("key update --ops encrypt,wrapKey")],
            restore: &[Run("key update --ops wrapKey,unwrapKey")],
        },
        data_plane: Some(Way {
            revoke: &[Vault(
                "PATCH",
                KEY,
                r#"{"key_ops": ["encrypt", "wrapKey"]}"#,
            )],
            restore: &[Vault(
                "PATCH",
                KEY,
                r#"{"key_ops": ["wrapKey", "unwrapKey"]}"#,
            )],
        }),
        resource_manager: None,
        cause: "KeyOperationForbidden",
        message: KEY_FORBIDDEN,
        lasts: AN_HOUR,
    },
    Row {
        name: "key deleted",
        given: &[],
        command_line: Way {
            revoke: &[Run("key delete")],
            restore: &[Run("key recover")],
        },
        data_plane: Some(Way {
            revoke: &[Vault("DELETE", KEY, "")],
            restore: &[Vault("POST", "/deletedkeys/registry-key/recover", "")],
        }),
        resource_manager: None,
        cause: "KeyDeleted",
        message: KEY_FORBIDDEN,
        lasts: AN_HOUR,
    },
    Row {
        name: "key purged",
        given: &[Run("key backup --file key.backup")],
        command_line: Way {
            revoke: &[Run("key delete"), Run("key purge --yes")],
            restore: &[Run("key restore --file key.backup")],
        },
        data_plane: Some(Way {
            revoke: &[
                Vault("DELETE", KEY, ""),
                Vault("DELETE", "/deletedkeys/registry-key", ""),
            ],
            restore: &[Vault("POST", "/keys/restore", r#"{"value": "BACKUP"}"#)],
        }),
        resource_manager: None,
        cause: "KeyNotFound",
        message: KEY_FORBIDDEN,
        lasts: AN_HOUR,
    },
    Row {
        name: "access policy removed",
        // A role has no effect where access policies decide.
        given: &[ASSIGN_ROLE],
        command_line: Way {
            revoke: &[Run("access revoke")],
            restore: &[Run("access grant")],
        },
        data_plane: None,
        resource_manager: Some(Way {
            revoke: &[Manage(
                "PUT",
                "VAULT/accessPolicies/remove",
                r#"{"properties": {"accessPolicies": [{"tenantId": "TENANT", "objectId": "PRINCIPAL", "permissions": {"keys": ["all"]}}]}}"#,
            )],
            restore: &[ADD_POLICY],
        }),
        cause: "ForbiddenByPolicy",
        message: KEY_FORBIDDEN,
        lasts: AN_HOUR,
    },
    Row {
        name: "permission `unwrapKey` removed",
        given: &[],
        command_line: Way {
            revoke: &[Run("access revoke --permissions unwrapKey")],
            restore: &[Run("access grant --permissions unwrapKey")],
        },
        data_plane: None,
        resource_manager: Some(Way {
            revoke: &[Manage(
                "PUT",
                "VAULT/accessPolicies/remove",
                r#"{"properties": {"accessPolicies": [{"tenantId": "TENANT", "objectId": "PRINCIPAL", "permissions": {"keys": ["unwrapKey"]}}]}}"#,
            )],
            restore: &[ADD_POLICY],
        }),
        cause: "ForbiddenByPolicy",
        message: KEY_FORBIDDEN,
        lasts: AN_HOUR,
    },
    Row {
        name: "firewall closed, to trusted services too",
        given: &[],
        command_line: Way {
            revoke: &[Run(
                "vault network update --default-action deny --bypass none",
            )],
            restore: &[Run(
                "vault network update --default-action allow --bypass azure-services",
            )],
        },
        data_plane: None,
        resource_manager: Some(Way {
            revoke: &[Manage(
                "PATCH",
                "VAULT",
                r#"{"properties": {"networkAcls": {"defaultAction": "Deny", "bypass": "None"}}}"#,
            )],
            restore: &[Manage(
                "PATCH",
                "VAULT",
                r#"{"properties": {"networkAcls": {"defaultAction": "Allow", "bypass": "AzureServices"}}}"#,
            )],
        }),
        cause: "ForbiddenByFirewall",
        message: KEY_FORBIDDEN,
        lasts: AN_HOUR,
    },
    Row {
        name: "bypass for trusted services ended",
        // A registry has no address that a rule could allow.
        given: &[Run(
            "vault network update --default-action deny --add-ip 127.0.0.1",
        )],
        command_line: Way {
            revoke: &[Run("vault network update --bypass none")],
            restore: &[Run("vault network update --bypass azure-services")],
        },
        data_plane: None,
        resource_manager: Some(Way {
            revoke: &[Manage(
                "PATCH",
                "VAULT",
                r#"{"properties": {"networkAcls": {"defaultAction": "Deny", "bypass": "None", "ipRules": [{"value": "127.0.0.1"}]}}}"#,
            )],
            restore: &[Manage(
                "PATCH",
                "VAULT",
                r#"{"properties": {"networkAcls": {"defaultAction": "Deny", "bypass": "AzureServices", "ipRules": [{"value": "127.0.0.1"}]}}}"#,
            )],
        }),
        cause: "ForbiddenByFirewall",
        message: KEY_FORBIDDEN,
        lasts: AN_HOUR,
    },
    Row {
        name: "public network access turned off, without the bypass",
        given: &[],
        command_line: Way {
            revoke: &[Run(
                "vault network update --public-access disabled --bypass none",
            )],
            restore: &[Run(
                "vault network update --public-access enabled --bypass azure-services",
            )],
        },
        data_plane: None,
        resource_manager: Some(Way {
            revoke: &[Manage(
                "PATCH",
                "VAULT",
                r#"{"properties": {"publicNetworkAccess": "Disabled", "networkAcls": {"defaultAction": "Allow", "bypass": "None"}}}"#,
            )],
            restore: &[Manage(
                "PATCH",
                "VAULT",
                r#"{"properties": {"publicNetworkAccess": "Enabled", "networkAcls": {"defaultAction": "Allow", "bypass": "AzureServices"}}}"#,
            )],
        }),
        cause: "ForbiddenByConnection",
        message: KEY_FORBIDDEN,
        lasts: AN_HOUR,
    },
    Row {
        name: "vault deleted",
        given: &[],
        command_line: Way {
            revoke: &[Run("vault delete")],
            restore: &[Run("vault recover")],
        },
        data_plane: None,
        resource_manager: Some(Way {
            revoke: &[Manage("DELETE", "VAULT", "")],
            restore: &[RECOVER_VAULT],
        }),
        cause: "VaultDeleted",
        message: KEY_FORBIDDEN,
        lasts: AN_HOUR,
    },
    Row {
        name: "vault purged",
        given: &[Run("key backup --file key.backup")],
        command_line: Way {
            revoke: &[Run("vault delete"), Run("vault purge --yes")],
            restore: &[
                Run("vault create sealock"),
                Run("key restore --file key.backup"),
                Run("access grant"),
            ],
        },
        data_plane: None,
        resource_manager: Some(Way {
            revoke: &[
                Manage("DELETE", "VAULT", ""),
                Manage("POST", "DELETED_VAULT/purge", ""),
            ],
            restore: &[
                Manage(
                    "PUT",
                    "VAULT",
                    r#"{"location": "eastus", "properties": {"tenantId": "TENANT", "sku": {"family": "A", "name": "standard"}, "accessPolicies": [{"tenantId": "TENANT", "objectId": "CALLER", "permissions": {"keys": ["all"]}}]}}"#,
                ),
                Vault("POST", "/keys/restore", r#"{"value": "BACKUP"}"#),
                ADD_POLICY,
            ],
        }),
        cause: "VaultNotFound",
        message: KEY_FORBIDDEN,
        lasts: AN_HOUR,
    },
    Row {
        name: "identity removed from the registry",
        given: &[],
        command_line: Way {
            revoke: &[Run("registry identity remove registry-identity")],
            restore: &[Run("registry identity assign registry-identity")],
        },
        data_plane: None,
        resource_manager: Some(Way {
            revoke: &[ManageRefused(
                "PATCH",
                "REGISTRY",
                r#"{"identity": {"type": "None"}}"#,
                "IdentityNotAssigned",
            )],
            restore: &[ASSIGN_IDENTITY],
        }),
        cause: "IdentityDetached",
        message: IDENTITY_INACTIVE,
        lasts: NINETY_DAYS,
    },
    Row {
        name: "identity deleted",
        given: &[],
        command_line: Way {
            revoke: &[Run("identity delete")],
            restore: &[
                Run("identity create"),
                Run("access grant"),
                Run("registry identity assign registry-identity"),
            ],
        },
        data_plane: None,
        resource_manager: Some(Way {
            revoke: &[Manage("DELETE", "IDENTITY", "")],
            restore: &[
                Manage("PUT", "IDENTITY", r#"{"location": "eastus"}"#),
                ADD_POLICY,
                ASSIGN_IDENTITY,
            ],
        }),
        cause: "IdentityNotFound",
        message: IDENTITY_INACTIVE,
        lasts: NINETY_DAYS,
    },
    Row {
        name: "roles decide, and there is none",
        given: &[],
        command_line: Way {
            revoke: &[Run("vault update --rbac true")],
            restore: &[Run("vault update --rbac false")],
        },
        data_plane: None,
        resource_manager: Some(Way {
            revoke: &[Manage(
                "PATCH",
                "VAULT",
                r#"{"properties": {"enableRbacAuthorization": true}}"#,
            )],
            restore: &[Manage(
                "PATCH",
                "VAULT",
                r#"{"properties": {"enableRbacAuthorization": false}}"#,
            )],
        }),
        cause: "ForbiddenByRbac",
        message: KEY_FORBIDDEN,
        lasts: AN_HOUR,
    },
    Row {
        name: "role removed",
        given: ROLES_DECIDE,
        command_line: Way {
            revoke: &[Run(
                r#"role remove --role "Key Vault Crypto Service Encryption User" --vault sealock"#,
            )],
            restore: &[ASSIGN_ROLE],
        },
        data_plane: None,
        resource_manager: Some(Way {
            revoke: &[Manage("DELETE", "ASSIGNMENT", "")],
            restore: &[PUT_ASSIGNMENT],
        }),
        cause: "ForbiddenByRbac",
        message: KEY_FORBIDDEN,
        lasts: AN_HOUR,
    },
    Row {
        name: "vault deleted where roles decide",
        given: ROLES_DECIDE,
        command_line: Way {
            revoke: &[Run("vault delete")],
            // The deletion has ended the role assignments.
            restore: &[Run("vault recover"), ASSIGN_ROLE],
        },
        data_plane: None,
        resource_manager: Some(Way {
            revoke: &[Manage("DELETE", "VAULT", "")],
            restore: &[RECOVER_VAULT, PUT_ASSIGNMENT],
        }),
        cause: "VaultDeleted",
        message: KEY_FORBIDDEN,
        lasts: AN_HOUR,
    },
];
