use axum::{
    Json,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use sealock_cmk::Refusal as CmkRefusal;
use sealock_core::{InvalidKeyIdentifier, InvalidName, excerpt};
use sealock_entra::{Principal, Role};
use sealock_registry::Refusal;
use sealock_store::Fault;
use serde_json::json;

use crate::{secret::CONTROL_TOKEN_FILE, storage};

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

    /// A change that names nothing.
    pub(super) fn nothing_to_change() -> Self {
        Self::bad_request("the request says of nothing what it is to be")
    }

    /// A path, query or body that could not be read.
    pub(super) fn unreadable(status: StatusCode, message: String) -> Self {
        Self {
            status,
            code: "BadRequest".to_owned(),
            message,
            hint: None,
        }
    }

    pub(super) fn not_found(path: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            code: "NotFound".to_owned(),
            message: format!("the control API has no '{}'", excerpt(path)),
            hint: Some("use a command line of the same version as the emulator".to_owned()),
        }
    }

    /// Web pages have one place where the control API answers them, and no other page's content is there.
    pub(super) fn not_for_pages(page: &str) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            code: "Forbidden".to_owned(),
            message: format!(
                "a web page asked for this, and the control API answers none but those of {page}"
            ),
            hint: Some(format!(
                "in a browser, open {page}; elsewhere, leave out the headers Origin and Sec-Fetch-Site"
            )),
        }
    }

    /// The control API is for whoever sits at this machine, or has the token.
    pub(super) fn not_from_here() -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            code: "Forbidden".to_owned(),
            message:
                "the control API answers on loopback addresses only, unless its token is shown"
                    .to_owned(),
            hint: Some(format!(
                "run the command where the emulator runs, in its container perhaps; or show the token, which lies in \
                 control.token in the emulator's data directory: {CONTROL_TOKEN_FILE}=PATH"
            )),
        }
    }

    /// The token is missing, or another.
    pub(super) fn token_needed() -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            code: "Unauthorized".to_owned(),
            message: "the control API wants its token, and this request has another or none"
                .to_owned(),
            hint: Some(format!(
                "name its file, control.token in the emulator's data directory: {CONTROL_TOKEN_FILE}=PATH"
            )),
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

    /// A role for vaults, in a registry.
    pub(super) fn role_for_vaults(role: Role, principal: &Principal) -> Self {
        Self {
            hint: Some(format!(
                "assign it in a vault with: sealock role assign --role \"{role}\" {} --vault NAME",
                principal.option()
            )),
            ..Self::bad_request(format!(
                "the role {role} is for vaults and permits nothing in a registry"
            ))
        }
    }

    /// A fault of the disk that keeps the emulator from serving the request.
    fn fault(fault: Fault, error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "the control API cannot do what it was asked");
        let (status, code) = match fault {
            Fault::Full => (StatusCode::INSUFFICIENT_STORAGE, "DiskFull"),
            Fault::ReadOnly => (StatusCode::INSUFFICIENT_STORAGE, "DiskReadOnly"),
            Fault::Failing => (StatusCode::INSUFFICIENT_STORAGE, "DiskFailing"),
            Fault::TooManyFiles => (StatusCode::SERVICE_UNAVAILABLE, "TooManyFiles"),
        };
        Self {
            status,
            code: code.to_owned(),
            message: format!("{fault}: {error}"),
            hint: Some(storage::remedy(fault).to_owned()),
        }
    }

    fn from_store(error: &sealock_store::Error) -> Self {
        match error.fault() {
            Some(fault) => Self::fault(fault, error),
            None if matches!(error, sealock_store::Error::Overtaken) => Self {
                status: StatusCode::SERVICE_UNAVAILABLE,
                code: "Overtaken".to_owned(),
                message: error.to_string(),
                hint: None,
            },
            None => Self::internal(error),
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
        let mut response = (self.status, Json(json!({"error": error}))).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"sealock control\"");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
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
        if let Some(fault) = error.fault() {
            return Self::fault(fault, &error);
        }
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
        if let sealock_entra::Error::Store(error) = &error {
            return Self::from_store(error);
        }
        let (status, code) = error.status_and_code();
        if status.is_server_error() {
            return Self::internal(&error);
        }
        Self {
            status,
            code: code.to_owned(),
            message: error.to_string(),
            hint: error.hint(),
        }
    }
}

impl From<sealock_cmk::Error> for ControlError {
    fn from(error: sealock_cmk::Error) -> Self {
        let (code, hint) = match &error {
            sealock_cmk::Error::Refused(refusal) => (refusal.code(), way_out(refusal)),
            sealock_cmk::Error::Revoked(_) => {
                ("Denied", Some("see why with: sealock status".to_owned()))
            }
            sealock_cmk::Error::Store(error) => return Self::from_store(error),
            _ => return Self::internal(&error),
        };
        Self {
            status: StatusCode::CONFLICT,
            code: code.to_owned(),
            message: error.to_string(),
            hint,
        }
    }
}

/// What to do about a rule that a request breaks.
fn way_out(refusal: &CmkRefusal) -> Option<String> {
    match refusal {
        CmkRefusal::EncryptionDiffers(registry) => Some(format!(
            "change it with: sealock registry rotate-key {registry} --key KEY --identity NAME"
        )),
        CmkRefusal::EncryptionPermanent(_) => Some("name its --key and --identity again".to_owned()),
        CmkRefusal::IdentityNotAssigned { registry, .. } => Some(format!(
            "name an identity that may use the current key: sealock registry rotate-key {registry} --identity NAME"
        )),
        CmkRefusal::KeyInaccessible { .. } => Some(
            "see what the vault refused with: sealock audit; and whether the current key can be used: sealock status"
                .to_owned(),
        ),
        _ => None,
    }
}

impl From<sealock_registry::Error> for ControlError {
    fn from(error: sealock_registry::Error) -> Self {
        if let sealock_registry::Error::Custody(error) = error {
            return error.into();
        }
        if let sealock_registry::Error::Store(error) = &error {
            return Self::from_store(error);
        }
        let (status, code) = error.status_and_code();
        if status.is_server_error() {
            return Self::internal(&error);
        }
        let hint = match &error {
            sealock_registry::Error::Refused(Refusal::AdminDisabled(registry)) => Some(format!(
                "enable it with: sealock registry update {registry} --admin-enabled true"
            )),
            sealock_registry::Error::Refused(Refusal::ScopeMapUnknown(_)) => {
                Some("see those that there are with: sealock registry scope-map list".to_owned())
            }
            sealock_registry::Error::Refused(Refusal::TokenUnknown(_)) => {
                Some("see those that there are with: sealock registry token list".to_owned())
            }
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
        Self::from_store(&error)
    }
}
