use axum::{Json, http::StatusCode, response::Response};
use sealock_http::{LoginRefusalReason, ServiceError};
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

/// Renders an error as `{"error":{"code","message","innererror":{"code"}}}`.
///
/// <https://learn.microsoft.com/azure/key-vault/general/rest-error-codes>
pub(super) fn render(error: &Error) -> Response {
    sealock_http::render(error, |message| {
        Json(ErrorBody {
            error: Detail {
                code: error.code(),
                message,
                innererror: error.inner_code().map(|code| InnerError { code }),
            },
        })
    })
}

impl ServiceError for Error {
    const SERVICE: &'static str = "vault";

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn public_message(&self) -> Option<String> {
        if let Some(fault) = self.fault() {
            return Some(format!("The emulator cannot do this now: {fault}."));
        }
        let failed = || "The emulator failed; its log says why.".to_owned();
        (self.status() == 500).then(failed)
    }

    fn allowed_methods(&self) -> Option<&str> {
        match self {
            Self::MethodNotAllowed { allowed, .. } => Some(allowed),
            _ => None,
        }
    }

    fn retry_after(&self) -> Option<i64> {
        match self {
            Self::Throttled { retry_after } => Some(*retry_after),
            error => error.fault().map(|_| 1),
        }
    }

    /// `None`, because authentication precedes all errors of the vault.
    fn login_refusal_reason(&self) -> Option<LoginRefusalReason> {
        None
    }
}
