use sealock_api as api;

use super::{Answer, call::Call};
use crate::storage::Storage;

/// Answers as long as requests are served, with 200 even if there is a problem. On any other status, a monitor restarts
/// the emulator or cuts it off, which makes no room on a disk and ends the running pulls.
///
/// The endpoint asks for no login, so it names no file and no record.
pub(super) async fn health(call: Call<api::ShowHealth>) -> Answer<api::Health> {
    let services = call.services;
    let uptime = services.clock.now().duration_since(services.started);
    let storage = Storage::look(&services.store).await;
    let problems = storage.problems.iter().map(|problem| problem.what.clone());
    Ok(api::Health {
        status: storage.status(),
        problems: problems.collect(),
        held_records: storage.held_records,
        lost_records: storage.lost_records,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_seconds: uptime.as_secs(),
    })
}
