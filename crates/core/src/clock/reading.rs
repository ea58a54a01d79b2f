use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};

/// A simultaneous reading of the system's clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The wall clock, which an administrator can set to any time.
    pub wall: Timestamp,
    /// The whole seconds since the system was booted, including suspensions. No one can set this clock.
    pub boot: SignedDuration,
}

/// A source of the system's time.
pub trait TimeSource: fmt::Debug + Send + Sync {
    /// Reads the current time.
    fn read(&self) -> Reading;
}

/// The system's own clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemTime;

/// The clock that continues while the system is suspended.
///
/// <https://man7.org/linux/man-pages/man2/clock_gettime.2.html>
#[cfg(any(target_os = "linux", target_os = "android"))]
const BOOT: ClockId = ClockId::Boottime;
/// The clock that continues while the system is suspended: on macOS, the monotonic clock.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const BOOT: ClockId = ClockId::Monotonic;

impl TimeSource for SystemTime {
    #[expect(
        clippy::disallowed_methods,
        reason = "the only place that reads the system's clock"
    )]
    fn read(&self) -> Reading {
        Reading {
            wall: Timestamp::now(),
            boot: SignedDuration::from_secs(clock_gettime(BOOT).tv_sec),
        }
    }
}

/// A reading that tests set by hand.
impl TimeSource for Mutex<Reading> {
    fn read(&self) -> Reading {
        *self.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
