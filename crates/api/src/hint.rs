use schemars::JsonSchema;
use sealock_core::{
    ApplicationName, IdentityName, KeyName, KeyVersion, RegistryName, ScopeMapName, TokenName,
    VaultName,
};
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
    /// Assign a role to a principal.
    AssignAnyRole,
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
    /// Create the key, or a new version of it.
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
    /// Create the scope map.
    CreateScopeMap {
        /// The registry.
        registry: RegistryName,
        /// The scope map.
        scope_map: ScopeMapName,
    },
    /// Create the token.
    CreateToken {
        /// The registry.
        registry: RegistryName,
        /// The token.
        token: TokenName,
    },
    /// Create the vault.
    CreateVault {
        /// The vault.
        vault: VaultName,
    },
    /// Create the vault, and then restore a backup of the key.
    CreateVaultAndRestoreKey {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
    },
    /// Delete the managed identity.
    DeleteIdentity {
        /// The identity.
        identity: IdentityName,
    },
    /// Delete the key, which is not deleted, before it is purged.
    DeleteKey {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
    },
    /// Delete the registry.
    DeleteRegistry {
        /// The registry.
        registry: RegistryName,
    },
    /// Delete the scope map.
    DeleteScopeMap {
        /// The registry.
        registry: RegistryName,
        /// The scope map.
        scope_map: ScopeMapName,
    },
    /// Delete the token.
    DeleteToken {
        /// The registry.
        registry: RegistryName,
        /// The token.
        token: TokenName,
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
    /// Grant a principal permissions in an access policy.
    GrantAnyAccess {
        /// The vault.
        vault: VaultName,
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
    /// List the registries.
    ListRegistries,
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
    /// List the vaults, deleted ones included.
    ListVaults,
    /// Name the registry's key and identity again.
    NameEncryption,
    /// Name both a key and an identity.
    NameKeyAndIdentity,
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
    /// Take a role away from a principal.
    RemoveRole,
    /// Renew one of the passwords of the registry's admin user.
    RenewCredential {
        /// The registry.
        registry: RegistryName,
    },
    /// Renew one of the passwords of a token.
    RenewPassword {
        /// The registry.
        registry: RegistryName,
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
    /// Revoke permissions of a principal in an access policy.
    RevokeAnyAccess {
        /// The vault.
        vault: VaultName,
    },
    /// See the refusals in the audit log.
    ShowAudit,
    /// See the passwords of the registry's admin user.
    ShowCredentials {
        /// The registry.
        registry: RegistryName,
    },
    /// See the managed identity.
    ShowIdentity {
        /// The identity.
        identity: IdentityName,
    },
    /// See the key and its versions.
    ShowKey {
        /// The vault.
        vault: VaultName,
        /// The key.
        key: KeyName,
    },
    /// See the registry.
    ShowRegistry {
        /// The registry.
        registry: RegistryName,
    },
    /// See the scope map.
    ShowScopeMap {
        /// The registry.
        registry: RegistryName,
        /// The scope map.
        scope_map: ScopeMapName,
    },
    /// See the state of everything.
    ShowStatus,
    /// See the token.
    ShowToken {
        /// The registry.
        registry: RegistryName,
        /// The token.
        token: TokenName,
    },
    /// See how much the registry holds.
    ShowUsage {
        /// The registry.
        registry: RegistryName,
    },
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
    /// Change who may log in to the registry.
    UpdateRegistry {
        /// The registry.
        registry: RegistryName,
    },
    /// Change the token.
    UpdateToken {
        /// The registry.
        registry: RegistryName,
        /// The token.
        token: TokenName,
    },
    /// Change the vault.
    UpdateVault {
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

/// A principal that has a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NamedPrincipal {
    /// A managed identity.
    Identity(IdentityName),
    /// An application.
    Application(ApplicationName),
}
