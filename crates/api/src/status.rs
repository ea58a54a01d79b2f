use schemars::JsonSchema;
use sealock_core::{KeyName, VaultName};
use serde::{Deserialize, Serialize};

use crate::{Hint, QuarantineSize, Registry, Time, word::words};

/// The health of the emulator. It names no files or records, since the operation needs no authentication.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// `degraded` if there is a problem.
    pub status: StorageStatus,
    /// The problems and their consequences.
    pub problems: Vec<String>,
    /// The number of audit events that wait in memory.
    pub held_events: u64,
    /// The number of lost audit events.
    pub lost_events: u64,
    /// The emulator's version.
    pub version: String,
    /// The seconds since its start, by its own clock.
    pub uptime_seconds: i64,
}

/// The status of the emulator.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// The state of the store.
    pub storage: Storage,
    /// The registries.
    pub registries: Vec<Registry>,
    /// The pending purges.
    pub pending_purges: Vec<PendingPurge>,
    /// The size of the quarantine.
    pub quarantine: QuarantineSize,
}

/// The state of the store.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Storage {
    /// `degraded` if there is a problem.
    pub status: StorageStatus,
    /// The problems.
    pub problems: Vec<StorageProblem>,
    /// The number of audit events that wait in memory.
    pub held_events: u64,
    /// The number of lost audit events.
    pub lost_events: u64,
    /// The damaged records and files.
    pub damage: Vec<String>,
    /// The data that can be removed to make room. Empty unless the disk is full.
    pub reclaimable: Vec<Reclaimable>,
}

/// A problem of the store or its disk.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StorageProblem {
    /// The problem and its consequence.
    pub description: String,
    /// The remedy.
    pub remedy: String,
    /// The operations that help.
    pub hints: Vec<Hint>,
    /// The failed operation and its file.
    pub detail: Option<String>,
}

/// Data that can be removed to make room.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Reclaimable {
    /// The data.
    pub description: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// The operation that removes it. Null if the emulator removes it by itself.
    pub hint: Option<Hint>,
}

/// A vault or key whose retention ended while the emulator was stopped, or when the system's clock jumped. It is purged
/// after the emulator has run for a while.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PendingPurge {
    /// The vault, or the vault of the key.
    pub vault: VaultName,
    /// The key. Null if the vault itself is purged.
    pub key: Option<KeyName>,
    /// The end of its retention.
    pub scheduled_purge: Time,
    /// The seconds that the emulator runs before the purge. Setting its clock does not shorten them.
    pub purged_in_seconds: i64,
    /// The operation that recovers it.
    pub recover: Hint,
}

words! {
    /// The state of the store.
    pub enum StorageStatus, "state of the store" {
        /// There are no problems.
        Ok = "ok",
        /// There is a problem.
        Degraded = "degraded",
    }
}
