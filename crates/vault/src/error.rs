mod codes;
mod text;

use std::net::IpAddr;

use sealock_core::{
    KeyIdentifier, KeyName, KeyVersion, Kid, Location, ResourceGroupName, VaultName,
};
use sealock_entra::Principal;
use sealock_http::UnknownEndpoint;
use sealock_store::Fault;

use crate::{KeyOperation, KeyPermission, State, UnreachableReason};

/// A refusal or fault of the vault. The texts are Azure's where those are public.
///
/// <https://learn.microsoft.com/azure/key-vault/general/rest-error-codes>
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No vault has this name.
    #[error("Azure Key Vault '{vault}' does not exist.")]
    VaultNotFound {
        /// The requested name.
        vault: VaultName,
    },
    /// The vault is soft-deleted. Its keys cannot be used until it is recovered.
    #[error("Azure Key Vault '{vault}' does not exist: it is in a deleted but recoverable state.")]
    VaultDeleted {
        /// The deleted vault.
        vault: VaultName,
    },
    /// No deleted vault has this name.
    #[error("The specified deleted vault '{vault}' does not exist.")]
    DeletedVaultNotFound {
        /// The requested name.
        vault: VaultName,
        /// True if an active vault has this name.
        is_active: bool,
    },
    /// An active vault has this name.
    #[error(
        "The vault name '{vault}' is already in use. Vault names are globally unique so it is possible that the name is already taken. If you are sure that the vault name was not taken then it is possible that a vault with the same name was recently deleted but not purged after being placed in a recoverable state. If the vault is in a recoverable state then the vault will need to be purged before reusing the name. For more information about VaultAlreadyExists, soft delete and purging a vault follow this link https://go.microsoft.com/fwlink/?linkid=2147740."
    )]
    VaultNameTaken {
        /// The name.
        vault: VaultName,
    },
    /// The vault is in another region. The text is Resource Manager's.
    #[error(
        "The resource '{vault}' already exists in location '{location}' in resource group '{group}'. A resource with the same name cannot be created in location '{requested}'. Please select a new resource name."
    )]
    VaultElsewhere {
        /// The vault.
        vault: VaultName,
        /// Its resource group.
        group: ResourceGroupName,
        /// Its region.
        location: Location,
        /// The requested region.
        requested: Location,
    },
    /// A deleted vault has this name.
    #[error(
        "A vault with the same name already exists in deleted state. You need to either recover or purge existing key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft delete."
    )]
    VaultNameReserved {
        /// The deleted vault.
        vault: VaultName,
    },
    /// Purge protection forbids purging the vault before its retention has passed.
    #[error("Operation 'DeletedVaultPurge' is not allowed.")]
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
        /// The version, if the request names one.
        version: Option<KeyVersion>,
    },
    /// The key is deleted, or its deletion or recovery is under way. Clients see [`KeyNotFound`](Self::KeyNotFound).
    #[error("{}", text::key_not_found(.key, .version.as_ref()))]
    KeyDeleted {
        /// The vault.
        vault: VaultName,
        /// The deleted key.
        key: KeyName,
        /// The version, if the request names one.
        version: Option<KeyVersion>,
        /// Its life-cycle state.
        state: State,
    },
    /// The vault has no deleted key of this name.
    #[error("Deleted Key not found: {key}")]
    DeletedKeyNotFound {
        /// The vault.
        vault: VaultName,
        /// The requested name.
        key: KeyName,
        /// True if an active key has this name.
        is_active: bool,
    },
    /// A deleted key has this name.
    #[error(
        "Key {key} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key can only be recovered or purged."
    )]
    ObjectIsDeletedButRecoverable {
        /// The vault.
        vault: VaultName,
        /// The deleted key.
        key: KeyName,
    },
    /// The key's deletion is under way.
    #[error("Key {key} is currently being deleted and cannot be re-created; retry later.")]
    ObjectIsBeingDeleted {
        /// The key.
        key: KeyName,
    },
    /// The key's recovery is under way.
    #[error("Key {key} is currently being recovered and cannot be re-created; retry later.")]
    ObjectIsBeingRecovered {
        /// The key.
        key: KeyName,
    },
    /// The key cannot be recovered or purged while its deletion is under way.
    #[error("Key is currently being deleted.")]
    StillBeingDeleted,
    /// The key cannot be recovered or purged while its recovery is under way.
    #[error("Key is currently being recovered.")]
    StillBeingRecovered,
    /// A key, deleted or not, has the name of the backup's key. The text is Azure's, from recordings of azure-sdk-for-js.
    #[error(
        "There was a conflict restoring the key '{uri}'. This can happen if either: a second key with the same name was created after the first key was deleted; thus trying to restore a key whose name is already in use. To fix this, rename the second key to something else so that the restore works. The second probable cause of this exception is when multiple operations are performed in parallel against the key. To avoid this error, perform operations against a key in a sequential manner."
    )]
    RestoreConflict {
        /// The key.
        key: KeyIdentifier,
        /// The URL of the backup's newest version.
        uri: String,
        /// Its life-cycle state.
        state: State,
    },
    /// The key version is disabled.
    #[error("Operation {operation} is not allowed on a disabled key.")]
    KeyDisabled {
        /// The disabled version.
        kid: Kid,
        /// The requested operation.
        operation: KeyOperation,
    },
    /// The key version's `key_ops` do not permit the operation.
    #[error("Operation {operation} is not permitted on this key.")]
    KeyOperationForbidden {
        /// The version.
        kid: Kid,
        /// The requested operation.
        operation: KeyOperation,
    },
    /// The key version is not valid yet.
    #[error("Operation {operation} is not allowed on a key that is not yet valid.")]
    KeyNotYetValid {
        /// The version.
        kid: Kid,
        /// The requested operation.
        operation: KeyOperation,
    },
    /// The key version has expired.
    #[error("Operation {operation} is not allowed on an expired key.")]
    KeyExpired {
        /// The version.
        kid: Kid,
        /// The requested operation.
        operation: KeyOperation,
    },
    /// Purge protection forbids purging the key before its retention has passed.
    #[error(
        "Operation \"purge\" is not allowed because purge protection is enabled for this vault. Key Vault service will automatically purge it after the retention period has passed.\r\nVault: {vault};location={location}"
    )]
    PurgeProtected {
        /// The vault.
        vault: VaultName,
        /// The vault's location.
        location: Location,
        /// The deleted key.
        key: KeyName,
    },
    /// No access policy gives the caller this permission.
    #[error(
        "The user, group or application '{}' does not have keys {permission} permission on key vault '{vault};location={location}'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287",
        text::caller(.principal)
    )]
    ForbiddenByPolicy {
        /// The refused caller.
        principal: Box<Principal>,
        /// The missing permission.
        permission: KeyPermission,
        /// The vault.
        vault: VaultName,
        /// The vault's location.
        location: Location,
    },
    /// None of the caller's roles permits the action.
    #[error(
        "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\nCaller: {}\r\nAction: '{action}'\r\nResource: '{}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null \r\nVault: {vault};location={location}\r\n",
        text::caller(.principal),
        .resource.to_lowercase()
    )]
    ForbiddenByRbac {
        /// The refused caller.
        principal: Box<Principal>,
        /// The refused action.
        action: &'static str,
        /// The ARM id of the vault or key.
        resource: String,
        /// The vault.
        vault: VaultName,
        /// The vault's location.
        location: Location,
    },
    /// The vault's firewall refuses the client's address.
    #[error("{}", text::unreachable(*.why, *.address, .principal, .vault, .location))]
    Unreachable {
        /// The reason.
        why: UnreachableReason,
        /// The client's address.
        address: IpAddr,
        /// The refused caller.
        principal: Box<Principal>,
        /// The vault.
        vault: VaultName,
        /// The vault's location.
        location: Location,
    },
    /// The vault serves from its paired region, where it is read-only.
    #[error(
        "The vault '{vault}' has failed over to its paired region and is read-only until it has failed back."
    )]
    FailedOver {
        /// The vault.
        vault: VaultName,
    },
    /// The vault cannot fail over, because it is replicated to no other region.
    #[error(
        "A vault in the region '{location}' cannot fail over, because it is not replicated to another region."
    )]
    NoReplica {
        /// The vault's region.
        location: Location,
    },
    /// The vault has reached its limit of requests within ten seconds.
    #[error(
        "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached"
    )]
    Throttled {
        /// The seconds after which the vault can serve the request.
        retry_after: i64,
    },
    /// The caller is a principal, and only the operator manages vaults and their access policies.
    #[error(
        "The client '{}' with object id '{}' does not have authorization to perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
        .principal.client_id(),
        .principal.principal_id()
    )]
    AuthorizationFailed {
        /// The refused caller.
        principal: Box<Principal>,
        /// The refused action.
        action: &'static str,
        /// The ARM id of the vault or the subscription.
        scope: String,
    },
    /// The caller could not be authenticated. An `AKV1xxxx` text says why.
    #[error("{0}")]
    Unauthorized(String),
    /// No endpoint has this path.
    #[error("'{0}' is not an endpoint of the vault.")]
    NotAnEndpoint(String),
    /// The endpoint does not support this method.
    #[error("The method {method} is not allowed here; use {allowed}.")]
    MethodNotAllowed {
        /// The request's method.
        method: String,
        /// The endpoint's methods.
        allowed: String,
    },
    /// The vault has no contacts for certificates. The emulator has no certificates.
    #[error("Contacts not found")]
    ContactsNotFound,
    /// A property of a vault is missing or invalid, or cannot be changed to this value.
    #[error("{0}")]
    VaultPropertyInvalid(String),
    /// A parameter is missing or invalid.
    #[error("{0}")]
    BadParameter(String),
    /// No vault has keys of this type.
    #[error("Invalid kty value: {kty}")]
    KeyTypeNotSupported {
        /// The requested type, redacted if it is long.
        kty: String,
    },
    /// No vault has keys of this type and size.
    #[error("Unsupported key size ({size}). Supported sizes are [{}]", text::comma_separated(.supported))]
    KeySizeNotSupported {
        /// The requested size in bits.
        size: u32,
        /// The supported sizes in bits.
        supported: &'static [u32],
    },
    /// Only vaults of the premium tier have keys in hardware.
    #[error("Hardware key operation not allowed on standard vault")]
    HardwareKeyInStandardVault,
    /// A required member of an imported key is missing.
    #[error("The property \"key\" must be a valid JsonWebKey object.")]
    JsonWebKeyIncomplete {
        /// The missing member.
        missing: &'static str,
    },
    /// The members of an imported key do not form an RSA key.
    #[error("RSA key is not valid - cannot instantiate crypto service")]
    RsaKeyInvalid {
        /// The fault, without key material.
        why: &'static str,
    },
    /// The text is not a backup. The message is Azure's.
    #[error("Backup blob is corrupt.")]
    BackupCorrupt,
    /// The vault cannot decrypt the backup. The text is Azure's:
    /// <https://github.com/MicrosoftDocs/azure-docs/issues/107520>
    #[error("Cannot decrypt backup blob.")]
    BackupNotDecrypted {
        /// The advice to the operator.
        why: String,
    },
    /// A key has too many tags, or too long ones. The text is Azure's, without a name and with
    /// two spaces: <https://github.com/hashicorp/terraform-provider-azurerm/issues/16780>
    #[error("{PROPERTY_INVALID}")]
    TagsInvalid {
        /// The exceeded limit, as advice to the operator.
        why: String,
    },
    /// Azure supports this; the emulator does not.
    #[error("The emulator does not support {0}.")]
    NotSupported(&'static str),
    /// Concurrent requests kept changing the same records.
    #[error("The resource was changed by other requests at the same time; retry later.")]
    ConcurrentChange,
    /// The store failed.
    #[error("the vault's storage failed: {0}")]
    Storage(#[source] sealock_store::Error),
    /// The directory of identities failed.
    #[error("the directory failed: {0}")]
    Directory(#[from] sealock_entra::Error),
    /// A stored private key is missing, unreadable or another version's.
    #[error("the stored private key of {kid} is damaged: {why}")]
    Damaged {
        /// The key version.
        kid: Kid,
        /// The fault, without key material.
        why: &'static str,
    },
    /// The RSA implementation failed, which no input can cause.
    #[error("RSA: {0}")]
    Rsa(#[from] rsa::Error),
    /// The ECDSA implementation failed, which no input can cause.
    #[error("ECDSA: {0}")]
    Ecdsa(#[from] ecdsa::Error),
    /// A record could not be written as JSON, which no input can cause.
    #[error("JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The operation's task panicked or was cancelled.
    #[error("the operation was interrupted: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
}

/// A result with the vault's [`Error`].
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
    /// Returns the refusal of a property of a vault. The text is Azure's, as reported for `accessPolicies`:
    /// <https://github.com/Azure/azure-libraries-for-net/issues/361>
    pub fn invalid_vault_property(name: &str) -> Self {
        Self::VaultPropertyInvalid(format!("An invalid value was provided for '{name}'."))
    }

    /// Returns the HTTP status.
    pub fn status(&self) -> u16 {
        self.status_and_code().0
    }

    /// Returns Azure's `error.code`.
    pub fn code(&self) -> &'static str {
        self.status_and_code().1
    }

    /// Returns the fault of the disk, if that is the cause.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::Storage(error) | Self::Directory(sealock_entra::Error::Store(error)) => {
                error.fault()
            }
            _ => None,
        }
    }
}

/// Azure's text for an invalid property. It has two spaces where the property's name should be.
pub(crate) const PROPERTY_INVALID: &str = "Property  has invalid value\r\n";

/// The maximum length of a word that an error quotes.
const WORD_LIMIT: usize = 16;

/// Replaces a long word by dots. A long word in place of a keyword may be misplaced key material, which must not get into
/// an error or the audit log.
pub(crate) fn redact_long_word(word: &str) -> &str {
    if word.len() <= WORD_LIMIT {
        word
    } else {
        "..."
    }
}
