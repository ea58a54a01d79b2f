use axum::{
    body::Body,
    http::{HeaderName, StatusCode, header},
    response::Response,
};
use hyper::ext::ReasonPhrase;
use sealock_core::PublicName;
use sealock_http::{LoginRefusalReason, ServiceError, header_value};
use sealock_store::Fault;
use serde_json::{Value, json};

use super::uploads;
use crate::{Error, Reference};

/// The id that az prints with each error. Without it, az fails.
pub(super) const CORRELATION_ID: HeaderName =
    HeaderName::from_static("x-ms-correlation-request-id");

/// Renders an error in OCI's form: `{"errors":[{"code","message","detail"}]}`.
///
/// The log reads the cause of a revocation from the extensions of the response.
pub fn render(error: &Error, names: &PublicName) -> Response {
    let mut response = sealock_http::render(error, |message| {
        let body = format!("{{\"errors\":[{}]}}\n", entries(error, message, names));
        let content_type = (header::CONTENT_TYPE, "application/json; charset=utf-8");
        ([content_type], Body::from(body))
    });
    add_headers(error, &mut response);
    response
}

impl ServiceError for Error {
    const SERVICE: &'static str = "registry";

    fn status(&self) -> StatusCode {
        self.status_and_code().0
    }

    fn public_message(&self) -> Option<String> {
        if let Some(fault) = self.fault() {
            return Some(format!("{fault}; the emulator's status says what to do"));
        }
        match self {
            Self::Damaged { .. } => Some(self.to_string()),
            error => {
                let failed = || "the registry failed; the emulator's log says why".to_owned();
                error.status().is_server_error().then(failed)
            }
        }
    }

    fn allowed_methods(&self) -> Option<&str> {
        match self {
            Self::MethodNotAllowed { allowed, .. } => Some(allowed),
            error if error.fault() == Some(Fault::ReadOnly) => Some("GET, HEAD"),
            _ => None,
        }
    }

    fn retry_after(&self) -> Option<i64> {
        match self {
            Self::TooManyUploads(_) => Some(60),
            error if error.fault() == Some(Fault::TooManyFiles) => Some(1),
            _ => None,
        }
    }

    fn login_refusal_reason(&self) -> Option<LoginRefusalReason> {
        match self {
            Self::LoginRefused { why, .. } => Some(why.reason()),
            Self::Unauthorized(challenge) => Some(challenge.why.reason()),
            _ => None,
        }
    }
}

/// Renders one entry, or one for each missing digest.
fn entries(error: &Error, message: String, names: &PublicName) -> String {
    let Error::ManifestBlobUnknown(missing) = error else {
        return entry(error, message, names);
    };
    let entries = missing.iter().map(|digest| {
        let error = Error::ManifestBlobUnknown(vec![*digest]);
        entry(&error, error.to_string(), names)
    });
    entries.collect::<Vec<_>>().join(",")
}

fn entry(error: &Error, message: String, names: &PublicName) -> String {
    let detail =
        detail(error, names).map_or_else(String::new, |detail| format!(",\"detail\":{detail}"));
    // Written by hand, so that it equals ACR's byte by byte.
    let (code, message) = (Value::from(error.status_and_code().1), Value::from(message));
    let message = match error {
        // The front end of ACR that refuses escapes apostrophes, and docker shows its text as it is.
        Error::ClientNotAllowed(_) => message.to_string().replace('\'', "\\u0027"),
        _ => message.to_string(),
    };
    format!("{{\"code\":{code},\"message\":{message}{detail}}}")
}

/// Returns the detail of an error: ACR's where that is known.
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
        Error::NameUnknownOnDeletion(name) => json!({"name": name}),
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
    if let Some(phrase) = error.fault().and_then(reason_phrase) {
        response.extensions_mut().insert(phrase);
    }
    if let Error::Denied(revocation) = error {
        response.extensions_mut().insert(revocation.cause);
    }
    let added = match error {
        Error::RangeUnsatisfiable { size, .. } => {
            Some((header::CONTENT_RANGE, format!("bytes */{size}")))
        }
        Error::SlashDoubled {
            single,
            redirects: true,
        } => Some((header::LOCATION, single.clone())),
        Error::LoginRefused { correlation_id, .. } => {
            Some((CORRELATION_ID, correlation_id.to_string()))
        }
        Error::Unauthorized(challenge) => Some((header::WWW_AUTHENTICATE, challenge.header())),
        _ => None,
    };
    let headers = response.headers_mut();
    if let Some((name, text)) = added
        && let Some(value) = header_value(text)
    {
        headers.insert(name, value);
    }
    if let Error::RangeOutOfOrder {
        upload,
        repository,
        received,
        ..
    } = error
        // The session stays open, and the client continues here.
        && let Ok(progress) = uploads::progress_headers(repository, *upload, *received)
    {
        headers.extend(progress);
    }
}

/// Returns the reason phrase for a fault of the disk. Docker's engine shows nothing else of a status of 500 or more. It
/// gives up if the phrase has the system's words for a full disk, and otherwise retries for most of a minute.
///
/// <https://github.com/moby/moby/blob/master/daemon/internal/distribution/errors.go>
fn reason_phrase(fault: Fault) -> Option<ReasonPhrase> {
    let phrase = match fault {
        Fault::Full => "Insufficient Storage: no space left on device",
        Fault::Failing => "Insufficient Storage: the disk fails",
        Fault::TooManyFiles => "Service Unavailable: too many open files",
        Fault::ReadOnly => return None,
    };
    Some(ReasonPhrase::from_static(phrase.as_bytes()))
}
