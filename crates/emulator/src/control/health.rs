use axum::{Json, extract::State};
use serde_json::{Value, json};

use crate::services::Services;

/// Answers as long as requests are served.
pub(super) async fn health(State(services): State<Services>) -> Json<Value> {
    let uptime = services.clock.now().duration_since(services.started);
    Json(json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": uptime.as_secs(),
    }))
}
