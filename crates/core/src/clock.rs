use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The emulator's time: the system's, until it is moved or frozen. Clones share one time.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    setting: Arc<Mutex<ClockSetting>>,
}

/// How a clock tells its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockSetting {
    /// It stands still.
    Frozen(Timestamp),
    /// It runs, so much ahead of the system's time or behind it.
    Running(SignedDuration),
}

impl Default for ClockSetting {
    fn default() -> Self {
        Self::Running(SignedDuration::ZERO)
    }
}

/// A time that no clock can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the clock cannot go there: its time would leave the years -9999 to 9999")]
pub struct ClockRange;

impl Clock {
    /// The system's time.
    pub fn system() -> Self {
        Self::default()
    }

    /// A time that stands still until it is moved.
    pub fn frozen_at(now: Timestamp) -> Self {
        Self::restored(ClockSetting::Frozen(now))
    }

    /// A clock that goes on as another one was set.
    pub fn restored(setting: ClockSetting) -> Self {
        Self {
            setting: Arc::new(Mutex::new(setting)),
        }
    }

    /// How it tells its time.
    pub fn setting(&self) -> ClockSetting {
        *self.lock()
    }

    /// The time now, to the second: Azure's records are no finer.
    pub fn now(&self) -> Timestamp {
        let now = match self.setting() {
            ClockSetting::Frozen(now) => now,
            ClockSetting::Running(ahead) => {
                system_now().saturating_add(ahead).unwrap_or(Timestamp::MAX)
            }
        };
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }

    /// Moves it on, or back if `by` is negative. A frozen clock stays frozen.
    ///
    /// # Errors
    /// If its time would leave the range of timestamps; it is not moved then.
    pub fn advance(&self, by: SignedDuration) -> Result<(), ClockRange> {
        self.change(|setting| match setting {
            ClockSetting::Frozen(now) => now.checked_add(by).ok().map(ClockSetting::Frozen),
            ClockSetting::Running(ahead) => ahead.checked_add(by).map(ClockSetting::Running),
        })
    }

    /// Sets it to `now`. A frozen clock stays frozen.
    ///
    /// # Errors
    /// If `now` is too far from the system's time; it is not set then.
    pub fn set(&self, now: Timestamp) -> Result<(), ClockRange> {
        self.change(|setting| match setting {
            ClockSetting::Frozen(_) => Some(ClockSetting::Frozen(now)),
            ClockSetting::Running(_) => {
                Some(ClockSetting::Running(now.duration_since(system_now())))
            }
        })
    }

    /// Makes it stand still.
    pub fn freeze(&self) {
        let now = self.now();
        *self.lock() = ClockSetting::Frozen(now);
    }

    /// Lets it run on from where it stands.
    pub fn resume(&self) {
        let ahead = self.now().duration_since(system_now());
        let mut setting = self.lock();
        if matches!(*setting, ClockSetting::Frozen(_)) {
            *setting = ClockSetting::Running(ahead);
        }
    }

    fn change(
        &self,
        to: impl FnOnce(ClockSetting) -> Option<ClockSetting>,
    ) -> Result<(), ClockRange> {
        let mut setting = self.lock();
        let changed = to(*setting).filter(|changed| match changed {
            ClockSetting::Frozen(_) => true,
            ClockSetting::Running(ahead) => system_now().checked_add(*ahead).is_ok(),
        });
        *setting = changed.ok_or(ClockRange)?;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, ClockSetting> {
        self.setting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that asks the system"
)]
fn system_now() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    #[test]
    fn a_frozen_clock_moves_only_when_advanced_and_for_all_its_clones() {
        let clock = Clock::frozen_at(Timestamp::from_second(1_000).unwrap());
        let clone = clock.clone();
        assert_eq!(clone.now().as_second(), 1_000);
        clock.advance(HOUR).unwrap();
        assert_eq!(clone.now().as_second(), 4_600);
        clock.advance(-HOUR).unwrap();
        clock.set(Timestamp::from_second(7).unwrap()).unwrap();
        assert_eq!(clone.now().as_second(), 7);
        assert!(matches!(clone.setting(), ClockSetting::Frozen(_)));
    }

    #[test]
    fn a_running_clock_keeps_the_distance_that_it_was_given() {
        let clock = Clock::system();
        clock.advance(HOUR).unwrap();
        assert_eq!(clock.setting(), ClockSetting::Running(HOUR));
        let ahead = clock.now().duration_since(system_now());
        assert!(ahead > HOUR - SignedDuration::from_mins(1) && ahead <= HOUR);
        clock.freeze();
        let frozen = clock.now();
        clock.resume();
        assert!(matches!(clock.setting(), ClockSetting::Running(_)));
        assert!(clock.now() >= frozen);
        assert_eq!(Clock::restored(clock.setting()).setting(), clock.setting());
    }

    #[test]
    fn a_clock_is_not_moved_out_of_range() {
        for clock in [Clock::system(), Clock::frozen_at(Timestamp::MAX)] {
            let before = clock.setting();
            assert_eq!(clock.advance(SignedDuration::MAX), Err(ClockRange));
            assert_eq!(
                clock.advance(SignedDuration::from_hours(24 * 366 * 9000)),
                Err(ClockRange)
            );
            assert_eq!(clock.setting(), before);
        }
    }
}
