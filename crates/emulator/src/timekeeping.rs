use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use sealock_core::{Clock, ClockSetting, SystemTime};
use sealock_store::{Batch, Result, Store, Table};

use crate::services::Services;

/// How the clock was set. A control table: what depends on time is decided anew after each change.
const CLOCK: Table<ClockSetting> = Table::control("clock");
const KEY: [&str; 1] = ["setting"];

/// The clock as it was set before the last stop. A frozen one stands where it stood.
pub(crate) fn restore(store: &Store) -> Result<Clock> {
    let setting = store.get(&CLOCK, &KEY)?;
    Ok(setting.map_or_else(Clock::system, |setting| {
        Clock::restored(Arc::new(SystemTime), setting.value, None)
    }))
}

/// Remembers how the clock was set, and has everything that depends on time decided anew.
pub(crate) async fn remember(store: &Store, clock: &Clock) -> Result<()> {
    let batch = Batch::new().put(&CLOCK, &KEY, &clock.setting());
    let _unconditional = store.commit(batch).await?;
    Ok(())
}

/// How long to wait for the clock at most: it may be moved in ways that nobody tells of.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// Does what is due, now, and has the registries follow.
pub(crate) async fn run_due(
    services: &Services,
) -> std::result::Result<Option<Timestamp>, sealock_vault::Error> {
    let due = services.vault.run_due().await?;
    for rotated in &due.rotated {
        if let Err(error) = services.follow(rotated).await {
            tracing::error!(%error, kid = %rotated, "the registries could not follow a key");
        }
    }
    Ok(due.next)
}

/// Does what is due when its time comes, until the emulator stops.
pub(crate) async fn keep(services: Services) {
    loop {
        let next = run_due(&services).await.unwrap_or_else(|error| {
            tracing::error!(%error, "what was due in the vaults could not be done");
            None
        });
        let wait = next.map_or(LONGEST_WAIT, |next| {
            let until = next.duration_since(services.clock.now());
            Duration::try_from(until).unwrap_or_default()
        });
        tokio::select! {
            () = tokio::time::sleep(wait.clamp(Duration::from_secs(1), LONGEST_WAIT)) => {}
            () = services.vault.changed() => {}
            () = services.shutdown.cancelled() => return,
        }
    }
}
