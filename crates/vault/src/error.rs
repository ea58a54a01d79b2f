mod text;

use std::net::IpAddr;

use sealock_core::{KeyIdentifier, KeyName, KeyVersion, Kid, VaultName};
use sealock_entra::Principal;
use sealock_http::UnknownEndpoint;
use sealock_store::Fault;

use crate::{KeyOperation, KeyPermission, State, Unreachable, operation::LOCATION};

/// Why the vault refused. Texts are Azure's where Azure's are public.
///
/// <https://learn.microsoft.com/azure/key-vault/general/rest-error-codes>
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No vault has this name.
    #[error("Azure Key Vault '{vault}' does not exist.")]
    VaultNotFound {
        /// The name that was asked for.
        vault: VaultName,
    },
    /// The vault is soft-deleted: nothing in it can be reached until it is recovered.
    #[error("Azure Key Vault '{vault}' does not exist: it is in a deleted but recoverable state.")]
    VaultDeleted {
        /// The deleted vault.
        vault: VaultName,
    },
    /// No deleted vault has this name.
    #[error("The specified deleted vault '{vault}' does not exist.")]
    DeletedVaultNotFound {
        /// The name that was asked for.
        vault: VaultName,
        /// Whether a vault of this name is there and not deleted.
        is_active: bool,
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
    #[error("{}", text::key_not_found(.key, .version.as_ref()))]
    KeyNotFound {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
        /// The version, if one was asked for.
        version: Option<KeyVersion>,
    },
    /// The key is soft-deleted, or on its way there or back. Clients see [`KeyNotFound`](Self::KeyNotFound).
    #[error("{}", text::key_not_found(.key, .version.as_ref()))]
    KeyDeleted {
        /// The vault.
        vault: VaultName,
        /// The deleted key.
        key: KeyName,
        /// The version, if one was asked for.
        version: Option<KeyVersion>,
        /// Where it is in its life.
        state: State,
    },
    /// The vault has no deleted key of this name.
    #[error("Deleted Key not found: {key}")]
    DeletedKeyNotFound {
        /// The vault.
        vault: VaultName,
        /// The name that was asked for.
        key: KeyName,
        /// Whether a key of this name is there and not deleted.
        is_active: bool,
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
    /// The key is on its way to being deleted.
    #[error("Key {key} is currently being deleted and cannot be re-created; retry later.")]
    ObjectIsBeingDeleted {
        /// The key.
        key: KeyName,
    },
    /// The key is on its way back.
    #[error("Key {key} is currently being recovered and cannot be re-created; retry later.")]
    ObjectIsBeingRecovered {
        /// The key.
        key: KeyName,
    },
    /// A key on its way to being deleted can be neither recovered nor purged yet.
    #[error("Key is currently being deleted.")]
    StillBeingDeleted,
    /// A key on its way back can be neither recovered nor purged any more.
    #[error("Key is currently being recovered.")]
    StillBeingRecovered,
    /// A backup cannot replace a key that is there, deleted or not. The text is Azure's, from
    /// recordings of azure-sdk-for-js.
    #[error(
        "There was a conflict restoring the key '{uri}'. This can happen if either: a second key with the same name was created after the first key was deleted; thus trying to restore a key whose name is already in use. To fix this, rename the second key to something else so that the restore works. The second probable cause of this exception is when multiple operations are performed in parallel against the key. To avoid this error, perform operations against a key in a sequential manner."
    )]
    RestoreConflict {
        /// The key.
        key: KeyIdentifier,
        /// The URL of the backup's newest version.
        uri: String,
        /// Where it is in its life.
        state: State,
    },
    /// The key version is disabled.
    #[error("Operation {operation} is not allowed on a disabled key.")]
    KeyDisabled {
        /// The disabled version.
        kid: Kid,
        /// What was to be done with it.
        operation: KeyOperation,
    },
    /// The key version is not for this.
    #[error("Operation {operation} is not permitted on this key.")]
    KeyOperationForbidden {
        /// The version.
        kid: Kid,
        /// What was to be done with it.
        operation: KeyOperation,
    },
    /// The key version's time has not come.
    #[error("Operation {operation} is not allowed on a key that is not yet valid.")]
    KeyNotYetValid {
        /// The version.
        kid: Kid,
        /// What was to be done with it.
        operation: KeyOperation,
    },
    /// The key version's time is over.
    #[error("Operation {operation} is not allowed on an expired key.")]
    KeyExpired {
        /// The version.
        kid: Kid,
        /// What was to be done with it.
        operation: KeyOperation,
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
        "The user, group or application '{}' does not have keys {permission} permission on key vault '{vault};location={LOCATION}'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287",
        text::caller(.principal)
    )]
    ForbiddenByPolicy {
        /// Who was refused.
        principal: Box<Principal>,
        /// What is missing.
        permission: KeyPermission,
        /// The vault.
        vault: VaultName,
    },
    /// No role of the caller's permits this.
    #[error(
        "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\nCaller: {}\r\nAction: '{action}'\r\nResource: '{}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null \r\nVault: {vault};location={LOCATION}\r\n",
        text::caller(.principal),
        .resource.to_lowercase()
    )]
    ForbiddenByRbac {
        /// Who was refused.
        principal: Box<Principal>,
        /// What it wanted to do.
        action: &'static str,
        /// The ARM id of what it wanted to do it to.
        resource: String,
        /// The vault.
        vault: VaultName,
    },
    /// The vault cannot be reached from there.
    #[error("{}", text::unreachable(*.why, *.address, .principal, .vault))]
    Unreachable {
        /// Why not.
        why: Unreachable,
        /// From where.
        address: IpAddr,
        /// Who was refused.
        principal: Box<Principal>,
        /// The vault.
        vault: VaultName,
    },
    /// The vault serves from its paired region, where nothing can be changed.
    #[error(
        "The vault '{vault}' has failed over to its paired region and is read-only until it has failed back."
    )]
    FailedOver {
        /// The vault.
        vault: VaultName,
    },
    /// The vault has served its clients as much as it may within ten seconds.
    #[error(
        "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached"
    )]
    Throttled {
        /// In how many seconds it can serve this.
        retry_after: i64,
    },
    /// Vaults and their access policies are the operator's to manage.
    #[error(
        "The client '{}' with object id '{}' does not have authorization to perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
        .principal.client_id(),
        .principal.principal_id()
    )]
    AuthorizationFailed {
        /// Who was refused.
        principal: Box<Principal>,
        /// What it wanted to do.
        action: &'static str,
        /// The ARM id of what it wanted to do it to.
        scope: String,
    },
    /// Whoever asks could not be told. An `AKV1xxxx` text says why.
    #[error("{0}")]
    Unauthorized(String),
    /// No endpoint has this path.
    #[error("'{0}' is not an endpoint of the vault.")]
    NotAnEndpoint(String),
    /// The endpoint does not know this method.
    #[error("The method {method} is not allowed here; allowed is {allowed}.")]
    MethodNotAllowed {
        /// The request's.
        method: String,
        /// The endpoint's.
        allowed: String,
    },
    /// A vault has no contacts for its certificates, as it has no certificates.
    #[error("Contacts not found")]
    ContactsNotFound,
    /// A parameter is not what the operation takes.
    #[error("{0}")]
    BadParameter(String),
    /// No vault has keys of this type.
    #[error("Invalid kty value: {kty}")]
    KeyTypeNotSupported {
        /// The type that was named, if it is short.
        kty: String,
    },
    /// No vault has keys of this type in this size.
    #[error("Unsupported key size ({size}). Supported sizes are [{}]", text::separated(.supported))]
    KeySizeNotSupported {
        /// The size that was asked for, in bits.
        size: u32,
        /// The sizes that there are, in bits.
        supported: &'static [u32],
    },
    /// Keys in hardware are for vaults of the premium tier.
    #[error("Hardware key operation not allowed on standard vault")]
    HardwareKeyInStandardVault,
    /// An imported key lacks a member that keys of its type have.
    #[error("The property \"key\" must be a valid JsonWebKey object.")]
    JsonWebKeyIncomplete {
        /// The member.
        missing: &'static str,
    },
    /// The members of an imported key are not those of one RSA key.
    #[error("RSA key is not valid - cannot instantiate crypto service")]
    RsaKeyInvalid {
        /// The fault, without anything of the key.
        why: &'static str,
    },
    /// Nothing can be restored from this. The text is Azure's.
    #[error("Backup blob is corrupt.")]
    BackupCorrupt,
    /// Not what this vault can decrypt. The text is Azure's:
    /// <https://github.com/MicrosoftDocs/azure-docs/issues/107520>
    #[error("Cannot decrypt backup blob.")]
    BackupNotDecrypted {
        /// Its origin or its fault, and the way out.
        why: &'static str,
    },
    /// There are too many tags, or one is too long. The text is Azure's, without a name and with
    /// two spaces: <https://github.com/hashicorp/terraform-provider-azurerm/issues/16780>
    #[error("{PROPERTY_INVALID}")]
    TagsInvalid {
        /// The limits that a key's tags have.
        why: String,
    },
    /// Azure can do it; the emulator cannot.
    #[error("The emulator does not support {0}.")]
    NotSupported(&'static str),
    /// Others changed the same thing again and again while this operation tried to.
    #[error("The resource was changed by other requests at the same time; retry later.")]
    ConcurrentChange,
    /// The store.
    #[error("the vault's storage failed: {0}")]
    Storage(#[source] sealock_store::Error),
    /// The directory of identities.
    #[error("the directory failed: {0}")]
    Directory(#[from] sealock_entra::Error),
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
    /// What is plain data could not be written.
    #[error("JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The operation did not come to its end.
    #[error("the operation was interrupted: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
}

/// A result with the vault's error.
pub type Result<T> = std::result::Result<T, Error>;

impl From<UnknownEndpoint> for Error {
    fn from(UnknownEndpoint(path): UnknownEndpoint) -> Self {
        Self::NotAnEndpoint(path)
    }
}

impl From<sealock_store::Error> for Error {
    fn from(error: sealock_store::Error) -> Self {
        match error {
            sealock_store::Error::Overtaken => Self::ConcurrentChange,
            error => Self::Storage(error),
        }
    }
}

impl Error {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status_and_code().0
    }

    /// Azure's `error.code`.
    pub fn code(&self) -> &'static str {
        self.status_and_code().1
    }

    /// The fault of the disk, if that is the cause.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::Storage(error) | Self::Directory(sealock_entra::Error::Store(error)) => {
                error.fault()
            }
            _ => None,
        }
    }

    fn status_and_code(&self) -> (u16, &'static str) {
        match self {
            error if error.fault().is_some() => (503, "ServiceUnavailable"),
            Self::BadParameter(_)
            | Self::KeyTypeNotSupported { .. }
            | Self::KeySizeNotSupported { .. }
            | Self::HardwareKeyInStandardVault
            | Self::JsonWebKeyIncomplete { .. }
            | Self::RsaKeyInvalid { .. }
            | Self::TagsInvalid { .. } => (400, "BadParameter"),
            Self::BackupCorrupt | Self::BackupNotDecrypted { .. } => (400, "Malformed backup blob"),
            Self::Unauthorized(_) => (401, "Unauthorized"),
            Self::KeyDisabled { .. }
            | Self::KeyOperationForbidden { .. }
            | Self::KeyNotYetValid { .. }
            | Self::KeyExpired { .. }
            | Self::PurgeProtected { .. }
            | Self::ForbiddenByPolicy { .. }
            | Self::ForbiddenByRbac { .. }
            | Self::Unreachable { .. }
            | Self::FailedOver { .. } => (403, "Forbidden"),
            Self::AuthorizationFailed { .. } => (403, "AuthorizationFailed"),
            Self::VaultNotFound { .. } | Self::VaultDeleted { .. } => (404, "VaultNotFound"),
            Self::DeletedVaultNotFound { .. } => (404, "DeletedVaultNotFound"),
            Self::KeyNotFound { .. }
            | Self::KeyDeleted { .. }
            | Self::DeletedKeyNotFound { .. } => (404, "KeyNotFound"),
            Self::ContactsNotFound => (404, "ContactsNotFound"),
            Self::NotAnEndpoint(_) => (404, "NotFound"),
            Self::VaultPurgeProtected { .. } | Self::MethodNotAllowed { .. } => {
                (405, "MethodNotAllowed")
            }
            Self::VaultNameTaken { .. } => (409, "VaultAlreadyExists"),
            Self::VaultNameHeld { .. } => (409, "ConflictError"),
            Self::ObjectIsDeletedButRecoverable { .. }
            | Self::ObjectIsBeingDeleted { .. }
            | Self::ObjectIsBeingRecovered { .. }
            | Self::StillBeingDeleted
            | Self::StillBeingRecovered
            | Self::RestoreConflict { .. }
            | Self::ConcurrentChange => (409, "Conflict"),
            Self::Throttled { .. } => (429, "Throttled"),
            Self::NotSupported(_) => (501, "NotSupportedByEmulator"),
            Self::Storage(_)
            | Self::Directory(_)
            | Self::Damaged { .. }
            | Self::Rsa(_)
            | Self::Ecdsa(_)
            | Self::Json(_)
            | Self::Interrupted(_) => (500, "InternalServerError"),
        }
    }

    /// Azure's `error.innererror.code`.
    pub fn inner_code(&self) -> Option<&'static str> {
        match self {
            Self::KeyTypeNotSupported { .. } => Some("KeyTypeNotSupported"),
            Self::KeySizeNotSupported { .. } => Some("KeySizeNotSupported"),
            Self::KeyDisabled { .. } => Some("KeyDisabled"),
            Self::KeyOperationForbidden { .. } => Some("KeyOperationForbidden"),
            Self::KeyNotYetValid { .. } => Some("KeyNotYetValid"),
            Self::KeyExpired { .. } => Some("KeyExpired"),
            Self::ForbiddenByPolicy { .. } => Some("ForbiddenByPolicy"),
            Self::ForbiddenByRbac { .. } => Some("ForbiddenByRbac"),
            Self::Unreachable { why, .. } => Some(match why {
                Unreachable::PublicAccessDisabled => "ForbiddenByConnection",
                Unreachable::AddressNotAuthorized | Unreachable::BypassDisabled => {
                    "ForbiddenByFirewall"
                }
            }),
            Self::FailedOver { .. } => Some("VaultIsReadOnly"),
            Self::ObjectIsDeletedButRecoverable { .. } => Some("ObjectIsDeletedButRecoverable"),
            Self::ObjectIsBeingDeleted { .. } | Self::StillBeingDeleted => {
                Some("ObjectIsBeingDeleted")
            }
            Self::ObjectIsBeingRecovered { .. } | Self::StillBeingRecovered => {
                Some("ObjectIsBeingRecovered")
            }
            _ => None,
        }
    }
}

/// Azure's text for a property that is not what it must be. It lacks the name, and so has two spaces.
pub(crate) const PROPERTY_INVALID: &str = "Property  has invalid value\r\n";

/// How long a word can be that one of a key's few words was to be.
const WORD_LIMIT: usize = 16;

/// A word that a client wrote where one of a few is expected. A longer one is not quoted: it may be key material
/// in the wrong place, and what is told is recorded, too.
pub(crate) fn quotable(word: &str) -> &str {
    if word.len() <= WORD_LIMIT {
        word
    } else {
        "..."
    }
}
