use schemars::JsonSchema;
use sealock_core::{KeyName, VaultName};
use serde::{Deserialize, Serialize};

use crate::{Time, word::words};

/// The emulator's clock.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Clock {
    /// Its time.
    pub now: Time,
    /// Its state.
    pub state: ClockState,
    /// The seconds by which a running clock is ahead of the system's clock. Negative if it is behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead_seconds: Option<i64>,
}

/// The result of moving the clock, with the operations that became due.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ClockMove {
    /// The clock.
    #[serde(flatten)]
    pub clock: Clock,
    /// The vaults and keys that were purged.
    pub purged: Vec<Purge>,
    /// The URLs of the key versions that rotation policies created.
    pub rotated: Vec<String>,
}

/// A purge of a vault or a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Purge {
    /// The vault, or the vault of the key.
    pub vault: VaultName,
    /// The key. Null if the vault itself is purged.
    pub key: Option<KeyName>,
}

/// A new time for the clock.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClockTime {
    /// The time.
    pub now: Time,
    /// True to permit the purge of vaults and keys whose retention ends by the new time.
    #[serde(default)]
    pub allow_purge: bool,
}

/// A duration by which to move the clock.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClockStep {
    /// A duration such as `90s`, `1h 30m`, `90d`, `PT1H` or `-1h`.
    pub by: String,
    /// True to permit the purge of vaults and keys whose retention ends by the new time.
    #[serde(default)]
    pub allow_purge: bool,
}

words! {
    /// The state of a clock.
    pub enum ClockState, "state of the clock" {
        /// The clock stands still.
        Frozen = "frozen",
        /// The clock runs.
        Running = "running",
    }
}
