use std::collections::BTreeMap;

use jiff::Timestamp;
use sealock_core::{ClientId, KeyName, KeyVersion, Kid, Location, PrincipalId, VaultName};
use sealock_entra::TrackedResource;

use crate::{
    EnabledFor, IpRule, KeyOperation, KeyType, NetworkRules, PolicyPermissions, PublicKey,
    ReleasePolicy, VaultSku, VirtualNetworkRule,
};

/// The life-cycle state of a vault or key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It can be used.
    Active,
    /// Its deletion is under way.
    Deleting,
    /// It is soft-deleted: it can only be recovered or purged.
    Deleted,
    /// Its recovery is under way.
    Recovering,
}

/// A vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vault {
    /// Its name.
    pub name: VaultName,
    /// Its ARM id.
    pub id: String,
    /// Its resource group, location, tags and history.
    pub resource: TrackedResource,
    /// `https://NAME.vault.HOST:PORT/`
    pub vault_uri: String,
    /// Active or deleted.
    pub state: State,
    /// Its tier.
    pub sku: VaultSku,
    /// True if roles grant permissions to its keys, false if access policies do. They also do so if no client has ever said,
    /// and Azure shows nothing then.
    pub rbac: Option<bool>,
    /// Its access policies, in the order of their author.
    pub policies: Vec<AccessPolicy>,
    /// The services of Azure that may read its secrets.
    pub enabled_for: EnabledFor,
    /// True if neither the vault nor its keys can be purged before their retention has passed.
    pub purge_protection: bool,
    /// The days for which a deleted vault or key can be recovered.
    pub soft_delete_retention_days: u16,
    /// Its firewall's settings.
    pub network: NetworkRules,
    /// The addresses that its firewall lets in.
    pub ip_rules: Vec<IpRule>,
    /// The subnets that its firewall lets in, which the emulator only keeps.
    pub virtual_network_rules: Vec<VirtualNetworkRule>,
    /// The region to which it is replicated, if there is one.
    pub replica_region: Option<Location>,
    /// The region that serves it.
    pub serving_region: Location,
    /// True if it serves from the region to which it is replicated, where it is read-only.
    pub failed_over: bool,
    /// The time of its deletion.
    pub deleted: Option<Timestamp>,
    /// The time of its purge.
    pub scheduled_purge: Option<Timestamp>,
}

/// A key and all its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The vault that holds it.
    pub vault: VaultName,
    /// Its name.
    pub name: KeyName,
    /// Its life-cycle state.
    pub state: State,
    /// The creation time of its first version.
    pub created: Timestamp,
    /// The time of its deletion.
    pub deleted: Option<Timestamp>,
    /// The time of its purge.
    pub scheduled_purge: Option<Timestamp>,
    /// The current version: the one that a request without a version uses.
    pub current: KeyBundle,
    /// The versions before it, newest first.
    pub older: Vec<KeyBundle>,
}

/// A key in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyItem {
    /// The current version.
    pub current: KeyBundle,
    /// The time of the key's deletion.
    pub deleted: Option<Timestamp>,
    /// The time of its purge.
    pub scheduled_purge: Option<Timestamp>,
}

/// A key version, without its private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyBundle {
    /// Its identifier.
    pub kid: Kid,
    /// Its type.
    pub kty: KeyType,
    /// Its size in bits.
    pub key_size: u32,
    /// The operations that it permits.
    pub key_ops: Vec<KeyOperation>,
    /// Its public half.
    pub public_key: PublicKey,
    /// Its attributes.
    pub attributes: KeyAttributes,
    /// Its key's release policy, if the key is exportable.
    pub release_policy: Option<ReleasePolicy>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// The attributes of a key version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyAttributes {
    /// True if it can be used.
    pub enabled: bool,
    /// The time from which it is valid, `nbf`.
    pub not_before: Option<Timestamp>,
    /// The time from which it is no longer valid, `exp`.
    pub expires: Option<Timestamp>,
    /// The time of its creation.
    pub created: Timestamp,
    /// The time of its last change.
    pub updated: Timestamp,
    /// The recovery settings of its vault.
    pub recovery: Recovery,
}

/// The recovery settings of a vault.
///
/// <https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The days for which a deleted vault or key can be recovered.
    pub days: u16,
    /// True if it cannot be purged before they have passed.
    pub purge_protection: bool,
}

/// An access policy: the permissions of one principal to a vault's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessPolicy {
    /// The principal.
    pub principal: PrincipalId,
    /// The application that must act on behalf of the principal. The emulator has no such tokens, so that the policy has
    /// no effect then.
    pub application: Option<ClientId>,
    /// The permissions.
    pub permissions: PolicyPermissions,
}

impl Key {
    /// Returns all versions, newest first.
    pub fn versions(&self) -> impl Iterator<Item = &KeyBundle> {
        [&self.current].into_iter().chain(&self.older)
    }

    /// Returns the version with this id.
    pub fn version(&self, version: &KeyVersion) -> Option<&KeyBundle> {
        self.versions()
            .find(|bundle| bundle.kid.version == *version)
    }
}

impl Recovery {
    /// Returns the `recoveryLevel`.
    ///
    /// <https://learn.microsoft.com/rest/api/keyvault/keys/get-key/get-key#deletionrecoverylevel>
    pub fn level(self) -> &'static str {
        match (self.days, self.purge_protection) {
            (90, true) => "Recoverable",
            (90, false) => "Recoverable+Purgeable",
            (_, true) => "CustomizedRecoverable",
            (_, false) => "CustomizedRecoverable+Purgeable",
        }
    }
}
