//! What is stored of vaults, keys, versions and policies.
//!
//! A vault's record guards everything in the vault, and a key's record guards the key's versions:
//! whoever changes a part expects the whole's record unchanged, and writes the key's record anew.
//! A record's `revision` differs with each write, so one that went away and came back is noticed.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sealock_core::{KeyVersion, ObjectId};
use sealock_store::Table;
use serde::{Deserialize, Serialize};

use crate::{KeyPermission, KeyType, PublicKey};

/// Keyed by vault.
pub(crate) const VAULTS: Table<VaultRecord> = Table::control("vaults");
/// Keyed by vault and key.
pub(crate) const KEYS: Table<KeyRecord> = Table::control("keys");
/// Keyed by vault, key and version.
pub(crate) const VERSIONS: Table<VersionRecord> = Table::control("key-versions");
/// Keyed by vault and principal.
pub(crate) const POLICIES: Table<BTreeSet<KeyPermission>> = Table::control("access-policies");

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct VaultRecord {
    pub(crate) purge_protection: bool,
    pub(crate) soft_delete_retention_days: u16,
    pub(crate) created: Timestamp,
    pub(crate) deletion: Option<Deletion>,
    pub(crate) revision: ObjectId,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KeyRecord {
    pub(crate) created: Timestamp,
    pub(crate) deletion: Option<Deletion>,
    /// The current version, and how many there have been.
    pub(crate) current: KeyVersion,
    pub(crate) latest: u64,
    pub(crate) revision: ObjectId,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct VersionRecord {
    /// Versions are ordered by this; the clock may stand still.
    pub(crate) number: u64,
    pub(crate) kty: KeyType,
    pub(crate) key_size: u32,
    pub(crate) public_key: PublicKey,
    pub(crate) enabled: bool,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) private_key: SealedKey,
}

/// The two objects in which a private key is sealed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct SealedKey {
    /// The private key, sealed under its own key.
    pub(crate) object: ObjectId,
    /// That key, sealed under the service key.
    pub(crate) record_key: ObjectId,
}

/// A soft deletion.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Deletion {
    pub(crate) deleted: Timestamp,
    pub(crate) scheduled_purge: Timestamp,
}

impl SealedKey {
    pub(crate) fn objects(self) -> [ObjectId; 2] {
        [self.object, self.record_key]
    }
}

impl Deletion {
    /// Whether the retention has passed, which counts as purged, whether it was swept yet or not.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.scheduled_purge <= now
    }
}
