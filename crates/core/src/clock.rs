mod gap;
mod reading;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use self::gap::Gap;
pub use self::reading::{Reading, SystemTime, TimeSource};

/// The emulator's time: the system's, until it is moved or frozen. Clones share one time.
///
/// Before a step that cannot be undone, ask if a time [has passed](Self::has_passed) instead of comparing it with
/// [`now`](Self::now): a stretch of time that nothing confirms counts only after an hour.
#[derive(Clone, Debug)]
pub struct Clock {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    source: Arc<dyn TimeSource>,
    setting: ClockSetting,
    /// The last reading of the source.
    seen: Reading,
    gap: Option<Gap>,
}

/// The unit of .NET's times, which have seven digits of a second.
pub const TICK: SignedDuration = SignedDuration::from_nanos(100);

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

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl Clock {
    /// The system's time.
    pub fn system() -> Self {
        Self::new(Arc::new(SystemTime), ClockSetting::default(), |_| None)
    }

    /// A time that stands still until it is moved.
    pub fn frozen_at(now: Timestamp) -> Self {
        Self::new(Arc::new(SystemTime), ClockSetting::Frozen(now), |_| None)
    }

    /// A clock that continues with the setting of an earlier one. `confirmed` is the last confirmed time of the
    /// earlier one, if there is one; the time since then is in doubt.
    pub fn restored(
        source: Arc<dyn TimeSource>,
        setting: ClockSetting,
        confirmed: Option<Timestamp>,
    ) -> Self {
        Self::new(source, setting, |reading| {
            Gap::at_start(confirmed, setting, reading)
        })
    }

    fn new(
        source: Arc<dyn TimeSource>,
        setting: ClockSetting,
        gap: impl FnOnce(Reading) -> Option<Gap>,
    ) -> Self {
        let seen = source.read();
        let state = State {
            source,
            setting,
            seen,
            gap: gap(seen),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// How it tells its time.
    pub fn setting(&self) -> ClockSetting {
        self.lock().setting
    }

    /// The time now, to the second: the records of Key Vault are no finer.
    pub fn now(&self) -> Timestamp {
        self.lock().now()
    }

    /// The time now, in whole [ticks](TICK): the records of ACR are that fine.
    pub fn now_in_ticks(&self) -> Timestamp {
        let state = self.lock();
        let now = state.setting.exactly_at(state.seen);
        let into_tick = now.as_nanosecond().rem_euclid(TICK.as_nanos());
        Timestamp::from_nanosecond(now.as_nanosecond() - into_tick).unwrap_or(now)
    }

    /// The time up to which the clock is confirmed.
    pub fn confirmed(&self) -> Timestamp {
        let state = self.lock();
        state.gap.map_or_else(|| state.now(), |gap| gap.from)
    }

    /// Returns true if `time` has come and is not in doubt.
    pub fn has_passed(&self, time: Timestamp) -> bool {
        let state = self.lock();
        time <= state.now() && state.doubt(time).is_none()
    }

    /// The time that the emulator still has to run before `time` counts as passed. `None` if `time` is not in doubt.
    pub fn doubt(&self, time: Timestamp) -> Option<SignedDuration> {
        self.lock().doubt(time)
    }

    /// Moves it on, or back if `by` is negative. A frozen clock stays frozen.
    ///
    /// # Errors
    /// If its time would leave the range of timestamps; it is not moved then.
    pub fn advance(&self, by: SignedDuration) -> Result<(), ClockRange> {
        self.lock().change(|setting, _| match setting {
            ClockSetting::Frozen(now) => now.checked_add(by).ok().map(ClockSetting::Frozen),
            ClockSetting::Running(ahead) => ahead.checked_add(by).map(ClockSetting::Running),
        })
    }

    /// Sets it to `now`. A frozen clock stays frozen.
    ///
    /// # Errors
    /// If `now` is too far from the system's time; it is not set then.
    pub fn set(&self, now: Timestamp) -> Result<(), ClockRange> {
        self.lock().change(|setting, wall| match setting {
            ClockSetting::Frozen(_) => Some(ClockSetting::Frozen(now)),
            ClockSetting::Running(_) => Some(ClockSetting::Running(now.duration_since(wall))),
        })
    }

    /// Makes it stand still.
    pub fn freeze(&self) {
        let mut state = self.lock();
        state.setting = ClockSetting::Frozen(state.now());
    }

    /// Lets it run on from where it stands.
    pub fn resume(&self) {
        let mut state = self.lock();
        if let ClockSetting::Frozen(now) = state.setting {
            state.setting = ClockSetting::Running(now.duration_since(state.seen.wall));
        }
    }

    /// Locks the state and updates it to the source's current reading.
    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let reading = state.source.read();
        state.gap = Gap::after(state.gap, state.setting, state.seen, reading);
        state.seen = reading;
        state
    }
}

impl State {
    fn now(&self) -> Timestamp {
        self.setting.shown_at(self.seen)
    }

    fn doubt(&self, time: Timestamp) -> Option<SignedDuration> {
        self.gap.and_then(|gap| gap.doubt(time, self.seen))
    }

    fn change(
        &mut self,
        to: impl FnOnce(ClockSetting, Timestamp) -> Option<ClockSetting>,
    ) -> Result<(), ClockRange> {
        let wall = self.seen.wall;
        let changed = to(self.setting, wall).filter(|changed| match changed {
            ClockSetting::Frozen(_) => true,
            ClockSetting::Running(ahead) => wall.checked_add(*ahead).is_ok(),
        });
        self.setting = changed.ok_or(ClockRange)?;
        Ok(())
    }
}

impl ClockSetting {
    /// The time that a clock with this setting shows, to the second.
    fn shown_at(self, reading: Reading) -> Timestamp {
        let now = self.exactly_at(reading);
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }

    fn exactly_at(self, reading: Reading) -> Timestamp {
        match self {
            Self::Frozen(now) => now,
            Self::Running(ahead) => reading.wall.saturating_add(ahead).unwrap_or(Timestamp::MAX),
        }
    }
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
        let ahead = clock.now().duration_since(SystemTime.read().wall);
        assert!(ahead > HOUR - SignedDuration::from_mins(1) && ahead <= HOUR);
        clock.freeze();
        let frozen = clock.now();
        clock.resume();
        assert!(matches!(clock.setting(), ClockSetting::Running(_)));
        assert!(clock.now() >= frozen);
        let restored = Clock::restored(Arc::new(SystemTime), clock.setting(), None);
        assert_eq!(restored.setting(), clock.setting());
    }

    #[test]
    fn the_time_in_ticks_has_seven_digits_of_a_second() {
        let source = source(0);
        source.lock().unwrap().wall += SignedDuration::from_nanos(1_234_567_899);
        let clock = Clock::restored(source.clone(), ClockSetting::default(), None);
        assert_eq!(clock.now().as_nanosecond(), 1_000_000_000);
        assert_eq!(clock.now_in_ticks().as_nanosecond(), 1_234_567_800);
        source.lock().unwrap().wall = at(0) - SignedDuration::from_nanos(50);
        assert_eq!(clock.now_in_ticks().as_nanosecond(), -100);
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

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn at(day: i32) -> Timestamp {
        Timestamp::UNIX_EPOCH + DAY * day
    }

    fn source(day: i32) -> Arc<Mutex<Reading>> {
        Arc::new(Mutex::new(Reading {
            wall: at(day),
            boot: SignedDuration::ZERO,
        }))
    }

    #[test]
    fn a_time_within_a_step_of_the_wall_passes_after_an_hour() {
        let source = source(0);
        let clock = Clock::restored(source.clone(), ClockSetting::default(), Some(at(0)));
        source.lock().unwrap().wall += DAY * 10;
        assert_eq!(clock.now(), at(10));
        assert_eq!(clock.confirmed(), at(0));
        assert!(!clock.has_passed(at(5)));
        assert_eq!(clock.doubt(at(5)), Some(HOUR));
        assert!(clock.has_passed(at(0)) && clock.doubt(at(0)).is_none());
        assert!(!clock.has_passed(at(11)) && clock.doubt(at(11)).is_none());
        let mut reading = source.lock().unwrap();
        (reading.wall, reading.boot) = (reading.wall + HOUR, HOUR);
        drop(reading);
        assert!(clock.has_passed(at(5)));
        assert_eq!(clock.confirmed(), clock.now());
    }

    #[test]
    fn a_step_of_the_clock_itself_passes_at_once_and_leaves_a_doubt_as_it_is() {
        let clock = Clock::restored(source(10), ClockSetting::default(), Some(at(0)));
        clock.advance(DAY).unwrap();
        clock.set(at(20)).unwrap();
        assert!(clock.has_passed(at(11)) && clock.has_passed(at(20)));
        assert!(!clock.has_passed(at(10)));
        clock.freeze();
        assert_eq!(
            (clock.confirmed(), clock.doubt(at(10))),
            (at(0), Some(HOUR))
        );
    }

    #[test]
    fn a_time_that_the_clock_was_set_back_over_passes_when_it_comes_again() {
        let clock = Clock::restored(source(10), ClockSetting::default(), None);
        clock.set(at(2)).unwrap();
        clock.advance(DAY * 3).unwrap();
        assert!(clock.has_passed(at(5)));
        assert!(!clock.has_passed(at(2)));
    }
}
