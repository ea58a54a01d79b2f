use axum::{Json, http::Method, response::IntoResponse as _};
use serde_json::json;

use super::{Answer, Call};

/// `GET /v2/` (end-1): whoever gets 200 speaks to a registry.
pub(super) fn answer(call: &Call) -> Answer {
    match call.method {
        Method::GET | Method::HEAD => Ok(Json(json!({})).into_response()),
        _ => Err(call.method_not_allowed("GET, HEAD")),
    }
}
