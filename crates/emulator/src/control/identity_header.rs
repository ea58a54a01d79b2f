use axum::{Extension, Json};
use serde_json::{Value, json};

use crate::{friendly_door::FriendlyDoor, secret::Secret};

/// The header for App Service's form of the managed identity endpoint while that asks for no secret.
const ANY: &str = "any";

/// Shows the value that a workload sets as `IDENTITY_HEADER`.
pub(super) async fn show(Extension(door): Extension<FriendlyDoor>) -> Json<Value> {
    let secret = door.identity_header().map(Secret::text);
    let header = secret.as_ref().map_or(ANY, |text| text.as_str());
    Json(json!({"identity_header": header}))
}
