mod gap;
mod reading;
mod setting;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use self::gap::Gap;
pub use self::{
    reading::{Reading, SystemTime, TimeSource},
    setting::ClockSetting,
};

/// The emulator's clock. It shows the system's time until it is moved or frozen. Clones share one clock.
///
/// Before an irreversible step, check that a time [has passed](Self::has_passed) instead of comparing it with
/// [`now`](Self::now): a stretch of unconfirmed time counts only after an hour.
#[derive(Clone, Debug)]
pub struct Clock {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    source: Arc<dyn TimeSource>,
    setting: ClockSetting,
    /// The last reading of the source.
    last: Reading,
    gap: Option<Gap>,
}

/// The unit of time in .NET: a ten-millionth of a second.
pub const TICK: SignedDuration = SignedDuration::from_nanos(100);

/// A time outside the range of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the clock cannot be set to that time; it must stay between the years -9999 and 9999")]
pub struct ClockOutOfRange;

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl Clock {
    /// Creates a clock that shows the system's time.
    pub fn system() -> Self {
        Self::new(Arc::new(SystemTime), ClockSetting::default(), |_| None)
    }

    /// Creates a clock that stands still until it is moved.
    pub fn frozen_at(now: Timestamp) -> Self {
        Self::new(Arc::new(SystemTime), ClockSetting::Frozen(now), |_| None)
    }

    /// Creates a clock with the setting of an earlier clock. `confirmed` is the last confirmed time of that clock, if
    /// it is known. The time since then is in doubt.
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
        let last = source.read();
        let state = State {
            source,
            setting,
            last,
            gap: gap(last),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Returns the setting.
    pub fn setting(&self) -> ClockSetting {
        self.lock().setting
    }

    /// Returns the current time in whole seconds, the precision of Key Vault's records.
    pub fn now(&self) -> Timestamp {
        self.lock().now()
    }

    /// Returns the current time in whole [ticks](TICK), the precision of ACR's records.
    pub fn now_in_ticks(&self) -> Timestamp {
        let state = self.lock();
        let now = state.setting.exactly_at(state.last);
        let into_tick = now.as_nanosecond().rem_euclid(TICK.as_nanos());
        Timestamp::from_nanosecond(now.as_nanosecond() - into_tick).unwrap_or(now)
    }

    /// Returns the time up to which the clock is confirmed.
    pub fn confirmed(&self) -> Timestamp {
        let state = self.lock();
        state.gap.map_or_else(|| state.now(), |gap| gap.from)
    }

    /// Returns true if `time` has come and is not in doubt.
    pub fn has_passed(&self, time: Timestamp) -> bool {
        let state = self.lock();
        time <= state.now() && state.remaining_doubt(time).is_none()
    }

    /// Returns how long the emulator must still run before `time` counts as passed; `None` if `time` is not in doubt.
    pub fn remaining_doubt(&self, time: Timestamp) -> Option<SignedDuration> {
        self.lock().remaining_doubt(time)
    }

    /// Moves the clock forward, or back if `by` is negative. A frozen clock stays frozen.
    ///
    /// # Errors
    /// If the time would leave the range of timestamps: the clock is unchanged.
    pub fn advance(&self, by: SignedDuration) -> Result<(), ClockOutOfRange> {
        self.lock().change(|setting, _| match setting {
            ClockSetting::Frozen(now) => now.checked_add(by).ok().map(ClockSetting::Frozen),
            ClockSetting::Running(ahead) => ahead.checked_add(by).map(ClockSetting::Running),
        })
    }

    /// Sets the clock to `now`. A frozen clock stays frozen.
    ///
    /// # Errors
    /// If `now` is too far from the system's time: the clock is unchanged.
    pub fn set(&self, now: Timestamp) -> Result<(), ClockOutOfRange> {
        self.lock().change(|setting, wall| match setting {
            ClockSetting::Frozen(_) => Some(ClockSetting::Frozen(now)),
            ClockSetting::Running(_) => Some(ClockSetting::Running(now.duration_since(wall))),
        })
    }

    /// Stops the clock.
    pub fn freeze(&self) {
        let mut state = self.lock();
        state.setting = ClockSetting::Frozen(state.now());
    }

    /// Lets a frozen clock run again, from its current time.
    pub fn resume(&self) {
        let mut state = self.lock();
        if let ClockSetting::Frozen(now) = state.setting {
            state.setting = ClockSetting::Running(now.duration_since(state.last.wall));
        }
    }

    /// Locks the state and updates it to the source's current reading.
    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let reading = state.source.read();
        state.gap = Gap::after(state.gap, state.setting, state.last, reading);
        state.last = reading;
        state
    }
}

