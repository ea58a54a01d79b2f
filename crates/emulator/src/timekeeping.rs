use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use sealock_core::{Clock, ClockSetting, SystemTime, TimeSource};
use sealock_store::{Batch, Result, Store, Table};

use sealock_vault::Due;

use crate::services::Services;

/// How the clock was set. A control table: what depends on time is decided anew after each change.
const CLOCK: Table<ClockSetting> = Table::control("clock");
const KEY: [&str; 1] = ["setting"];

/// The time up to which the clock was confirmed, stored now and then. At a start, the time since then is in doubt, so a
/// stored time that is too early only lengthens the doubt.
const CONFIRMED: Table<Timestamp> = Table::content("confirmed-time");

/// The clock as it was set before the last stop. A frozen one stands where it stood.
pub(crate) async fn restore(store: &Store) -> Result<Clock> {
    restore_from(Arc::new(SystemTime), store).await
}

async fn restore_from(source: Arc<dyn TimeSource>, store: &Store) -> Result<Clock> {
    let setting = store.get(&CLOCK, &KEY).await?;
    let setting = setting.map_or_else(ClockSetting::default, |setting| setting.value);
    let confirmed = store.get(&CONFIRMED, &KEY).await?;
    Ok(Clock::restored(
        source,
        setting,
        confirmed.map(|confirmed| confirmed.value),
    ))
}

/// Remembers how the clock was set, and has everything that depends on time decided anew.
pub(crate) async fn remember(store: &Store, clock: &Clock) -> Result<()> {
    let batch = with_confirmed(clock).put(&CLOCK, &KEY, &clock.setting());
    let _unconditional = store.commit(batch).await?;
    Ok(())
}

/// Stores the time up to which the clock is confirmed.
pub(crate) async fn remember_confirmed(store: &Store, clock: &Clock) -> Result<()> {
    let _unconditional = store.commit(with_confirmed(clock)).await?;
    Ok(())
}

fn with_confirmed(clock: &Clock) -> Batch {
    Batch::new().put(&CONFIRMED, &KEY, &clock.confirmed())
}

/// How long to wait for the clock at most: it may be moved in ways that nobody tells of.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// The interval at which the confirmed time is stored.
const REMEMBERED_EVERY: Duration = Duration::from_hours(1);

/// The time that an emulator runs before it first removes files from quarantine. It gives the person who starts an
/// emulator after a loss the time to look.
const QUARANTINE_FIRST: Duration = Duration::from_hours(1);

/// The interval of the later removals.
const QUARANTINE_EVERY: Duration = Duration::from_hours(24);

/// Removes the files that have been in quarantine for more than `days` days of confirmed time. Blocks.
fn leave_quarantine(store: &Store, clock: &Clock, days: u32) -> Result<()> {
    let before = clock.confirmed().as_second() - i64::from(days) * 24 * 60 * 60;
    let removed = store.quarantine.remove(before)?;
    if !removed.is_empty() {
        let names: Vec<_> = removed.iter().map(|file| file.name.as_str()).collect();
        tracing::warn!(
            files = names.join(", "),
            "removed from quarantine after {days} days"
        );
    }
    Ok(())
}

