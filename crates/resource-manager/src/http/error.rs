use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use sealock_http::{LoginRefusalReason, ServiceError, header_value};
use serde::Serialize;

use crate::{Error, ResourceManager};

#[derive(Serialize)]
struct ErrorBody {
    error: Detail,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
}

#[derive(Serialize)]
struct Detail {
    code: &'static str,
    message: String,
}

/// Renders an error as `{"error":{"code","message"}}`. Registries add a status.
///
/// <https://github.com/Azure/azure-resource-manager-rpc/blob/master/v1.0/common-api-details.md#error-response-content>
pub(super) fn render(error: &Error, manager: &ResourceManager) -> Response {
    let (_, code) = error.status_and_code();
    let mut response = sealock_http::render(error, |message| {
        Json(ErrorBody {
            error: Detail { code, message },
            status: error.is_of_registry().then_some("Failed"),
        })
    });
    let headers = response.headers_mut();
    match error {
        Error::Unauthenticated {
            text, is_untimely, ..
        } => {
            let claims = if *is_untimely {
                format!(", claims=\"{}\"", manager.tokens.claims_challenge())
            } else {
                String::new()
            };
            let challenge = format!(
                "Bearer authorization_uri=\"https://login.{}/{}\", error=\"{}\", error_description=\"{}\"{claims}",
                manager.names,
                manager.directory.tenant(),
                if *is_untimely {
                    "insufficient_claims"
                } else {
                    "invalid_token"
                },
                text.replace('"', "'")
            );
            if let Some(challenge) = header_value(challenge) {
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
        }
        Error::ResourceNotFound { .. } | Error::ResourceGroupNotFound(_) => {
            let name = HeaderName::from_static("x-ms-failure-cause");
            headers.insert(name, HeaderValue::from_static("gateway"));
        }
        _ => {}
    }
    response
}

impl ServiceError for Error {
    const SERVICE: &'static str = "resource manager";

    fn status(&self) -> StatusCode {
        self.status_and_code().0
    }

    fn public_message(&self) -> Option<String> {
        if let Some(fault) = self.fault() {
            return Some(format!("The emulator cannot do this now: {fault}."));
        }
        let failed = || "The emulator failed; its log says why.".to_owned();
        self.status().is_server_error().then(failed)
    }

    fn allowed_methods(&self) -> Option<&str> {
        match self {
            Self::MethodNotAllowed { allowed, .. } => Some(allowed),
            _ => None,
        }
    }

    fn retry_after(&self) -> Option<i64> {
        self.fault().map(|_| 1)
    }

    fn login_refusal_reason(&self) -> Option<LoginRefusalReason> {
        match self {
            Self::Unauthenticated { text, .. } => Some(LoginRefusalReason::new(text)),
            _ => None,
        }
    }
}
