use axum::{
    Json,
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use sealock_core::{InvalidKeyIdentifier, InvalidName};
use serde_json::json;

/// An error of the control API: `{"error":{"code","message","hint"}}`.
pub(super) struct ControlError {
    status: StatusCode,
    code: String,
    message: String,
    hint: Option<String>,
}

impl ControlError {
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code: "BadRequest".to_owned(),
            message: message.into(),
            hint: None,
        }
    }

    pub(super) fn not_found(path: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            code: "NotFound".to_owned(),
            message: format!("the control API has no '{path}'"),
            hint: Some("use a command line of the same version as the emulator".to_owned()),
        }
    }

    pub(super) fn method_not_allowed(method: &Method) -> Self {
        Self {
            status: StatusCode::METHOD_NOT_ALLOWED,
            code: "MethodNotAllowed".to_owned(),
            message: format!("the control API does not take {method} here"),
            hint: None,
        }
    }

    fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "the control API failed");
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            code: "InternalServerError".to_owned(),
            message: error.to_string(),
            hint: None,
        }
    }
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(hint) = self.hint {
            error["hint"] = hint.into();
        }
        (self.status, Json(json!({"error": error}))).into_response()
    }
}

impl From<InvalidName> for ControlError {
    fn from(error: InvalidName) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<InvalidKeyIdentifier> for ControlError {
    fn from(error: InvalidKeyIdentifier) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<sealock_vault::Error> for ControlError {
    fn from(error: sealock_vault::Error) -> Self {
        let status =
            StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if status.is_server_error() {
            return Self::internal(&error);
        }
        Self {
            status,
            code: error
                .inner_code()
                .unwrap_or_else(|| error.code())
                .to_owned(),
            message: error.to_string(),
            hint: error.hint(),
        }
    }
}

impl From<sealock_entra::Error> for ControlError {
    fn from(error: sealock_entra::Error) -> Self {
        match &error {
            sealock_entra::Error::IdentityNotFound { .. } => Self {
                status: StatusCode::NOT_FOUND,
                code: "IdentityNotFound".to_owned(),
                message: error.to_string(),
                hint: error.hint(),
            },
            _ => Self::internal(&error),
        }
    }
}

impl From<sealock_cmk::Error> for ControlError {
    fn from(error: sealock_cmk::Error) -> Self {
        let hint = match &error {
            sealock_cmk::Error::Refused(sealock_cmk::Refusal::KeyInaccessible { .. }) => {
                "see what the vault refused with: sealock audit"
            }
            sealock_cmk::Error::Refused(sealock_cmk::Refusal::IdentityNotAssigned { .. }) => {
                "name an identity that may use the current key: sealock registry rotate-key --identity NAME"
            }
            sealock_cmk::Error::Refused(_) | sealock_cmk::Error::Revoked(_) => {
                "see docs/parity.md for the rule"
            }
            _ => return Self::internal(&error),
        };
        let code = match &error {
            sealock_cmk::Error::Refused(refusal) => refusal.code().to_owned(),
            _ => "Denied".to_owned(),
        };
        Self {
            status: StatusCode::CONFLICT,
            code,
            message: error.to_string(),
            hint: Some(hint.to_owned()),
        }
    }
}

impl From<sealock_registry::Error> for ControlError {
    fn from(error: sealock_registry::Error) -> Self {
        if let sealock_registry::Error::Custody(error) = error {
            return error.into();
        }
        let (status, code) = error.status_and_code();
        if status.is_server_error() {
            return Self::internal(&error);
        }
        let hint = match &error {
            sealock_registry::Error::Denied(_) => Some("see why with: sealock status".to_owned()),
            sealock_registry::Error::ManifestUnknown { .. } => {
                Some("name an image that was pushed, such as hello:v1".to_owned())
            }
            _ => None,
        };
        Self {
            status,
            code: code.to_owned(),
            message: error.to_string(),
            hint,
        }
    }
}

impl From<sealock_store::Error> for ControlError {
    fn from(error: sealock_store::Error) -> Self {
        Self::internal(&error)
    }
}
