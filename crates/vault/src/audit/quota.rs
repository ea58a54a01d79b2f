use std::sync::{Mutex, PoisonError};

use sealock_core::Clock;

/// The maximum number of requests without a valid token that are recorded in a minute. More would let a client without
/// any permission push the other events out of the log within minutes.
const PER_MINUTE: u32 = 60;

const MINUTE: i64 = 60;

/// Bounds the events of requests without a valid token.
#[derive(Default)]
pub(crate) struct Quota(Mutex<Window>);

#[derive(Default)]
struct Window {
    /// The current minute by the clock.
    minute: i64,
    recorded: u32,
    /// The requests that were left out since the last recorded one.
    omitted: u64,
}

impl Quota {
    /// Counts a request without a valid token. Returns the description of its event, or `None` if it is left out. The
    /// events before and after a gap mention it.
    pub(crate) fn admit(&self, why: &str, clock: &Clock) -> Option<String> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = clock.now().as_second().div_euclid(MINUTE);
        if window.minute != minute {
            window.minute = minute;
            window.recorded = 0;
        }
        if window.recorded == PER_MINUTE {
            window.omitted += 1;
            return None;
        }
        window.recorded += 1;
        let before = match std::mem::take(&mut window.omitted) {
            0 => String::new(),
            omitted => format!(
                " ({omitted} requests without a valid token before this one are not recorded.)"
            ),
        };
        let after = if window.recorded == PER_MINUTE {
            " (The other requests without a valid token in this minute are not recorded.)"
        } else {
            ""
        };
        Some(format!("{why}{before}{after}"))
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;

    #[test]
    fn requests_beyond_the_quota_are_counted_in_the_events_around_them() {
        let clock = Clock::frozen_at(Timestamp::UNIX_EPOCH);
        let quota = Quota::default();
        for number in 1..PER_MINUTE {
            let description = quota.admit("no token", &clock);
            assert_eq!(description.as_deref(), Some("no token"), "{number}");
        }
        let last = quota.admit("no token", &clock).unwrap();
        assert!(last.contains("other requests"), "{last}");
        for _ in 0..7 {
            assert_eq!(quota.admit("no token", &clock), None);
        }
        clock.advance(SignedDuration::from_secs(MINUTE)).unwrap();
        let first = quota.admit("no token", &clock).unwrap();
        assert!(first.contains("7 requests"), "{first}");
        assert_eq!(quota.admit("no token", &clock).unwrap(), "no token");
    }
}
