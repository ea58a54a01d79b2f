use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::reading::Reading;

/// The mode of a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockSetting {
    /// The clock stands still at this time.
    Frozen(Timestamp),
    /// The clock runs, ahead of the system's time by this duration, or behind it if negative.
    Running(SignedDuration),
}

impl Default for ClockSetting {
    fn default() -> Self {
        Self::Running(SignedDuration::ZERO)
    }
}

impl ClockSetting {
    /// Returns the time that a clock with this setting shows, to the second.
    pub(super) fn shown_at(self, reading: Reading) -> Timestamp {
        let now = self.exactly_at(reading);
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }

    /// Returns the exact time of a clock with this setting.
    pub(super) fn exactly_at(self, reading: Reading) -> Timestamp {
        match self {
            Self::Frozen(now) => now,
            Self::Running(ahead) => reading.wall.saturating_add(ahead).unwrap_or(Timestamp::MAX),
        }
    }
}
