use sealock_core::{Clock, ClockSetting};
use sealock_store::{Batch, Result, Store, Table};

/// How the clock was set. A control table: what depends on time is decided anew after each change.
const CLOCK: Table<ClockSetting> = Table::control("clock");
const KEY: [&str; 1] = ["setting"];

/// The clock as it was set before the last stop. A frozen one stands where it stood.
pub(crate) fn restore(store: &Store) -> Result<Clock> {
    let setting = store.get(&CLOCK, &KEY)?;
    Ok(setting.map_or_else(Clock::system, |setting| Clock::restored(setting.value)))
}

/// Remembers how the clock was set, and has everything that depends on time decided anew.
pub(crate) async fn remember(store: &Store, clock: &Clock) -> Result<()> {
    let batch = Batch::new().put(&CLOCK, &KEY, &clock.setting());
    let _unconditional = store.commit(batch).await?;
    Ok(())
}
