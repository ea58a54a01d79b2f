use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sealock_core::{KeyName, KeyVersion, Kid, PrincipalId, VaultName};

use crate::{
    IpRule, KeyOperation, KeyPermission, KeyType, NetworkRules, PublicKey, ReleasePolicy, VaultSku,
};

/// Where a vault or key is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It can be used.
    Active,
    /// It is on its way to being deleted.
    Deleting,
    /// It is soft-deleted: it can only be recovered or purged.
    Deleted,
    /// It is on its way back.
    Recovering,
}

/// A vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vault {
    /// Its name.
    pub name: VaultName,
    /// Its ARM id.
    pub id: String,
    /// `https://NAME.vault.HOST:PORT/`
    pub vault_uri: String,
    /// Active or deleted.
    pub state: State,
    /// Which keys it can have.
    pub sku: VaultSku,
    /// Whether roles decide who may do what, instead of access policies.
    pub rbac: bool,
    /// Whether nothing in it can be purged before its retention has passed.
    pub purge_protection: bool,
    /// For how many days what was deleted can be recovered.
    pub soft_delete_retention_days: u16,
    /// From where it can be reached.
    pub network: NetworkRules,
    /// The addresses that its firewall lets in.
    pub ip_rules: Vec<IpRule>,
    /// Whether it serves from its paired region, where nothing can be changed.
    pub failed_over: bool,
    /// When it was created.
    pub created: Timestamp,
    /// When it was deleted.
    pub deleted: Option<Timestamp>,
    /// When it will be purged.
    pub scheduled_purge: Option<Timestamp>,
}

/// A key and all its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The vault that holds it.
    pub vault: VaultName,
    /// Its name.
    pub name: KeyName,
    /// Where it is in its life.
    pub state: State,
    /// When the first version was created.
    pub created: Timestamp,
    /// When it was deleted.
    pub deleted: Option<Timestamp>,
    /// When it will be purged.
    pub scheduled_purge: Option<Timestamp>,
    /// The current version, which is meant when none is named.
    pub current: KeyBundle,
    /// The versions before it, newest first.
    pub older: Vec<KeyBundle>,
}

/// What a list tells of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyItem {
    /// The current version.
    pub current: KeyBundle,
    /// When the key was deleted.
    pub deleted: Option<Timestamp>,
    /// When it will be purged.
    pub scheduled_purge: Option<Timestamp>,
}

/// What a vault tells of a key version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyBundle {
    /// Which version it is.
    pub kid: Kid,
    /// Its type.
    pub kty: KeyType,
    /// Its size in bits.
    pub key_size: u32,
    /// What it is for.
    pub key_ops: Vec<KeyOperation>,
    /// Its public half.
    pub public_key: PublicKey,
    /// Whether and when it can be used.
    pub attributes: KeyAttributes,
    /// Its key's release policy, if that is exportable.
    pub release_policy: Option<ReleasePolicy>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// Whether and when a key version can be used, and what becomes of it when it is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyAttributes {
    /// Whether it can be used.
    pub enabled: bool,
    /// From when on, `nbf`.
    pub not_before: Option<Timestamp>,
    /// Until when, `exp`.
    pub expires: Option<Timestamp>,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// What its vault does with what was deleted.
    pub recovery: Recovery,
}

/// What a vault does with what was deleted.
///
/// <https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// For how many days it can be recovered.
    pub days: u16,
    /// Whether it cannot be purged before they have passed.
    pub purge_protection: bool,
}

/// What one principal may do with a vault's keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whom it is about.
    pub principal: PrincipalId,
    /// What it may do.
    pub permissions: BTreeSet<KeyPermission>,
}

impl Key {
    /// All versions, newest first.
    pub fn versions(&self) -> impl Iterator<Item = &KeyBundle> {
        [&self.current].into_iter().chain(&self.older)
    }

    /// The version of this name.
    pub fn version(&self, version: &KeyVersion) -> Option<&KeyBundle> {
        self.versions()
            .find(|bundle| bundle.kid.version == *version)
    }
}

impl Recovery {
    /// The `recoveryLevel`.
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
