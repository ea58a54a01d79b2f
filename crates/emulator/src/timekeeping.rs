use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use sealock_core::{Clock, ClockSetting, SystemTime, TimeSource};
use sealock_store::{Batch, Result, Store, Table};

use sealock_vault::Due;

use crate::services::Services;

/// The setting of the clock. It is a control table, so each change raises the epoch and gates evaluate again.
const CLOCK: Table<ClockSetting> = Table::control("clock");
const KEY: [&str; 1] = ["setting"];

/// The time up to which the clock was confirmed, stored at intervals. At a start, the time since then is in doubt. A stored
/// time that is too early only lengthens the doubt.
const CONFIRMED: Table<Timestamp> = Table::content("confirmed-time");

/// Restores the clock with its setting before the last stop. A frozen clock keeps its time.
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

/// Stores the setting of the clock, which raises the epoch.
pub(crate) async fn store_setting(store: &Store, clock: &Clock) -> Result<()> {
    let batch = with_confirmed(clock).put(&CLOCK, &KEY, &clock.setting());
    let _unconditional = store.commit(batch).await?;
    Ok(())
}

/// Stores the time up to which the clock is confirmed.
pub(crate) async fn store_confirmed_time(store: &Store, clock: &Clock) -> Result<()> {
    let _unconditional = store.commit(with_confirmed(clock)).await?;
    Ok(())
}

fn with_confirmed(clock: &Clock) -> Batch {
    Batch::new().put(&CONFIRMED, &KEY, &clock.confirmed())
}

/// The limit of a wait for due work. The system's clock can jump without notice, so the wait must not be too long.
const WAIT_LIMIT: Duration = Duration::from_hours(1);

/// The interval at which the confirmed time is stored.
const CONFIRMED_TIME_INTERVAL: Duration = Duration::from_hours(1);

/// The time from a start to the first removal of files from quarantine. It lets an operator inspect the files after a
/// loss.
const QUARANTINE_DELAY: Duration = Duration::from_hours(1);

/// The interval of the later removals.
const QUARANTINE_INTERVAL: Duration = Duration::from_hours(24);

/// Removes the files that have been in quarantine for more than `days` days of confirmed time. Blocks.
fn expire_quarantine(store: &Store, clock: &Clock, days: u32) -> Result<()> {
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

/// Runs due work, such as purges and rotations, until the emulator stops.
pub(crate) async fn run_due_work(services: Services) {
    let mut confirmed_time = tokio::time::interval(CONFIRMED_TIME_INTERVAL);
    let first = tokio::time::Instant::now() + QUARANTINE_DELAY;
    let mut quarantine = tokio::time::interval_at(first, QUARANTINE_INTERVAL);
    let mut reported = 0;
    loop {
        let due = services.vault.run_due().await.unwrap_or_else(|error| {
            tracing::error!(%error, "cannot run the due purges and rotations of the vaults");
            Due::default()
        });
        let pending = services
            .vault
            .pending_purges()
            .await
            .map_or(0, |purges| purges.len());
        if pending > reported {
            tracing::warn!(
                pending,
                "the retention of vaults or keys ended while the time was in doubt; they are purged within an hour \
                 unless you recover them"
            );
        }
        reported = pending;
        let vaults = due.next.map_or(WAIT_LIMIT, |next| {
            let until = next.duration_since(services.clock.now());
            Duration::try_from(until).unwrap_or_default()
        });
        let operations = services.resource_manager.end_due_operations().await;
        let wait = vaults.min(operations.unwrap_or(WAIT_LIMIT));
        tokio::select! {
            () = tokio::time::sleep(wait.clamp(Duration::from_secs(1), WAIT_LIMIT)) => {}
            () = services.vault.changed() => {}
            () = services.resource_manager.operation_begun.notified() => {}
            _ = confirmed_time.tick() => {
                if let Err(error) = store_confirmed_time(&services.store, &services.clock).await {
                    tracing::warn!(%error, "cannot store the confirmed time");
                }
            }
            _ = quarantine.tick() => {
                let (store, clock) = (services.store.clone(), services.clock.clone());
                let days = services.quarantine_days;
                let expired = tokio::task::spawn_blocking(move || expire_quarantine(&store, &clock, days));
                if let Ok(Err(error)) = expired.await {
                    tracing::warn!(%error, "cannot remove expired files from quarantine");
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
    async fn time_since_the_last_stop_is_in_doubt_after_a_start() {
        let host = Host::new();
        let clock = host.start().await;
        host.pass(DAY);
        store_confirmed_time(&host.store, &clock).await.unwrap();
        let stopped = clock.now();
        host.pass(DAY);
        let clock = host.start().await;
        assert_eq!(clock.confirmed(), stopped);
        assert!(clock.has_passed(stopped));
        assert!(!clock.has_passed(clock.now()));
    }

    #[tokio::test]
    async fn advanced_time_is_not_in_doubt_after_a_start() {
        let host = Host::new();
        let clock = host.start().await;
        host.pass(DAY);
        clock.advance(DAY * 90).unwrap();
        store_setting(&host.store, &clock).await.unwrap();
        let restored = host.start().await;
        assert_eq!(restored.now(), clock.now());
        assert!(restored.has_passed(clock.now()));
    }

    #[tokio::test]
    async fn doubt_survives_restarts() {
        let host = Host::new();
        host.pass(DAY * 90);
        for _ in 0..2 {
            let clock = host.start().await;
            assert!(!clock.has_passed(clock.now()), "never confirmed");
            store_confirmed_time(&host.store, &clock).await.unwrap();
        }
    }

    #[tokio::test]
    async fn quarantined_file_expires_after_its_days_of_confirmed_time() {
        let dir = tempfile::tempdir().unwrap();
        let host = Host {
            store: Store::open(StoreFiles::new(dir.path(), Authenticator::new(&[7; 32]))).unwrap(),
            ..Host::new()
        };
        let clock = host.start().await;
        let object = sealock_core::ObjectId::random();
        std::fs::write(dir.path().join(format!("blobs/{object}")), "nobody's").unwrap();
        let moved = host.store.blobs.quarantine(object, clock.now().as_second());
        assert!(moved.unwrap());
        let remaining = || {
            expire_quarantine(&host.store, &clock, 30).unwrap();
            host.store.quarantine.list().unwrap().len()
        };
        assert_eq!(remaining(), 1, "just moved");
        host.pass(DAY * 30);
        assert_eq!(remaining(), 1, "not yet expired");
        // Only the wall clock moves, so nothing confirms the time.
        host.clocks.lock().unwrap().wall += DAY;
        assert!(clock.now() > Timestamp::UNIX_EPOCH + DAY * 30);
        assert_eq!(remaining(), 1, "in doubt");
        host.pass(DAY);
        assert_eq!(remaining(), 0, "expired");
    }
}
