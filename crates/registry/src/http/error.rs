use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use sealock_core::PublicName;
use serde_json::{Value, json};

use super::uploads;
use crate::Error;

/// An error as OCI writes it: `{"errors":[{"code","message","detail"}]}`.
///
/// A refusal by the key's gate is also noted in the response's extensions, for the log.
pub fn render(error: &Error, names: &PublicName) -> Response {
    let (status, code) = error.status_and_code();
    let mut message = error.to_string();
    if status.is_server_error() {
        tracing::error!(%error, "the registry failed");
        if !matches!(error, Error::Damaged { .. }) {
            // It may name files of the data directory.
            "the registry failed; the emulator's log says why".clone_into(&mut message);
        }
    }
    let detail = detail(error, names);
    let body = json!({"errors": [{"code": code, "message": message, "detail": detail}]});
    let content_type = (header::CONTENT_TYPE, "application/json");
    let mut response = (status, [content_type], Body::from(body.to_string())).into_response();
    add_headers(error, &mut response);
    response
}

fn detail(error: &Error, names: &PublicName) -> Value {
    match error {
        Error::Denied(revocation) => json!({
            "cause": revocation.cause,
            "key": names.key_uri(&revocation.key.identifier()),
            "since": revocation.since,
        }),
        Error::BlobUnknown { digest, .. } | Error::ManifestBlobUnknown { digest, .. } => {
            json!({"digest": digest})
        }
        Error::NameUnknown(name) => json!({"name": name}),
        _ => Value::Null,
    }
}

fn add_headers(error: &Error, response: &mut Response) {
    let headers = response.headers_mut();
    match error {
        Error::Denied(revocation) => {
            response.extensions_mut().insert(revocation.cause);
        }
        Error::MethodNotAllowed { allowed, .. } => {
            headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
        }
        Error::RangeOutOfOrder {
            upload,
            repository,
            received,
            ..
        } => {
            // The session goes on: this is where.
            if let Ok(progress) = uploads::progress(repository, *upload, *received) {
                headers.extend(progress);
            }
        }
        Error::RangeUnsatisfiable { size, .. } => {
            if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
                headers.insert(header::CONTENT_RANGE, value);
            }
        }
        Error::TooManyUploads(_) => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        }
        Error::LoginRequired | Error::Unauthorized => {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"sealock\""),
            );
        }
        _ => {}
    }
}
