use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;

use crate::Error;

#[derive(Serialize)]
struct ErrorBody {
    error: Detail,
}

#[derive(Serialize)]
struct Detail {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    innererror: Option<InnerError>,
}

#[derive(Serialize)]
struct InnerError {
    code: &'static str,
}

/// `{"error":{"code","message","innererror":{"code"}}}`
///
/// <https://learn.microsoft.com/azure/key-vault/general/rest-error-codes>
pub(super) fn render(error: &Error) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut message = error.to_string();
    // The error's own message may name files of the data directory.
    if let Some(fault) = error.fault() {
        tracing::error!(%error, "the vault cannot do what it was asked");
        message = format!("The emulator cannot do this now: {fault}.");
    } else if status == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(%error, "the vault failed");
        "The emulator failed; its log says why.".clone_into(&mut message);
    }
    let body = ErrorBody {
        error: Detail {
            code: error.code(),
            message,
            innererror: error.inner_code().map(|code| InnerError { code }),
        },
    };
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    match error {
        Error::MethodNotAllowed { allowed, .. } => {
            headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
        }
        Error::Throttled { retry_after } => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(*retry_after));
        }
        error if error.fault().is_some() => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        _ => {}
    }
    response
}
