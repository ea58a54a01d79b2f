use sealock_core::{KeyName, KeyVersion, Kid, TenantId, VaultName};
use sealock_entra::ManagedIdentity;

use crate::{KeyPermission, KeyUse, LOCATION};

/// Why the vault refused. Texts are Azure's where Azure's are public.
///
/// <https://learn.microsoft.com/azure/key-vault/general/rest-error-codes>
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No vault has this name.
    #[error("The key vault '{vault}' was not found.")]
    VaultNotFound {
        /// The name that was asked for.
        vault: VaultName,
    },
    /// The vault is soft-deleted: nothing in it can be reached until it is recovered.
    #[error("The key vault '{vault}' was not found: it is in a deleted but recoverable state.")]
    VaultDeleted {
        /// The deleted vault.
        vault: VaultName,
    },
    /// No deleted vault has this name.
    #[error("The specified deleted vault '{vault}' does not exist.")]
    DeletedVaultNotFound {
        /// The name that was asked for.
        vault: VaultName,
    },
    /// A vault of this name is there already.
    #[error("The vault name '{vault}' is already in use.")]
    VaultNameTaken {
        /// The name.
        vault: VaultName,
    },
    /// A deleted vault holds the name.
    #[error(
        "A vault with the same name already exists in deleted state. You need to either recover or purge existing key vault '{vault}'."
    )]
    VaultNameHeld {
        /// The deleted vault.
        vault: VaultName,
    },
    /// The vault may not be purged before its retention has passed.
    #[error(
        "Operation 'DeletedVaultPurge' is not allowed: purge protection is enabled for the vault '{vault}'."
    )]
    VaultPurgeProtected {
        /// The deleted vault.
        vault: VaultName,
    },
    /// The vault has no such key, or the key no such version.
    #[error("{}", key_not_found(.key, .version.as_ref()))]
    KeyNotFound {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
        /// The version, if one was asked for.
        version: Option<KeyVersion>,
    },
    /// The key is soft-deleted. Clients see [`KeyNotFound`](Self::KeyNotFound).
    #[error("{}", key_not_found(.key, .version.as_ref()))]
    KeyDeleted {
        /// The vault.
        vault: VaultName,
        /// The deleted key.
        key: KeyName,
        /// The version, if one was asked for.
        version: Option<KeyVersion>,
    },
    /// The vault has no deleted key of this name.
    #[error("Deleted Key not found: {key}")]
    DeletedKeyNotFound {
        /// The vault.
        vault: VaultName,
        /// The name that was asked for.
        key: KeyName,
    },
    /// A deleted key holds the name.
    #[error(
        "Key {key} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key can only be recovered or purged."
    )]
    ObjectIsDeletedButRecoverable {
        /// The vault.
        vault: VaultName,
        /// The deleted key.
        key: KeyName,
    },
    /// The key version is disabled.
    #[error("Operation {operation} is not allowed on a disabled key.")]
    KeyDisabled {
        /// The disabled version.
        kid: Kid,
        /// What was to be done with it.
        operation: KeyUse,
    },
    /// The key may not be purged before its retention has passed.
    #[error(
        "Operation \"purge\" is not allowed because purge protection is enabled for this vault. Key Vault service will automatically purge it after the retention period has passed.\r\nVault: {vault};location={LOCATION}"
    )]
    PurgeProtected {
        /// The vault.
        vault: VaultName,
        /// The deleted key.
        key: KeyName,
    },
    /// No access policy gives the caller this permission.
    #[error(
        "The user, group or application 'appid={};oid={};iss=https://sts.windows.net/{tenant}/' does not have keys {permission} permission on key vault '{vault};location={LOCATION}'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287",
        .identity.client_id,
        .identity.principal_id
    )]
    AccessDenied {
        /// Who was refused.
        identity: Box<ManagedIdentity>,
        /// The vault's tenant, whose tokens it takes.
        tenant: TenantId,
        /// What is missing.
        permission: KeyPermission,
        /// The vault.
        vault: VaultName,
    },
    /// Vaults and their access policies are the operator's to manage.
    #[error(
        "The client '{}' with object id '{}' does not have authorization to perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
        .identity.client_id,
        .identity.principal_id
    )]
    AuthorizationFailed {
        /// Who was refused.
        identity: Box<ManagedIdentity>,
        /// What it wanted to do.
        action: &'static str,
        /// The ARM id of what it wanted to do it to.
        scope: String,
    },
    /// A parameter is not what the operation takes.
    #[error("{0}")]
    BadParameter(String),
    /// Others changed the same thing again and again while this operation tried to.
    #[error("The resource was changed by other requests at the same time; retry later.")]
    ConcurrentChange,
    /// The store.
    #[error("the vault's storage failed: {0}")]
    Storage(#[from] sealock_store::Error),
    /// A stored private key is missing, or is not the one that this version was created with.
    #[error("the stored private key of {kid} is damaged: {why}")]
    Damaged {
        /// The key version.
        kid: Kid,
        /// What is wrong with it; never what is in it.
        why: &'static str,
    },
    /// The RSA implementation failed where no input can make it fail.
    #[error("RSA: {0}")]
    Rsa(#[from] rsa::Error),
    /// The ECDSA implementation failed where no input can make it fail.
    #[error("ECDSA: {0}")]
    Ecdsa(#[from] ecdsa::Error),
    /// The operation did not come to its end.
    #[error("the operation was interrupted: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
}

/// A result with the vault's error.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Azure's `error.code`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::VaultNotFound { .. } | Self::VaultDeleted { .. } => "VaultNotFound",
            Self::DeletedVaultNotFound { .. } => "DeletedVaultNotFound",
            Self::VaultNameTaken { .. } => "VaultAlreadyExists",
            Self::VaultNameHeld { .. } => "ConflictError",
            Self::VaultPurgeProtected { .. } => "MethodNotAllowed",
            Self::KeyNotFound { .. }
            | Self::KeyDeleted { .. }
            | Self::DeletedKeyNotFound { .. } => "KeyNotFound",
            Self::ObjectIsDeletedButRecoverable { .. } | Self::ConcurrentChange => "Conflict",
            Self::KeyDisabled { .. } | Self::PurgeProtected { .. } | Self::AccessDenied { .. } => {
                "Forbidden"
            }
            Self::AuthorizationFailed { .. } => "AuthorizationFailed",
            Self::BadParameter(_) => "BadParameter",
            Self::Storage(_)
            | Self::Damaged { .. }
            | Self::Rsa(_)
            | Self::Ecdsa(_)
            | Self::Interrupted(_) => "InternalServerError",
        }
    }

    /// Azure's `error.innererror.code`.
    pub fn inner_code(&self) -> Option<&'static str> {
        match self {
            Self::KeyDisabled { .. } => Some("KeyDisabled"),
            Self::AccessDenied { .. } => Some("AccessDenied"),
            Self::ObjectIsDeletedButRecoverable { .. } => Some("ObjectIsDeletedButRecoverable"),
            _ => None,
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::BadParameter(_) => 400,
            Self::KeyDisabled { .. }
            | Self::PurgeProtected { .. }
            | Self::AccessDenied { .. }
            | Self::AuthorizationFailed { .. } => 403,
            Self::VaultNotFound { .. }
            | Self::VaultDeleted { .. }
            | Self::DeletedVaultNotFound { .. }
            | Self::KeyNotFound { .. }
            | Self::KeyDeleted { .. }
            | Self::DeletedKeyNotFound { .. } => 404,
            Self::VaultPurgeProtected { .. } => 405,
            Self::VaultNameTaken { .. }
            | Self::VaultNameHeld { .. }
            | Self::ObjectIsDeletedButRecoverable { .. }
            | Self::ConcurrentChange => 409,
            Self::Storage(_)
            | Self::Damaged { .. }
            | Self::Rsa(_)
            | Self::Ecdsa(_)
            | Self::Interrupted(_) => 500,
        }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::VaultNotFound { .. } | Self::DeletedVaultNotFound { .. } => {
                "see the vaults, deleted ones included, with: sealock vault list".to_owned()
            }
            Self::VaultDeleted { vault } => {
                format!("recover it with: sealock vault recover {vault}")
            }
            Self::VaultNameTaken { vault } => {
                format!("choose another name, or see the vault with: sealock vault show {vault}")
            }
            Self::VaultNameHeld { vault } => format!(
                "recover it with: sealock vault recover {vault}; or, for good, remove it with: sealock vault purge {vault}"
            ),
            Self::VaultPurgeProtected { vault } => format!(
                "it is purged once its retention has passed; until then, recover it with: sealock vault recover {vault}"
            ),
            Self::KeyNotFound {
                vault,
                key,
                version: Some(_),
            } => format!("see its versions with: sealock key show {key} --vault {vault}"),
            Self::KeyNotFound { vault, .. } | Self::DeletedKeyNotFound { vault, .. } => format!(
                "see the vault's keys, deleted ones included, with: sealock key list --vault {vault}"
            ),
            Self::KeyDeleted { vault, key, .. } => {
                format!("recover it with: sealock key recover {key} --vault {vault}")
            }
            Self::ObjectIsDeletedButRecoverable { vault, key } => format!(
                "recover it with: sealock key recover {key} --vault {vault}; or, for good, remove it with: sealock key purge {key} --vault {vault}"
            ),
            Self::KeyDisabled { kid, .. } => format!(
                "enable it with: sealock key enable {} --vault {} --version {}",
                kid.key, kid.vault, kid.version
            ),
            Self::PurgeProtected { vault, key } => format!(
                "it is purged once its retention has passed; until then, recover it with: sealock key recover {key} --vault {vault}"
            ),
            Self::AccessDenied {
                identity,
                permission,
                vault,
                ..
            } => format!(
                "grant it with: sealock access grant --vault {vault} --identity {} --permissions {permission}",
                identity.name
            ),
            Self::ConcurrentChange => "try again".to_owned(),
            Self::Damaged { .. } => "restore the data directory from a copy".to_owned(),
            Self::AuthorizationFailed { .. }
            | Self::BadParameter(_)
            | Self::Storage(_)
            | Self::Rsa(_)
            | Self::Ecdsa(_)
            | Self::Interrupted(_) => return None,
        })
    }
}

fn key_not_found(key: &KeyName, version: Option<&KeyVersion>) -> String {
    let id = match version {
        Some(version) => format!("{key}/{version}"),
        None => key.to_string(),
    };
    format!(
        "A key with (name/id) {id} was not found in this key vault. If you recently deleted this key you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"
    )
}
