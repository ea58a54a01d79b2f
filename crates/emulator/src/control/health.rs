use axum::{Json, extract::State};
use serde_json::{Value, json};

use crate::{services::Services, storage::Storage};

/// Answers as long as requests are served, with 200 even if there is a problem. On any other status, a monitor restarts
/// the emulator or cuts it off, which makes no room on a disk and ends the running pulls.
///
/// The endpoint asks for no login, so it names no file and no record.
pub(super) async fn health(State(services): State<Services>) -> Json<Value> {
    let uptime = services.clock.now().duration_since(services.started);
    let storage = Storage::look(&services.store).await;
    let problems = storage.problems.iter().map(|problem| &problem.what);
    Json(json!({
        "status": storage.status(),
        "problems": problems.collect::<Vec<_>>(),
        "held_records": storage.held_records,
        "lost_records": storage.lost_records,
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": uptime.as_secs(),
    }))
}
