//! What is stored of vaults, keys, versions, policies and rules.
//!
//! A vault's record guards everything in the vault, and a key's record guards the key's versions:
//! whoever changes a part expects the whole's record unchanged, and writes the key's record anew.
//! A record's `revision` differs with each write, so one that went away and came back is noticed.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sealock_core::{KeyName, KeyVersion, ObjectId};
use sealock_store::{Batch, Table, objects::ObjectSet};
use serde::{Deserialize, Serialize};

use crate::{
    IpRule, KeyOperation, KeyPermission, KeyShape, KeyType, NetworkRules, PublicKey, ReleasePolicy,
    RotationPolicy, VaultSku,
};

/// Keyed by vault.
pub(crate) const VAULTS: Table<VaultRecord> = Table::control("vaults");
/// Keyed by vault and key.
pub(crate) const KEYS: Table<KeyRecord> = Table::control("keys");
/// Keyed by vault, key and version.
pub(crate) const VERSIONS: Table<VersionRecord> = Table::control("key-versions");
/// Keyed by vault, key, version and a number. Together they would not fit into a version's record.
pub(crate) const TAGS: Table<TagRecord> = Table::control("key-tags");
/// Keyed by vault and key.
pub(crate) const ROTATION_POLICIES: Table<RotationPolicyRecord> =
    Table::control("rotation-policies");
/// Keyed by vault and principal.
pub(crate) const POLICIES: Table<BTreeSet<KeyPermission>> = Table::control("access-policies");
/// Keyed by vault and rule.
pub(crate) const IP_RULES: Table<IpRule> = Table::control("ip-rules");

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VaultRecord {
    pub(crate) sku: VaultSku,
    pub(crate) purge_protection: bool,
    pub(crate) soft_delete_retention_days: u16,
    /// Whether roles decide who may do what, instead of access policies.
    pub(crate) rbac: bool,
    pub(crate) network: NetworkRules,
    /// Whether it serves from its paired region, where nothing can be changed.
    pub(crate) failed_over: bool,
    pub(crate) created: Timestamp,
    pub(crate) deletion: Option<Deletion>,
    pub(crate) revision: ObjectId,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KeyRecord {
    /// As it was written when the key was created.
    pub(crate) name: KeyName,
    pub(crate) created: Timestamp,
    pub(crate) deletion: Option<Deletion>,
    /// Until when it is being recovered: neither there nor deleted.
    pub(crate) recovering_until: Option<Timestamp>,
    /// The current version, and how many there have been.
    pub(crate) current: KeyVersion,
    pub(crate) latest: u64,
    /// That of all versions. A key is exportable if it has one.
    pub(crate) release_policy: Option<ReleasePolicy>,
    pub(crate) revision: ObjectId,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct VersionRecord {
    /// Versions are ordered by this; the clock may stand still.
    pub(crate) number: u64,
    pub(crate) kty: KeyType,
    pub(crate) key_size: u32,
    pub(crate) public_key: PublicKey,
    pub(crate) key_ops: Vec<KeyOperation>,
    pub(crate) enabled: bool,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    /// True once the audit log has the event that it expires soon.
    pub(crate) is_near_expiry_reported: bool,
    /// True once the audit log has the event that it has expired.
    pub(crate) is_expiry_reported: bool,
    pub(crate) private_key: SealedKey,
}

/// One of a key version's tags.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TagRecord {
    pub(crate) name: String,
    pub(crate) value: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RotationPolicyRecord {
    pub(crate) policy: RotationPolicy,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
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
    /// Until when it is under way: what is deleted is neither there nor among the deleted.
    pub(crate) under_way_until: Option<Timestamp>,
}

impl VersionRecord {
    pub(crate) fn shape(&self) -> KeyShape {
        let bits = self.key_size;
        match self.public_key.curve() {
            Some(curve) => KeyShape::Ec { curve },
            None if self.public_key == PublicKey::Oct => KeyShape::Oct { bits },
            None => KeyShape::Rsa { bits },
        }
    }
}

impl SealedKey {
    /// Adds to `batch` the removal of its objects.
    pub(crate) fn remove(self, batch: Batch) -> Batch {
        let remove = |batch: Batch, object| batch.remove(ObjectSet::VaultKeys, object);
        self.objects().into_iter().fold(batch, remove)
    }

    pub(crate) fn objects(self) -> [ObjectId; 2] {
        [self.object, self.record_key]
    }
}

impl Deletion {
    pub(crate) fn is_under_way(&self, now: Timestamp) -> bool {
        self.under_way_until.is_some_and(|end| now < end)
    }
}
