//! The operations of the vault: a table with one row for each.
//!
//! A row reads `NAME on TARGET, ACCESS, judged by RULE -> RECORDS: AUDIT`. ACCESS is an action of Resource Manager, a permission to the vault's keys, or mere network access to the vault. RULE is a function in `judgement` that
//! judges the target's state and returns the target's RECORDS. AUDIT has the name and URL for the audit log, and the
//! limit that counts the operation. [`KeyVault::authorize`](crate::KeyVault::authorize) applies ACCESS and RULE in
//! Azure's order and returns a [`Permit`], whose `run` carries the operation out.

mod charge;
mod judgement;
mod permit;
mod row;
mod target;

use sealock_core::{KeyIdentifier, Kid, VaultName};
use sealock_store::Record;

use self::row::Url;
pub(crate) use self::{
    judgement::{CreatableKey, KeyInVault, VersionInVault},
    row::{AUTHENTICATION, Access, Row},
};
pub use self::{
    permit::Permit,
    target::{AllVaults, ManagedVault, Target},
};
use crate::{
    KeyOperation, KeyPermission, Requester, Result, records::VaultRecord, service::Service,
    throttling::RequestType,
};

/// An operation of the vault. [The module](self) has all of them.
pub trait Operation: Send + Sync + 'static {
    /// The resource that the operation acts on.
    type Target: Target;
    /// The target's records, which the judgement reads.
    type Records: Send + Sync + 'static;
    /// The operation's data for the audit log and the limits.
    const ROW: Row;

    /// Permits the operation on the target now, or refuses it. The order is Azure's: vault, network, permission, key,
    /// state.
    fn judge(
        service: &Service,
        requester: &Requester,
        target: &Self::Target,
    ) -> impl Future<Output = Result<Self::Records>> + Send;
}

