use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use hyper::ext::ReasonPhrase;
use sealock_core::PublicName;
use sealock_store::Fault;
use serde_json::{Value, json};

use super::{CORRELATION_ID, uploads};
use crate::{Error, Reference};

/// An error as OCI writes it: `{"errors":[{"code","message","detail"}]}`.
///
/// A refusal by the key's gate is also noted in the response's extensions, for the log.
pub fn render(error: &Error, names: &PublicName) -> Response {
    let (status, _) = error.status_and_code();
    if let Some(fault) = error.fault() {
        tracing::error!(%error, %fault, "the registry cannot do what it was asked");
    } else if status.is_server_error() {
        tracing::error!(%error, "the registry failed");
    }
    let body = format!("{{\"errors\":[{}]}}\n", entries(error, names));
    let content_type = (header::CONTENT_TYPE, "application/json; charset=utf-8");
    let mut response = (status, [content_type], Body::from(body)).into_response();
    add_headers(error, &mut response);
    response
}

/// One entry, or one for each of what is missing.
fn entries(error: &Error, names: &PublicName) -> String {
    let Error::ManifestBlobUnknown(missing) = error else {
        return entry(error, names);
    };
    let entries = missing
        .iter()
        .map(|digest| entry(&Error::ManifestBlobUnknown(vec![*digest]), names));
    entries.collect::<Vec<_>>().join(",")
}

fn entry(error: &Error, names: &PublicName) -> String {
    let (status, code) = error.status_and_code();
    // The error's own message may name files of the data directory.
    let message = if let Some(fault) = error.fault() {
        format!("{fault}; the emulator's status says what to do")
    } else if status.is_server_error() && !matches!(error, Error::Damaged { .. }) {
        "the registry failed; the emulator's log says why".to_owned()
    } else {
        error.to_string()
    };
    let detail =
        detail(error, names).map_or_else(String::new, |detail| format!(",\"detail\":{detail}"));
    // Spelled out, for those who compare it with ACR's byte by byte.
    let (code, message) = (Value::from(code), Value::from(message));
    format!("{{\"code\":{code},\"message\":{message}{detail}}}")
}

/// The detail of an error: ACR's, where that is known.
fn detail(error: &Error, names: &PublicName) -> Option<Value> {
    let detail = match error {
        Error::Denied(revocation) => json!({
            "cause": revocation.cause,
            "key": names.key_uri(&revocation.key.identifier()),
            "since": revocation.since,
        }),
        Error::BlobUnknown(digest) => json!(digest),
        Error::ManifestBlobUnknown(missing) => json!(missing.first()),
        Error::BlobUploadUnknown | Error::DisallowedOperation => json!({}),
        Error::ManifestUnknown {
            repository,
            reference: Reference::Digest(digest),
        } => json!({"Name": repository, "Revision": digest}),
        Error::ManifestUnknown {
            reference: Reference::Tag(tag),
            ..
        } => json!({"Tag": tag}),
        // <https://github.com/dotnet/sdk-container-builds/issues/258>
        Error::ContentRangeInvalid(range) => json!({
            "Range": range,
            "Reason": "the Content-Range header format is invalid",
        }),
        Error::NameUndeletable(name) => json!({"name": name}),
        Error::Unauthorized(challenge) => match &challenge.scope {
            Some(scope) => scope
                .actions
                .iter()
                .map(|action| json!({"Type": scope.kind, "Name": scope.name, "Action": action}))
                .collect(),
            None => Value::Null,
        },
        _ => return None,
    };
    Some(detail)
}

fn add_headers(error: &Error, response: &mut Response) {
    if let Some(fault) = error.fault() {
        add_words(fault, response);
    }
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
        Error::SlashDoubled {
            single,
            redirects: true,
        } => {
            if let Ok(value) = HeaderValue::from_str(single) {
                headers.insert(header::LOCATION, value);
            }
        }
        Error::TooManyUploads(_) => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        }
        Error::LoginRefused { correlation_id, .. } => {
            if let Ok(value) = HeaderValue::from_str(&correlation_id.to_string()) {
                headers.insert(CORRELATION_ID, value);
            }
        }
        Error::Unauthorized(challenge) => {
            if let Ok(value) = HeaderValue::from_str(&challenge.header()) {
                headers.insert(header::WWW_AUTHENTICATE, value);
            }
        }
        _ => {}
    }
}

/// Names the fault of the disk in the status line: of a status of 500 or more, Docker's engine shows nothing else. The
/// engine gives up if the line has the system's words for a full disk; otherwise it retries for most of a minute.
///
/// <https://github.com/moby/moby/blob/master/daemon/internal/distribution/errors.go>
fn add_words(fault: Fault, response: &mut Response) {
    let (words, retry) = match fault {
        Fault::Full => ("Insufficient Storage: no space left on device", None),
        Fault::Failing => ("Insufficient Storage: the disk fails", None),
        Fault::TooManyFiles => ("Service Unavailable: too many open files", Some("1")),
        Fault::ReadOnly => {
            let allowed = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(header::ALLOW, allowed);
            return;
        }
    };
    let words = ReasonPhrase::from_static(words.as_bytes());
    response.extensions_mut().insert(words);
    if let Some(seconds) = retry {
        let seconds = HeaderValue::from_static(seconds);
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
}