/// Does what is due when its time comes, until the emulator stops.
pub(crate) async fn keep(services: Services) {
    let mut remembers = tokio::time::interval(REMEMBERED_EVERY);
    let first = tokio::time::Instant::now() + QUARANTINE_FIRST;
    let mut quarantine = tokio::time::interval_at(first, QUARANTINE_EVERY);
    let mut told = 0;
    loop {
        let due = services.vault.run_due().await.unwrap_or_else(|error| {
            tracing::error!(%error, "what was due in the vaults could not be done");
            Due::default()
        });
        let pending = services
            .vault
            .pending_purges()
            .await
            .map_or(0, |purges| purges.len());
        if pending > told {
            tracing::warn!(
                pending,
                "what fell due while nothing confirmed the time is purged within an hour, unless it is recovered"
            );
        }
        told = pending;
        let wait = due.next.map_or(LONGEST_WAIT, |next| {
            let until = next.duration_since(services.clock.now());
            Duration::try_from(until).unwrap_or_default()
        });
        tokio::select! {
            () = tokio::time::sleep(wait.clamp(Duration::from_secs(1), LONGEST_WAIT)) => {}
            () = services.vault.changed() => {}
            _ = remembers.tick() => {
                if let Err(error) = remember_confirmed(&services.store, &services.clock).await {
                    tracing::warn!(%error, "the time could not be remembered");
                }
            }
            _ = quarantine.tick() => {
                let (store, clock) = (services.store.clone(), services.clock.clone());
                let days = services.quarantine_days;
                let left = tokio::task::spawn_blocking(move || leave_quarantine(&store, &clock, days));
                if let Ok(Err(error)) = left.await {
                    tracing::warn!(%error, "what was in quarantine for long could not be removed");
                }
            }
            () = services.shutdown.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use jiff::SignedDuration;
    use sealock_core::Reading;
    use sealock_store::{Authenticator, StoreFiles};

    use super::*;

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    struct Host {
        store: Store,
        clocks: Arc<Mutex<Reading>>,
    }

    impl Host {
        fn new() -> Self {
            let clocks = Mutex::new(Reading {
                wall: Timestamp::UNIX_EPOCH,
                boot: SignedDuration::ZERO,
            });
            Self {
                store: Store::ephemeral(),
                clocks: Arc::new(clocks),
            }
        }

        fn pass(&self, time: SignedDuration) {
            let mut clocks = self.clocks.lock().unwrap();
            clocks.wall += time;
            clocks.boot += time;
        }

        async fn start(&self) -> Clock {
            restore_from(self.clocks.clone(), &self.store)
                .await
                .unwrap()
        }
    }

    #[tokio::test]
    async fn what_passes_after_a_stop_is_in_doubt_at_the_next_start() {
        let host = Host::new();
        let clock = host.start().await;
        host.pass(DAY);
        remember_confirmed(&host.store, &clock).await.unwrap();
        let stopped = clock.now();
        host.pass(DAY);
        let clock = host.start().await;
        assert_eq!(clock.confirmed(), stopped);
        assert!(clock.has_passed(stopped));
        assert!(!clock.has_passed(clock.now()));
    }

    #[tokio::test]
    async fn a_step_of_the_clock_is_not_in_doubt_at_the_next_start() {
        let host = Host::new();
        let clock = host.start().await;
        host.pass(DAY);
        clock.advance(DAY * 90).unwrap();
        remember(&host.store, &clock).await.unwrap();
        let restored = host.start().await;
        assert_eq!(restored.now(), clock.now());
        assert!(restored.has_passed(clock.now()));
    }

    #[tokio::test]
    async fn a_doubt_is_remembered() {
        let host = Host::new();
        host.pass(DAY * 90);
        for _ in 0..2 {
            let clock = host.start().await;
            assert!(!clock.has_passed(clock.now()), "never known");
            remember_confirmed(&host.store, &clock).await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_is_in_quarantine_goes_after_its_days_of_confirmed_time() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host {
            store: Store::open(StoreFiles::new(dir.path(), Authenticator::new(&[7; 32]))).unwrap(),
            ..Host::new()
        };
        let clock = host.start().await;
        let object = sealock_core::ObjectId::random();
        std::fs::write(dir.path().join(format!("blobs/{object}")), "nobody's").unwrap();
        let moved = host.store.blobs.set_aside(object, clock.now().as_second());
        assert!(moved.unwrap());
        let left = || {
            leave_quarantine(&host.store, &clock, 30).unwrap();
            host.store.quarantine.list().unwrap().len()
        };
        assert_eq!(left(), 1, "just moved");
        host.pass(DAY * 30);
        assert_eq!(left(), 1, "not more than its days");
        // Only the system's clock moves on, so nothing confirms the time.
        host.clocks.lock().unwrap().wall += DAY;
        assert!(clock.now() > Timestamp::UNIX_EPOCH + DAY * 30);
        assert_eq!(left(), 1, "in doubt");
        host.pass(DAY);
        assert_eq!(left(), 0, "its time has come");
    }
}