macro_rules! operations {
    ($(
        $(#[$doc:meta])*
        $name:ident on $target:ty, $access:ident $(($which:expr))?,
        judged by $rule:ident $(($use:expr))? -> $records:ty: $row:expr;
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl Operation for $name {
            type Target = $target;
            type Records = $records;
            const ROW: Row = $row.requiring(operations!(@access $access $($which)?));

            async fn judge(
                service: &Service,
                requester: &Requester,
                target: &$target,
            ) -> Result<$records> {
                let access = operations!(@grant $access (service, requester, target) $($which)?);
                judgement::$rule(service, access, target $(, $use)?).await
            }
        }
    )*};
    (@access manager $action:expr) => { Access::Management($action) };
    (@access permission $permission:expr) => { Access::Permission($permission) };
    (@access network) => { Access::Network };
    (@grant manager ($service:expr, $requester:expr, $target:expr) $action:expr) => {
        judgement::check_manager($service, $requester, $action, $target).await?
    };
    (@grant permission ($service:expr, $requester:expr, $target:expr) $permission:expr) => {
        judgement::permitted_vault($service, $requester, $target, $permission).await?
    };
    (@grant network ($service:expr, $requester:expr, $target:expr)) => {
        judgement::reached_vault($service, $requester, $target).await?
    };
}

const READ: &str = "Microsoft.KeyVault/vaults/read";
const WRITE: &str = "Microsoft.KeyVault/vaults/write";
const DELETE: &str = "Microsoft.KeyVault/vaults/delete";
const READ_DELETED: &str = "Microsoft.KeyVault/locations/deletedVaults/read";
const PURGE: &str = "Microsoft.KeyVault/locations/deletedVaults/purge/action";
const WRITE_POLICIES: &str = "Microsoft.KeyVault/vaults/accessPolicies/write";

operations! {
    /// Creates a vault.
    CreateVault on VaultName, manager(WRITE), judged by free_vault_name -> ():
        Row::new("VaultPut", Url::Arm(""));
    /// Lists all vaults by name, deleted ones included.
    ListVaults on AllVaults, manager(READ), judged by access_alone -> ():
        Row::new("VaultGet", Url::Arm(""));
    /// Shows a vault, even a deleted one.
    GetVault on ManagedVault, manager(READ), judged by existing_vault -> Record<VaultRecord>:
        Row::new("VaultGet", Url::Arm(""));
    /// Creates a vault, or replaces all settings of an existing one.
    PutVault on ManagedVault, manager(WRITE), judged by creatable_vault -> Option<Record<VaultRecord>>:
        Row::new("VaultPut", Url::Arm(""));
    /// Changes some settings of a vault.
    PatchVault on ManagedVault, manager(WRITE), judged by changeable_vault -> Record<VaultRecord>:
        Row::new("VaultPatch", Url::Arm(""));
    /// Shows a deleted vault.
    GetDeletedVault on ManagedVault, manager(READ_DELETED), judged by deleted_vault -> Record<VaultRecord>:
        Row::new("VaultGetDeleted", Url::DeletedVault(""));
    /// Changes a vault's settings and its firewall.
    UpdateVault on ManagedVault, manager(WRITE), judged by active_vault -> Record<VaultRecord>:
        Row::new("VaultPatch", Url::Arm(""));
    /// Soft-deletes a vault. Its keys cannot be used until it is recovered.
    DeleteVault on ManagedVault, manager(DELETE), judged by changeable_vault -> Record<VaultRecord>:
        Row::new("VaultDelete", Url::Arm(""));
    /// Recovers a deleted vault with all its content.
    RecoverVault on ManagedVault, manager(WRITE), judged by deleted_vault -> Record<VaultRecord>:
        Row::new("VaultRecover", Url::Arm(""));
    /// Purges a deleted vault and all its keys.
    PurgeVault on ManagedVault, manager(PURGE), judged by purgeable_vault -> Record<VaultRecord>:
        Row::new("VaultPurge", Url::DeletedVault("/purge")).answering(202);
    /// Lists a vault's access policies.
    ListPolicies on ManagedVault, manager(READ), judged by active_vault -> Record<VaultRecord>:
        Row::new("VaultGet", Url::Arm(""));
    /// Gives a principal permissions, in addition to those that it has.
    GrantPermissions on ManagedVault, manager(WRITE_POLICIES), judged by changeable_vault -> Record<VaultRecord>:
        Row::new("VaultPatch", Url::Arm("/accessPolicies/add"));
    /// Takes permissions from a principal.
    RevokePermissions on ManagedVault, manager(WRITE_POLICIES), judged by changeable_vault -> Record<VaultRecord>:
        Row::new("VaultPatch", Url::Arm("/accessPolicies/remove"));

    /// Adds permissions to access policies.
    AddPolicies on ManagedVault, manager(WRITE_POLICIES), judged by changeable_vault -> Record<VaultRecord>:
        Row::new("VaultPatch", Url::Arm("/accessPolicies/add"));
    /// Replaces access policies of some principals.
    ReplacePolicies on ManagedVault, manager(WRITE_POLICIES), judged by changeable_vault -> Record<VaultRecord>:
        Row::new("VaultPatch", Url::Arm("/accessPolicies/replace"));
    /// Removes permissions from access policies.
    RemovePolicies on ManagedVault, manager(WRITE_POLICIES), judged by changeable_vault -> Record<VaultRecord>:
        Row::new("VaultPatch", Url::Arm("/accessPolicies/remove"));

    /// Creates a key, or a new version of an existing one.
    CreateKey on KeyIdentifier, permission(KeyPermission::Create), judged by creatable_key -> CreatableKey:
        Row::new("KeyCreate", Url::Key("/create")).counted_as(RequestType::Create).charged_by_new_key();
    /// Imports a key, or a new version of an existing one.
    ImportKey on KeyIdentifier, permission(KeyPermission::Import), judged by creatable_key -> CreatableKey:
        Row::new("KeyImport", Url::Key("")).counted_as(RequestType::Import);
    /// Makes a new version of the same type and size. Older ones stay as they are.
    RotateKey on KeyIdentifier, permission(KeyPermission::Rotate), judged by active_key -> KeyInVault:
        Row::new("KeyRotate", Url::Key("/rotate")).counted_as(RequestType::Create);
    /// Makes a new version if the rotation policy makes one due.
    RotateKeyIfDue on KeyIdentifier, permission(KeyPermission::Rotate), judged by active_key -> KeyInVault:
        Row::new("KeyRotateIfDue", Url::Key("")).scheduled();
    /// Shows a key version, even a disabled one; without a version, the current.
    GetKey on KeyIdentifier, permission(KeyPermission::Get), judged by active_version -> VersionInVault:
        Row::new("KeyGet", Url::Key(""));
    /// Shows a key with all its versions, even a deleted one.
    GetWholeKey on KeyIdentifier, permission(KeyPermission::Get), judged by existing_key -> KeyInVault:
        Row::new("KeyGet", Url::Key(""));
    /// Shows a deleted key.
    GetDeletedKey on KeyIdentifier, permission(KeyPermission::Get), judged by deleted_key -> KeyInVault:
        Row::new("KeyGetDeleted", Url::DeletedKey(""));
    /// Lists a page of a vault's keys.
    ListKeys on VaultName, permission(KeyPermission::List), judged by access_alone -> Record<VaultRecord>:
        Row::new("KeyList", Url::Keys(""));
    /// Lists a vault's keys with all their versions, deleted ones included.
    ListWholeKeys on VaultName, permission(KeyPermission::List), judged by access_alone -> Record<VaultRecord>:
        Row::new("KeyList", Url::Keys(""));
    /// Lists a page of a vault's deleted keys.
    ListDeletedKeys on VaultName, permission(KeyPermission::List), judged by access_alone -> Record<VaultRecord>:
        Row::new("KeyListDeleted", Url::DeletedKeys);
    /// Lists a page of a key's versions.
    ListVersions on KeyIdentifier, permission(KeyPermission::List), judged by access_alone -> Record<VaultRecord>:
        Row::new("KeyListVersions", Url::Key("/versions"));
    /// Changes a key version; without a version, the current.
    UpdateKey on KeyIdentifier, permission(KeyPermission::Update), judged by active_version -> VersionInVault:
        Row::new("KeyUpdate", Url::Key(""));
    /// Disables a key version, whatever the state of its vault and key.
    DisableVersion on Kid, manager(WRITE), judged by access_alone -> ():
        Row::new("KeyUpdate", Url::Key(""));
    /// Soft-deletes a key with all its versions.
    DeleteKey on KeyIdentifier, permission(KeyPermission::Delete), judged by active_key -> KeyInVault:
        Row::new("KeyDelete", Url::Key(""));
    /// Recovers a deleted key with its versions unchanged.
    RecoverKey on KeyIdentifier, permission(KeyPermission::Recover), judged by recoverable_key -> KeyInVault:
        Row::new("KeyRecover", Url::DeletedKey("/recover"));
    /// Purges a deleted key.
    PurgeKey on KeyIdentifier, permission(KeyPermission::Purge), judged by purgeable_key -> KeyInVault:
        Row::new("KeyPurge", Url::DeletedKey("")).answering(204);
    /// Seals a key with all its versions into a backup.
    BackUpKey on KeyIdentifier, permission(KeyPermission::Backup), judged by active_key -> KeyInVault:
        Row::new("KeyBackup", Url::Key("/backup"));
    /// Restores a key from its backup, if its name is free.
    RestoreKey on VaultName, permission(KeyPermission::Restore), judged by access_alone -> Record<VaultRecord>:
        Row::new("KeyRestore", Url::Keys("/restore"));
    /// Shows a key's rotation policy.
    GetRotationPolicy on KeyIdentifier, permission(KeyPermission::GetRotationPolicy),
        judged by active_key -> KeyInVault: Row::new("KeyRotationPolicyGet", Url::Key("/rotationpolicy"));
    /// Sets a key's rotation policy.
    SetRotationPolicy on KeyIdentifier, permission(KeyPermission::SetRotationPolicy),
        judged by active_key -> KeyInVault: Row::new("KeyRotationPolicySet", Url::Key("/rotationpolicy"));
    /// Reports once that the current version of a key expires soon.
    ReportNearExpiry on KeyIdentifier, permission(KeyPermission::Update), judged by active_version -> VersionInVault:
        Row::new("KeyNearExpiryEventGridNotification", Url::Key("")).scheduled();
    /// Reports once that the current version of a key has expired.
    ReportExpiry on KeyIdentifier, permission(KeyPermission::Update), judged by active_version -> VersionInVault:
        Row::new("KeyExpiredEventGridNotification", Url::Key("")).scheduled();

    /// Encrypts a plaintext.
    Encrypt on KeyIdentifier, permission(KeyPermission::Encrypt),
        judged by usable_version(KeyOperation::Encrypt) -> VersionInVault: Row::new("KeyEncrypt", Url::Key("/encrypt"));
    /// Decrypts a ciphertext.
    Decrypt on KeyIdentifier, permission(KeyPermission::Decrypt),
        judged by usable_version(KeyOperation::Decrypt) -> VersionInVault: Row::new("KeyDecrypt", Url::Key("/decrypt"));
    /// Wraps another key.
    WrapKey on KeyIdentifier, permission(KeyPermission::WrapKey),
        judged by usable_version(KeyOperation::WrapKey) -> VersionInVault: Row::new("KeyWrap", Url::Key("/wrapkey"));
    /// Unwraps a wrapped key.
    UnwrapKey on KeyIdentifier, permission(KeyPermission::UnwrapKey),
        judged by usable_version(KeyOperation::UnwrapKey) -> VersionInVault: Row::new("KeyUnwrap", Url::Key("/unwrapkey"));
    /// Signs a digest.
    Sign on KeyIdentifier, permission(KeyPermission::Sign),
        judged by usable_version(KeyOperation::Sign) -> VersionInVault: Row::new("KeySign", Url::Key("/sign"));
    /// Verifies the signature of a digest.
    Verify on KeyIdentifier, permission(KeyPermission::Verify),
        judged by usable_version(KeyOperation::Verify) -> VersionInVault: Row::new("KeyVerify", Url::Key("/verify"));
    /// Releases a key, which the emulator does not support.
    ReleaseKey on KeyIdentifier, permission(KeyPermission::Release), judged by active_version -> VersionInVault:
        Row::new("KeyRelease", Url::Key("/release")).counted_as(RequestType::Create);
    /// Makes random bytes. This needs no permission, only network access to the vault.
    ///
    /// <https://learn.microsoft.com/rest/api/keyvault/keys/get-random-bytes/get-random-bytes>
    GetRandomBytes on VaultName, network, judged by access_alone -> Record<VaultRecord>:
        Row::new("RandomBytesGet", Url::Vault("rng"));
}
