use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};

/// The times that the system's clocks show at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The time of day. An administrator of the system can set it to anything.
    pub wall: Timestamp,
    /// The whole seconds since the start of the system, including its suspensions. Nobody can set them.
    pub boot: SignedDuration,
}

/// A source of the system's time.
pub trait TimeSource: fmt::Debug + Send + Sync {
    /// Reads the time now.
    fn read(&self) -> Reading;
}

/// The system's own clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemTime;

/// The clock that goes on while the system is suspended.
///
/// <https://man7.org/linux/man-pages/man2/clock_gettime.2.html>
#[cfg(any(target_os = "linux", target_os = "android"))]
const BOOT: ClockId = ClockId::Boottime;
/// On macOS the monotonic clock is the one that goes on while the system is asleep.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const BOOT: ClockId = ClockId::Monotonic;

impl TimeSource for SystemTime {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the system"
    )]
    fn read(&self) -> Reading {
        Reading {
            wall: Timestamp::now(),
            boot: SignedDuration::from_secs(clock_gettime(BOOT).tv_sec),
        }
    }
}

/// A time that is moved by hand.
impl TimeSource for Mutex<Reading> {
    fn read(&self) -> Reading {
        *self.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
