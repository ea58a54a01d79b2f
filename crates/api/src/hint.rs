use schemars::JsonSchema;
use sealock_core::{ApplicationName, IdentityName, KeyName, KeyVersion, RegistryName, VaultName};
use serde::{Deserialize, Serialize};

use crate::{KeyOperation, KeyPermission};

/// A suggestion for the next step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Hint {
    /// Follow the advice.
    Advice {
        /// A sentence without a full stop.
        text: String,
    },
    /// Repeat the request with permission to purge.
    AllowPurge,
    /// Let trusted Azure services through the vault's firewall.
    AllowAzureServices {
        /// The vault.
        vault: VaultName,
    },
    /// Let every address through the vault's firewall.
    AllowAllAddresses {
        /// The vault.
        vault: VaultName,
    },
    /// Assign the identity to the registry.
    AssignIdentity {
        /// The registry.
        registry: RegistryName,
        /// The identity.
        identity: IdentityName,
    },
    /// Assign a role in a vault.
    AssignRole {
        /// The role's name.
        role: String,
        /// The principal.
        principal: NamedPrincipal,
        /// The vault. Null if the user chooses it.
        vault: Option<VaultName>,
    },
    /// Wait until the deletion or recovery completes, or advance the clock.
    AwaitDelay,
    /// Wait until the deletion completes, or advance the clock. Then recover the key.
    AwaitDelayAndRecoverKey {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
    },
    /// Wait for the end of the retention, when the vault or key is purged.
    AwaitRetention,
    /// Change the registry's key and identity.
    ChangeEncryption {
        /// The registry.
        registry: RegistryName,
    },
    /// Assign another identity to the registry, which may use the key.
    ChangeIdentity {
        /// The registry.
        registry: RegistryName,
    },
    /// Remove the blobs that no manifest refers to.
    CollectGarbage {
        /// The registry. Null for the default registry.
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
    /// Create the key or a new version of it.
    CreateKey {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
    },
    /// Create a vault that supports HSM keys.
    CreatePremiumVault,
    /// Create the registry.
    CreateRegistry {
        /// The registry.
        registry: RegistryName,
    },
    /// Create the vault.
    CreateVault {
        /// The vault.
        vault: VaultName,
    },
    /// Create the vault. Then restore a backup of the key.
    CreateVaultAndRestoreKey {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
    },
    /// Delete the key. Only a deleted key can be purged.
    DeleteKey {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
    },
    /// Delete the vault. Only a deleted vault can be purged.
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
    /// Postpone the expiry of the key version.
    ExpireKeyLater {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
        /// The version.
        version: KeyVersion,
    },
    /// Fail the vault back to its own region.
    FailBack {
        /// The vault.
        vault: VaultName,
    },
    /// Let the registry follow its key's current version.
    FollowKey {
        /// The registry.
        registry: RegistryName,
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
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
    /// List the keys of the vault, including deleted ones.
    ListKeys {
        /// The vault.
        vault: VaultName,
    },
    /// List the operations of Resource Manager.
    ListOperations,
    /// List the registries.
    ListRegistries,
    /// List the identities of the registry.
    ListRegistryIdentities {
        /// The registry.
        registry: RegistryName,
    },
    /// List the role assignments.
    ListRoleAssignments,
    /// List the scope maps of the registry.
    ListScopeMaps {
        /// The registry.
        registry: RegistryName,
    },
    /// List the tokens of the registry.
    ListTokens {
        /// The registry.
        registry: RegistryName,
    },
    /// List the vaults, including deleted ones.
    ListVaults,
    /// Create a vault with a key, and move the registry to that key.
    MoveToNewVault {
        /// The registry.
        registry: RegistryName,
        /// The name for the key.
        key: KeyName,
        /// The registry's identity.
        identity: IdentityName,
    },
    /// Repeat the request with the registry's key and identity.
    NameEncryption,
    /// Name both a key and an identity.
    NameKeyAndIdentity,
    /// Permit more operations with the key version.
    PermitOperations {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
        /// The version.
        version: KeyVersion,
        /// The permitted operations.
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
    /// Recover the deleted vault. Then recover the deleted key.
    RecoverVaultAndKey {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
    },
    /// Remove a role at a scope.
    RemoveRole {
        /// The role's name.
        role: String,
        /// The principal.
        principal: NamedPrincipal,
        /// The ARM id of the resource, resource group or subscription.
        scope: String,
    },
    /// Delete and purge the key, so that the backup can be restored.
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
    /// Revoke permissions in an access policy.
    RevokeAccess {
        /// The vault.
        vault: VaultName,
        /// The principal.
        principal: NamedPrincipal,
        /// The permissions.
        permissions: Vec<KeyPermission>,
    },
    /// Set a rotation policy that rotates the key every 18 months.
    RotateByPolicy {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
    },
    /// Create a new version of the key.
    RotateKey {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
    },
    /// Look for the refusals in the audit log.
    ShowAudit,
    /// Show the key and its versions.
    ShowKey {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
    },
    /// Show the status of the emulator.
    ShowStatus,
    /// Show the vault, or choose another name.
    ShowVault {
        /// The vault.
        vault: VaultName,
    },
    /// Make the key version valid earlier.
    StartKeyEarlier {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
        /// The version.
        version: KeyVersion,
    },
    /// Turn the vault's purge protection on, for good.
    TurnOnPurgeProtection {
        /// The vault.
        vault: VaultName,
    },
    /// Verify the stored content.
    Verify,
    /// A hint of another version of the emulator.
    #[serde(other, skip_serializing)]
    #[schemars(skip)]
    Unknown,
}

/// A principal by its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NamedPrincipal {
    /// A managed identity.
    Identity(IdentityName),
    /// An application.
    Application(ApplicationName),
}
