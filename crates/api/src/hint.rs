use schemars::JsonSchema;
use sealock_core::{ApplicationName, IdentityName, KeyName, KeyVersion, RegistryName, VaultName};
use serde::{Deserialize, Serialize};

use crate::{KeyOperation, KeyPermission};

/// A thing to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Hint {
    /// Do what the text says.
    Advice {
        /// A sentence without a full stop.
        text: String,
    },
    /// Ask again, and allow the purge.
    AllowPurge,
    /// Let the services that Azure trusts past the vault's firewall.
    AllowAzureServices {
        /// The vault.
        vault: VaultName,
    },
    /// Assign a role in a vault.
    AssignRole {
        /// The role's name.
        role: String,
        /// The principal.
        principal: NamedPrincipal,
        /// The vault. Null if the principal needs the role in a vault of the user's choice.
        vault: Option<VaultName>,
    },
    /// Wait until the deletion or recovery has taken its time, or advance the clock.
    AwaitDelay,
    /// Wait until the deletion has taken its time, or advance the clock, and then recover the key.
    AwaitDelayAndRecoverKey {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
    },
    /// Wait until the retention has passed, after which the vault or key is purged.
    AwaitRetention,
    /// Change the registry's key and identity.
    ChangeEncryption {
        /// The registry.
        registry: RegistryName,
    },
    /// Have the registry use another identity, one that may use the key.
    ChangeIdentity {
        /// The registry.
        registry: RegistryName,
    },
    /// Remove the blobs that no manifest refers to.
    CollectGarbage {
        /// The registry. Null for the default one.
        registry: Option<RegistryName>,
    },
    /// Create the application.
    CreateApplication {
        /// The application.
        application: ApplicationName,
    },
    /// Create the managed identity.
    CreateIdentity {
        /// The identity.
        identity: IdentityName,
    },
    /// Create the key.
    CreateKey {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
    },
    /// Create a vault that can have keys in hardware.
    CreatePremiumVault,
    /// Create the registry.
    CreateRegistry {
        /// The registry.
        registry: RegistryName,
    },
    /// Create the vault, and then restore a backup of the key.
    CreateVaultAndRestoreKey {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
    },
    /// Delete the key, which is not deleted, before it is purged.
    DeleteKey {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
    },
    /// Delete the vault, which is not deleted, before it is purged.
    DeleteVault {
        /// The vault.
        vault: VaultName,
    },
    /// Remove the files from the quarantine.
    EmptyQuarantine,
    /// Enable the registry's admin user.
    EnableAdmin {
        /// The registry.
        registry: RegistryName,
    },
    /// Enable the key version.
    EnableKey {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
        /// The version.
        version: KeyVersion,
    },
    /// Let the key version expire later.
    ExpireKeyLater {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
        /// The version.
        version: KeyVersion,
    },
    /// Let the vault fail back to its own region.
    FailBack {
        /// The vault.
        vault: VaultName,
    },
    /// Grant permissions in an access policy.
    GrantAccess {
        /// The vault.
        vault: VaultName,
        /// The principal.
        principal: NamedPrincipal,
        /// The permissions.
        permissions: Vec<KeyPermission>,
    },
    /// List the applications.
    ListApplications,
    /// List the managed identities.
    ListIdentities,
    /// List the keys of the vault, deleted ones included.
    ListKeys {
        /// The vault.
        vault: VaultName,
    },
    /// List the role assignments.
    ListRoleAssignments,
    /// List the scope maps of the registry.
    ListScopeMaps,
    /// List the tokens of the registry.
    ListTokens,
    /// List the vaults, deleted ones included.
    ListVaults,
    /// Name the registry's key and identity again.
    NameEncryption,
    /// Have the key version be for other operations.
    PermitOperations {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
        /// The version.
        version: KeyVersion,
        /// The operations that it is for then.
        operations: Vec<KeyOperation>,
    },
    /// Purge the deleted key.
    PurgeKey {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
    },
    /// Purge the deleted vault.
    PurgeVault {
        /// The vault.
        vault: VaultName,
    },
    /// Recover the deleted key.
    RecoverKey {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
    },
    /// Recover the deleted vault.
    RecoverVault {
        /// The vault.
        vault: VaultName,
    },
    /// Recover the deleted vault, and then the deleted key.
    RecoverVaultAndKey {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
    },
    /// Delete and purge the key, in whose place another one is to be restored.
    ReplaceKey {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
    },
    /// Restore a backup of the key.
    RestoreKey {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
    },
    /// See the refusals in the audit log.
    ShowAudit,
    /// See the key and its versions.
    ShowKey {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
    },
    /// See the state of everything.
    ShowStatus,
    /// See the vault, or choose another name.
    ShowVault {
        /// The vault.
        vault: VaultName,
    },
    /// Let the key version be valid from an earlier time on.
    StartKeyEarlier {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
        /// The version.
        version: KeyVersion,
    },
    /// Verify the stored content.
    Verify,
    /// A hint of another version of the emulator.
    #[serde(other, skip_serializing)]
    #[schemars(skip)]
    Unknown,
}

/// A principal that has a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NamedPrincipal {
    /// A managed identity.
    Identity(IdentityName),
    /// An application.
    Application(ApplicationName),
}
