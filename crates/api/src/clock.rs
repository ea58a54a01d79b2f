use schemars::JsonSchema;
use sealock_core::{KeyName, VaultName};
use serde::{Deserialize, Serialize};

use crate::{Time, word::words};

/// The emulator's clock.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Clock {
    /// The time that it shows.
    pub now: Time,
    /// Frozen or running.
    pub state: ClockState,
    /// The seconds that a running clock is ahead of the system's; negative if it is behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead_seconds: Option<i64>,
}

/// A move of the clock, and the things that fell due on the way.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ClockMove {
    /// The clock.
    #[serde(flatten)]
    pub clock: Clock,
    /// The vaults and keys that were purged.
    pub purged: Vec<Purge>,
    /// The URLs of the key versions that rotation policies made.
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

/// A time that the clock is to show.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClockTime {
    /// The time.
    pub now: Time,
    /// True if vaults and keys whose retention ends on the way may be purged.
    #[serde(default)]
    pub allow_purge: bool,
}

/// A step of the clock.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClockStep {
    /// A duration such as `90s`, `1h 30m`, `90d`, `PT1H` or `-1h`.
    pub by: String,
    /// True if vaults and keys whose retention ends on the way may be purged.
    #[serde(default)]
    pub allow_purge: bool,
}

words! {
    /// The state of a clock.
    pub enum ClockState, "state of the clock" {
        /// It stands.
        Frozen = "frozen",
        /// It runs.
        Running = "running",
    }
}
