use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::json;

use crate::Error;

/// `{"error":{"code","message","innererror":{"code"}}}`
///
/// <https://learn.microsoft.com/azure/key-vault/general/rest-error-codes>
pub(super) fn render(error: &Error) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut message = error.to_string();
    if status == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(%error, "the vault failed");
        "The emulator failed; its log says why.".clone_into(&mut message);
    }
    let mut body = json!({"code": error.code(), "message": message});
    if let Some(inner) = error.inner_code() {
        body["innererror"] = json!({ "code": inner });
    }
    let mut response = (status, Json(json!({ "error": body }))).into_response();
    if let Error::MethodNotAllowed { allowed, .. } = error {
        let allowed = HeaderValue::from_static(allowed);
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}