impl State {
    fn now(&self) -> Timestamp {
        self.setting.shown_at(self.last)
    }

    fn remaining_doubt(&self, time: Timestamp) -> Option<SignedDuration> {
        self.gap
            .and_then(|gap| gap.remaining_doubt(time, self.last))
    }

    fn change(
        &mut self,
        to: impl FnOnce(ClockSetting, Timestamp) -> Option<ClockSetting>,
    ) -> Result<(), ClockOutOfRange> {
        let wall = self.last.wall;
        let changed = to(self.setting, wall).filter(|changed| match changed {
            ClockSetting::Frozen(_) => true,
            ClockSetting::Running(ahead) => wall.checked_add(*ahead).is_ok(),
        });
        self.setting = changed.ok_or(ClockOutOfRange)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    #[test]
    fn frozen_clock_moves_only_when_advanced_and_for_all_clones() {
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
    fn running_clock_keeps_its_distance_from_system_time() {
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
    fn time_in_ticks_has_seven_decimal_digits() {
        let source = source(0);
        source.lock().unwrap().wall += SignedDuration::from_nanos(1_234_567_899);
        let clock = Clock::restored(source.clone(), ClockSetting::default(), None);
        assert_eq!(clock.now().as_nanosecond(), 1_000_000_000);
        assert_eq!(clock.now_in_ticks().as_nanosecond(), 1_234_567_800);
        source.lock().unwrap().wall = at(0) - SignedDuration::from_nanos(50);
        assert_eq!(clock.now_in_ticks().as_nanosecond(), -100);
    }

    #[test]
    fn move_out_of_range_fails_and_changes_nothing() {
        for clock in [Clock::system(), Clock::frozen_at(Timestamp::MAX)] {
            let before = clock.setting();
            assert_eq!(clock.advance(SignedDuration::MAX), Err(ClockOutOfRange));
            assert_eq!(
                clock.advance(SignedDuration::from_hours(24 * 366 * 9000)),
                Err(ClockOutOfRange)
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
    fn time_skipped_by_the_wall_clock_passes_after_an_hour() {
        let source = source(0);
        let clock = Clock::restored(source.clone(), ClockSetting::default(), Some(at(0)));
        source.lock().unwrap().wall += DAY * 10;
        assert_eq!(clock.now(), at(10));
        assert_eq!(clock.confirmed(), at(0));
        assert!(!clock.has_passed(at(5)));
        assert_eq!(clock.remaining_doubt(at(5)), Some(HOUR));
        assert!(clock.has_passed(at(0)) && clock.remaining_doubt(at(0)).is_none());
        assert!(!clock.has_passed(at(11)) && clock.remaining_doubt(at(11)).is_none());
        let mut reading = source.lock().unwrap();
        (reading.wall, reading.boot) = (reading.wall + HOUR, HOUR);
        drop(reading);
        assert!(clock.has_passed(at(5)));
        assert_eq!(clock.confirmed(), clock.now());
    }

    #[test]
    fn step_of_the_emulators_clock_passes_at_once_and_keeps_an_older_doubt() {
        let clock = Clock::restored(source(10), ClockSetting::default(), Some(at(0)));
        clock.advance(DAY).unwrap();
        clock.set(at(20)).unwrap();
        assert!(clock.has_passed(at(11)) && clock.has_passed(at(20)));
        assert!(!clock.has_passed(at(10)));
        clock.freeze();
        assert_eq!(
            (clock.confirmed(), clock.remaining_doubt(at(10))),
            (at(0), Some(HOUR))
        );
    }

    #[test]
    fn time_before_which_the_clock_was_set_back_passes_when_it_comes_again() {
        let clock = Clock::restored(source(10), ClockSetting::default(), None);
        clock.set(at(2)).unwrap();
        clock.advance(DAY * 3).unwrap();
        assert!(clock.has_passed(at(5)));
        assert!(!clock.has_passed(at(2)));
    }
}
