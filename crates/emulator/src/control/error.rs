use axum::{
    Json,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use sealock_api::{self as api, Hint, PROBLEM_JSON, Problem, Purge};
use sealock_core::{InvalidKeyIdentifier, InvalidName, excerpt};
use sealock_entra::{Principal, Role};
use sealock_store::Fault;

use super::hints::{self, advice};
use crate::{secrets::shared_secret::CONTROL_TOKEN_FILE, storage};

/// A refusal of the control API.
pub(super) struct ControlError(Box<Problem>);

impl ControlError {
    pub(super) fn new(
        status: StatusCode,
        code: &str,
        detail: impl Into<String>,
        hints: Vec<Hint>,
    ) -> Self {
        Self(Box::new(Problem::new(status, code, detail.into(), hints)))
    }

    /// Adds the cause for which the vault refuses a key, and replaces the hints.
    pub(super) fn with_cause(mut self, cause: api::Cause, hints: Vec<Hint>) -> Self {
        self.0.cause = Some(cause);
        self.0.hints = hints;
        self
    }

    /// Replaces the hints by one.
    pub(super) fn with_hint(mut self, hint: Hint) -> Self {
        self.0.hints = vec![hint];
        self
    }

    /// Returns the problem.
    pub(super) fn into_problem(self) -> Problem {
        *self.0
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::unreadable(StatusCode::BAD_REQUEST, detail)
    }

    /// Refuses a change without fields.
    pub(super) fn nothing_to_change() -> Self {
        Self::bad_request("the request changes nothing; name at least one field to change")
    }

    /// Refuses to move the clock if that would purge vaults or keys without permission.
    pub(super) fn would_purge(purges: &[Purge]) -> Self {
        let named = purges.iter().map(|Purge { vault, key }| match key {
            Some(key) => format!("key {vault}/{key}"),
            None => format!("vault {vault} with its keys"),
        });
        let named = named.collect::<Vec<_>>().join(", ");
        let detail = format!(
            "the retention of {named} would end, and the purge that follows cannot be undone"
        );
        let hints = vec![Hint::AllowPurge];
        Self::new(StatusCode::CONFLICT, "WouldPurge", detail, hints)
    }

    /// Refuses an invalid path, query or body.
    pub(super) fn unreadable(status: StatusCode, detail: impl Into<String>) -> Self {
        Self::new(status, "BadRequest", detail, Vec::new())
    }

    pub(super) fn not_found(path: &str) -> Self {
        let detail = format!("the control API has no path '{}'", excerpt(path));
        let hint = advice("use a command line of the same version as the emulator");
        Self::new(StatusCode::NOT_FOUND, "NotFound", detail, vec![hint])
    }

    /// Reports that the CA for Azure's host names does not exist.
    pub(super) fn azure_names_not_served() -> Self {
        let detail = "Azure's host names are not served, so they have no CA";
        let hint = advice("set tls.azure_names = true in the configuration");
        Self::new(StatusCode::NOT_FOUND, "NotFound", detail, vec![hint])
    }

    /// Refuses a request from a web page outside `page`. That origin serves no content of registries, so its pages are the
    /// emulator's own.
    pub(super) fn not_for_pages(page: &str) -> Self {
        let detail = format!(
            "the request comes from a web page, and the control API answers only pages of {page}"
        );
        let hint = advice(format!(
            "in a browser, open {page}; in other clients, omit the headers Origin and Sec-Fetch-Site"
        ));
        Self::new(StatusCode::FORBIDDEN, "Forbidden", detail, vec![hint])
    }

    /// Refuses a request from another machine without the token.
    pub(super) fn remote_token_required() -> Self {
        let detail = "requests from other machines need the token of the control API";
        let hints = vec![
            advice("run the command where the emulator runs, such as in its container"),
            advice(format!(
                "name the token's file, control.token in the emulator's data directory: {CONTROL_TOKEN_FILE}=PATH"
            )),
        ];
        Self::new(StatusCode::FORBIDDEN, "Forbidden", detail, hints)
    }

    /// Refuses a request with a missing or wrong token.
    pub(super) fn token_required() -> Self {
        let detail = "the token of the control API is missing or wrong";
        let hint = advice(format!(
            "name the token's file, control.token in the emulator's data directory: {CONTROL_TOKEN_FILE}=PATH"
        ));
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", detail, vec![hint])
    }

    pub(super) fn method_not_allowed(method: &Method) -> Self {
        let detail = format!("the method {method} is not allowed here");
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Self::new(status, "MethodNotAllowed", detail, Vec::new())
    }

    /// Refuses to assign a role for vaults in a registry.
    pub(super) fn role_for_vaults(role: Role, principal: &Principal) -> Self {
        let detail = format!("the role {role} is for vaults and permits nothing in a registry");
        let hint = hints::named_principal(principal).map(|principal| Hint::AssignRole {
            role: role.to_string(),
            principal,
            vault: None,
        });
        let hints = hint.into_iter().collect();
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", detail, hints)
    }

    /// Reports a fault of the disk that keeps the emulator from serving the request.
    fn fault(fault: Fault, error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "the control API cannot serve a request");
        let (status, code) = match fault {
            Fault::Full => (StatusCode::INSUFFICIENT_STORAGE, "DiskFull"),
            Fault::ReadOnly => (StatusCode::INSUFFICIENT_STORAGE, "DiskReadOnly"),
            Fault::Failing => (StatusCode::INSUFFICIENT_STORAGE, "DiskFailing"),
            Fault::TooManyFiles => (StatusCode::SERVICE_UNAVAILABLE, "TooManyFiles"),
        };
        let mut hints = vec![advice(storage::remedy(fault))];
        hints.extend(storage::hints(fault));
        hints.push(Hint::ShowStatus);
        Self::new(status, code, format!("{fault}: {error}"), hints)
    }

    fn from_store(error: &sealock_store::Error) -> Self {
        match error.fault() {
            Some(fault) => Self::fault(fault, error),
            None if matches!(error, sealock_store::Error::Overtaken) => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                Self::new(status, "Overtaken", error.to_string(), Vec::new())
            }
            None => Self::internal(error),
        }
    }

    fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "the control API failed");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::new(status, "InternalServerError", error.to_string(), Vec::new())
    }
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        let Self(problem) = self;
        let status = StatusCode::from_u16(problem.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        let problem_json = HeaderValue::from_static(PROBLEM_JSON);
        headers.insert(header::CONTENT_TYPE, problem_json);
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"sealock control\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl From<Problem> for ControlError {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
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
        let code = error.inner_code().unwrap_or_else(|| error.code());
        let hints = hints::for_vault_error(&error);
        Self::new(status, code, error.to_string(), hints)
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
        let hints = hints::for_directory_error(&error);
        Self::new(status, code, error.to_string(), hints)
    }
}

