use jiff::{SignedDuration, Timestamp};

use super::{reading::Reading, setting::ClockSetting};

/// The largest step of the wall clock, compared with the boot time, that raises no doubt. Time servers correct the wall
/// clock by seconds.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(1);

/// The time that the emulator must run before a gap counts as passed. It gives the operator time to notice a wrong
/// clock.
const HOLD: SignedDuration = SignedDuration::from_hours(1);

/// A stretch of unconfirmed time: the emulator was stopped, or the wall clock was set forward. It is in doubt for a
/// while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    /// The time up to which the clock is confirmed.
    pub(super) from: Timestamp,
    to: Timestamp,
    /// The boot time at which the doubt ends.
    doubted_until: SignedDuration,
}

impl Gap {
    /// Returns the gap at the start of an emulator. `confirmed` is the last confirmed time of the previous run, if it
    /// is known.
    pub(super) fn at_start(
        confirmed: Option<Timestamp>,
        setting: ClockSetting,
        reading: Reading,
    ) -> Option<Self> {
        Self::since(
            confirmed.unwrap_or(Timestamp::MIN),
            setting.shown_at(reading),
            reading,
        )
    }

    /// Returns the gap after the system's clocks changed from `last` to `reading`. `known` is the previous gap, if
    /// there was one.
    pub(super) fn after(
        known: Option<Self>,
        setting: ClockSetting,
        last: Reading,
        reading: Reading,
    ) -> Option<Self> {
        let now = setting.shown_at(reading);
        let known = known.and_then(|gap| gap.still_doubted_at(now, reading));
        let confirmed = match setting {
            ClockSetting::Frozen(_) => now,
            ClockSetting::Running(_) => {
                let by_wall = reading.wall.duration_since(last.wall);
                let by_boot = reading.boot - last.boot;
                now.saturating_sub(by_wall - by_boot)
                    .unwrap_or(Timestamp::MIN)
            }
        };
        match Self::since(confirmed, now, reading) {
            Some(new) => Some(Self {
                from: known.map_or(new.from, |known| known.from.min(new.from)),
                ..new
            }),
            None => known,
        }
    }

    /// Returns how long `time` remains in doubt; `None` if it is not in doubt.
    pub(super) fn remaining_doubt(
        &self,
        time: Timestamp,
        reading: Reading,
    ) -> Option<SignedDuration> {
        let is_within = self.from < time && time <= self.to;
        is_within.then(|| self.doubted_until - reading.boot)
    }

    fn since(confirmed: Timestamp, now: Timestamp, reading: Reading) -> Option<Self> {
        (now.duration_since(confirmed) > TOLERANCE).then(|| Self {
            from: confirmed,
            to: now,
            doubted_until: reading.boot + HOLD,
        })
    }

    /// Returns the part of the gap that is still in doubt. If the clock was set back into the gap, the gap ends at the new
    /// time: the rest is yet to come.
    fn still_doubted_at(self, now: Timestamp, reading: Reading) -> Option<Self> {
        let rest = Self {
            to: self.to.min(now),
            ..self
        };
        (rest.from < rest.to && reading.boot < rest.doubted_until).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_800_000_000;
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const RUNNING: ClockSetting = ClockSetting::Running(SignedDuration::ZERO);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(NOON + seconds).unwrap()
    }

    fn reading((wall, boot): (i64, i64)) -> Reading {
        Reading {
            wall: at(wall),
            boot: SignedDuration::from_secs(boot),
        }
    }

    fn gap((from, to, doubted_until): (i64, i64, i64)) -> Gap {
        Gap {
            from: at(from),
            to: at(to),
            doubted_until: SignedDuration::from_secs(doubted_until),
        }
    }

    /// A name, the known gap, the wall clock and the boot time before and after, and the expected gap.
    type Case = (
        &'static str,
        Option<(i64, i64, i64)>,
        (i64, i64),
        (i64, i64),
        Option<(i64, i64, i64)>,
    );

    #[test]
    fn time_not_confirmed_by_the_boot_time_is_in_doubt_for_an_hour() {
        let old = Some((-DAY, 0, HOUR));
        let cases: [Case; 14] = [
            ("nothing passes", None, (0, 0), (0, 0), None),
            ("time runs", None, (0, 0), (DAY, DAY), None),
            ("suspended", None, (0, 0), (99 * DAY, 99 * DAY), None),
            ("corrected by seconds", None, (0, 0), (15, 10), None),
            ("corrected back", None, (0, 0), (-DAY, 10), None),
            ("at the tolerance", None, (0, 0), (MINUTE, 0), None),
            ("set forward", None, (0, 0), (DAY, 0), Some((0, DAY, HOUR))),
            (
                "set forward while time runs",
                None,
                (0, 0),
                (DAY + HOUR, HOUR),
                Some((HOUR, DAY + HOUR, 2 * HOUR)),
            ),
            ("within the hour", old, (0, 0), (HOUR - 1, HOUR - 1), old),
            ("after the hour", old, (0, 0), (HOUR, HOUR), None),
            (
                "set back into it",
                old,
                (0, 0),
                (-HOUR, 0),
                Some((-DAY, -HOUR, HOUR)),
            ),
            ("set back before it", old, (0, 0), (-2 * DAY, 0), None),
            (
                "set forward again",
                old,
                (0, 0),
                (DAY, MINUTE),
                Some((-DAY, DAY, HOUR + MINUTE)),
            ),
            (
                "set forward after the hour",
                old,
                (0, 0),
                (DAY + HOUR, HOUR),
                Some((HOUR, DAY + HOUR, 2 * HOUR)),
            ),
        ];
        for (case, known, last, now, expected) in cases {
            let after = Gap::after(known.map(gap), RUNNING, reading(last), reading(now));
            assert_eq!(after, expected.map(gap), "{case}");
        }
    }

    #[test]
    fn frozen_clock_raises_no_new_doubt() {
        let frozen = ClockSetting::Frozen(at(0));
        let (last, now) = (reading((0, 0)), reading((DAY, 0)));
        assert_eq!(Gap::after(None, frozen, last, now), None);
        let known = Some(gap((-DAY, 0, HOUR)));
        assert_eq!(Gap::after(known, frozen, last, now), known);
        assert_eq!(Gap::at_start(Some(at(0)), frozen, now), None);
    }

    #[test]
    fn time_before_a_start_is_in_doubt_for_an_hour() {
        let now = reading((DAY, 7));
        let stopped = gap((0, DAY, 7 + HOUR));
        for (case, confirmed, expected) in [
            ("stopped for a day", Some(at(0)), Some(stopped)),
            ("started again", Some(at(DAY - MINUTE)), None),
            ("a clock that was ahead", Some(at(2 * DAY)), None),
            (
                "no known time",
                None,
                Some(Gap {
                    from: Timestamp::MIN,
                    ..stopped
                }),
            ),
        ] {
            assert_eq!(Gap::at_start(confirmed, RUNNING, now), expected, "{case}");
        }
    }

    #[test]
    fn only_times_within_the_gap_are_in_doubt() {
        let (gap, now) = (gap((-DAY, 0, HOUR)), reading((MINUTE, MINUTE)));
        let doubt = Some(SignedDuration::from_secs(HOUR - MINUTE));
        for (time, expected) in [(-DAY, None), (1 - DAY, doubt), (0, doubt), (1, None)] {
            assert_eq!(gap.remaining_doubt(at(time), now), expected, "{time}");
        }
    }
}
