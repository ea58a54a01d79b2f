//! The records of vaults, keys, versions, policies and rules.
//!
//! A vault's record guards everything in the vault, and a key's record guards the key's versions:
//! a change to a key version expects both records unchanged, and writes the key's record anew.
//! Each write draws a new `revision`, so that a record that was deleted and created again counts as changed.

use jiff::Timestamp;
use sealock_core::{KeyName, KeyVersion, Location, ObjectId};
use sealock_entra::TrackedResource;
use sealock_store::{Batch, Table, objects::ObjectSet};
use serde::{Deserialize, Serialize};

use crate::{
    EnabledFor, IpRule, KeyOperation, KeyShape, KeyType, NetworkRules, PolicyPermissions,
    PublicKey, ReleasePolicy, RotationPolicy, VaultSku, VirtualNetworkRule, vaults::replica_region,
};

/// Keyed by vault.
pub(crate) const VAULTS: Table<VaultRecord> = Table::control("vaults");
/// Keyed by vault and key.
pub(crate) const KEYS: Table<KeyRecord> = Table::control("keys");
/// Keyed by vault, key and version.
pub(crate) const VERSIONS: Table<VersionRecord> = Table::control("key-versions");
/// Keyed by vault, key, version and a number. All tags together would not fit into a version's record.
pub(crate) const TAGS: Table<TagRecord> = Table::control("key-tags");
/// Keyed by vault and key.
pub(crate) const ROTATION_POLICIES: Table<RotationPolicyRecord> =
    Table::control("rotation-policies");
/// Keyed by vault, principal, and the application that must act for the principal, or [`ANY_APPLICATION`].
pub(crate) const POLICIES: Table<PolicyRecord> = Table::control("access-policies");
/// Keyed by vault and rule.
pub(crate) const IP_RULES: Table<IpRuleRecord> = Table::control("ip-rules");
/// Keyed by vault and position.
pub(crate) const VIRTUAL_NETWORK_RULES: Table<VirtualNetworkRule> =
    Table::control("virtual-network-rules");

/// Stands in the key of an access policy for which it does not matter through which application the principal acts.
pub(crate) const ANY_APPLICATION: &str = "any";

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VaultRecord {
    /// Its resource group, location, tags and history.
    pub(crate) resource: TrackedResource,
    pub(crate) sku: VaultSku,
    pub(crate) purge_protection: bool,
    pub(crate) soft_delete_retention_days: u16,
    /// True if roles grant permissions, false if access policies do. They also do so if no client has ever said.
    pub(crate) rbac: Option<bool>,
    pub(crate) enabled_for: EnabledFor,
    pub(crate) network: NetworkRules,
    /// True if it serves from its paired region, where it is read-only.
    pub(crate) failed_over: bool,
    pub(crate) deletion: Option<Deletion>,
    pub(crate) revision: ObjectId,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KeyRecord {
    /// The name in the case in which the key was created.
    pub(crate) name: KeyName,
    pub(crate) created: Timestamp,
    pub(crate) deletion: Option<Deletion>,
    /// The end of its recovery. Until then, it is neither active nor deleted.
    pub(crate) recovering_until: Option<Timestamp>,
    pub(crate) current: KeyVersion,
    /// The number of the current version.
    pub(crate) latest: u64,
    /// The release policy of all versions. A key is exportable if it has one.
    pub(crate) release_policy: Option<ReleasePolicy>,
    pub(crate) revision: ObjectId,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct VersionRecord {
    /// The position among the key's versions, from 1. Creation times do not order them: the clock may stand still.
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

/// An access policy. The whole list does not fit into the vault's record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PolicyRecord {
    /// Its position in the vault's list.
    pub(crate) position: u32,
    pub(crate) permissions: PolicyPermissions,
}

/// An address or range that the vault's firewall lets in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct IpRuleRecord {
    /// Its position in the vault's list.
    pub(crate) position: u32,
    pub(crate) rule: IpRule,
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
    /// The end of the deletion itself. Until then, the key is neither active nor listed as deleted.
    pub(crate) under_way_until: Option<Timestamp>,
}

impl VaultRecord {
    /// Returns the region that serves it: after a failover, the one to which it is replicated.
    pub(crate) fn serving_region(&self) -> Location {
        let location = &self.resource.location;
        let replica = self.failed_over.then(|| replica_region(location)).flatten();
        replica.unwrap_or_else(|| location.clone())
    }

    /// Returns true if roles grant permissions, false if access policies do.
    pub(crate) fn uses_roles(&self) -> bool {
        self.rbac == Some(true)
    }
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
    pub(crate) fn remove_objects(self, batch: Batch) -> Batch {
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