impl From<sealock_cmk::Error> for ControlError {
    fn from(error: sealock_cmk::Error) -> Self {
        let (code, hints) = match &error {
            sealock_cmk::Error::Refused(refusal) => {
                (refusal.code(), hints::for_cmk_refusal(refusal))
            }
            sealock_cmk::Error::Revoked(_) => ("Denied", vec![Hint::ShowStatus]),
            sealock_cmk::Error::Store(error) => return Self::from_store(error),
            _ => return Self::internal(&error),
        };
        Self::new(StatusCode::CONFLICT, code, error.to_string(), hints)
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
        let hints = hints::for_registry_error(&error);
        Self::new(status, code, error.to_string(), hints)
    }
}

impl From<sealock_resource_manager::Error> for ControlError {
    fn from(error: sealock_resource_manager::Error) -> Self {
        use sealock_resource_manager::Error as E;
        match &error {
            E::OperationNotFound(_) | E::OperationEnded(_) => {
                let (status, code) = error.status_and_code();
                Self::new(status, code, error.to_string(), vec![Hint::ListOperations])
            }
            E::Store(error) => Self::from_store(error),
            error => Self::internal(error),
        }
    }
}

impl From<sealock_store::Error> for ControlError {
    fn from(error: sealock_store::Error) -> Self {
        Self::from_store(&error)
    }
}
