use schemars::JsonSchema;
use sealock_core::{KeyName, VaultName};
use serde::{Deserialize, Serialize};

use crate::{Hint, QuarantineSize, Registry, Time, word::words};

/// The health of the emulator, for everybody. It names no file and no record.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// `degraded` if there is a problem.
    pub status: StorageStatus,
    /// The problems and their consequences.
    pub problems: Vec<String>,
    /// The number of records of the vaults' audit log that wait in memory.
    pub held_records: u64,
    /// The number of records of the vaults' audit log that are lost.
    pub lost_records: u64,
    /// The emulator's version.
    pub version: String,
    /// The seconds since its start, by its clock.
    pub uptime_seconds: i64,
}

/// The state of everything. Each registry's gate is evaluated for it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// The state of the store.
    pub storage: Storage,
    /// Each registry.
    pub registries: Vec<Registry>,
    /// The vaults and keys that are purged before long.
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
    /// The number of records of the vaults' audit log that wait in memory.
    pub held_records: u64,
    /// The number of records of the vaults' audit log that are lost.
    pub lost_records: u64,
    /// The damaged records and files.
    pub damage: Vec<String>,
    /// The data that could be removed, if the disk is full.
    pub reliefs: Vec<Relief>,
}

/// A problem of the store or its disk.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StorageProblem {
    /// The problem and its consequence.
    pub what: String,
    /// The remedy.
    pub remedy: String,
    /// The operations of the emulator that help.
    pub hints: Vec<Hint>,
    /// The operation that failed, and its file.
    pub detail: Option<String>,
}

/// Data that could be removed to make room.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Relief {
    /// The data.
    pub what: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// The operation that removes it. Null if it goes by itself.
    pub hint: Option<Hint>,
}

/// A vault or key that is purged once the emulator has run for a while. Its retention passed while the emulator was
/// stopped, or in a step of the system's clock.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PendingPurge {
    /// The vault, or the vault of the key.
    pub vault: VaultName,
    /// The key. Null if the vault itself is purged.
    pub key: Option<KeyName>,
    /// The end of its retention.
    pub scheduled_purge: Time,
    /// The seconds that the emulator has to run before the purge, however its clock is set.
    pub purged_in_seconds: i64,
    /// The way to recover it.
    pub recover: Hint,
}

words! {
    /// The state of the store.
    pub enum StorageStatus, "state of the store" {
        /// It has no problem.
        Ok = "ok",
        /// It has a problem.
        Degraded = "degraded",
    }
}
