use std::collections::BTreeSet;

use jiff::Timestamp;
use sealock_core::{KeyName, KeyVersion, Kid, PrincipalId, VaultName};
use serde::Serialize;

use crate::{KeyPermission, KeyType, PublicKey};

/// Where a vault or key is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It can be used.
    Active,
    /// It is soft-deleted: it can only be recovered or purged.
    Deleted,
}

/// A vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Vault {
    /// Its name.
    pub name: VaultName,
    /// `https://NAME.vault.HOST:PORT/`
    pub vault_uri: String,
    /// Active or deleted.
    pub state: State,
    /// Whether nothing in it can be purged before its retention has passed.
    pub purge_protection: bool,
    /// For how many days what was deleted can be recovered.
    pub soft_delete_retention_days: u16,
    /// When it was created.
    pub created: Timestamp,
    /// When it was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Timestamp>,
    /// When it will be purged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled_purge: Option<Timestamp>,
}

/// A key and all its versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Key {
    /// The vault that holds it.
    pub vault: VaultName,
    /// Its name.
    pub name: KeyName,
    /// The current version.
    #[serde(skip)]
    pub current: Kid,
    /// The current version, as clients see it.
    pub kid: String,
    /// Active or deleted.
    pub state: State,
    /// The current version's type.
    pub kty: KeyType,
    /// The current version's size in bits.
    pub key_size: u32,
    /// Whether the current version is enabled.
    pub enabled: bool,
    /// When the first version was created.
    pub created: Timestamp,
    /// When it was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Timestamp>,
    /// When it will be purged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled_purge: Option<Timestamp>,
    /// Its versions, newest first.
    pub versions: Vec<Version>,
}

/// A key version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Version {
    /// The version.
    pub version: KeyVersion,
    /// The version, as clients see it.
    pub kid: String,
    /// Whether it can be used.
    pub enabled: bool,
    /// Whether it is the one that is meant when none is named.
    pub current: bool,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
}

/// What the data plane tells about a key version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyVersionFacts {
    /// Which version it is.
    pub kid: Kid,
    /// Its type.
    pub kty: KeyType,
    /// Its size in bits.
    pub key_size: u32,
    /// Whether it can be used.
    pub enabled: bool,
    /// Its public half.
    pub public_key: PublicKey,
}

/// What one principal may do with a vault's keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// Whom it is about.
    #[serde(rename = "principal_id")]
    pub principal: PrincipalId,
    /// What it may do.
    pub permissions: BTreeSet<KeyPermission>,
}
