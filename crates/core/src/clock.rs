use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

/// The emulator's time: the system's, unless it was frozen. Clones share one time.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    frozen: Arc<Mutex<Option<Timestamp>>>,
}

impl Clock {
    /// The system's time.
    pub fn system() -> Self {
        Self::default()
    }

    /// A time that stands still until it is [advanced](Self::advance).
    pub fn frozen_at(now: Timestamp) -> Self {
        Self {
            frozen: Arc::new(Mutex::new(Some(now))),
        }
    }

    /// The time now, to the second: Azure's records are no finer.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the system"
    )]
    pub fn now(&self) -> Timestamp {
        let now = self.lock().unwrap_or_else(Timestamp::now);
        Timestamp::from_second(now.as_second()).unwrap_or(now)
    }

    /// Moves a frozen clock on. A running one is not moved.
    pub fn advance(&self, by: Duration) {
        let mut frozen = self.lock();
        if let Some(now) = *frozen {
            *frozen = Some(now.saturating_add(by).unwrap_or(Timestamp::MAX));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Timestamp>> {
        self.frozen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_clock_moves_only_when_advanced_and_for_all_its_clones() {
        let clock = Clock::frozen_at(Timestamp::from_second(1_000).unwrap());
        let clone = clock.clone();
        assert_eq!(clone.now().as_second(), 1_000);
        clock.advance(Duration::from_hours(1));
        assert_eq!(clone.now().as_second(), 4_600);
    }
}
