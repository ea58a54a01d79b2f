use schemars::JsonSchema;
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

/// A time that the clock is to show.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClockTime {
    /// The time.
    pub now: Time,
}

/// A step of the clock.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClockStep {
    /// A duration such as `90s`, `1h 30m`, `90d`, `PT1H` or `-1h`.
    pub by: String,
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
