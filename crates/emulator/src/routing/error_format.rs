use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use sealock_entra::http as entra_http;
use sealock_registry::http as registry_http;
use sealock_vault::http as vault_http;
use serde_json::json;

use super::host::Service;
use crate::control;

/// The format of a service's errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorFormat {
    /// The format of OCI, for the registry.
    Oci,
    /// The format of Azure, for the vault, Resource Manager, Graph, and requests without a service.
    Azure,
    /// The format of OAuth, for Entra and the Instance Metadata Service.
    OAuth,
    /// The format of App Service's managed identity endpoint.
    AppService,
    /// The problem details of the control API.
    Problem,
}

impl ErrorFormat {
    /// Returns the format of the service that receives a request.
    pub(super) fn of(service: &Service, path: &str) -> Self {
        match service {
            Service::Registry(_) => Self::Oci,
            Service::Page | Service::Friendly if control::is_control_path(path) => Self::Problem,
            Service::Vault(_) | Service::ResourceManager | Service::Graph | Service::Page => {
                Self::Azure
            }
            Service::Entra => Self::OAuth,
            Service::Friendly => Self::of_path(path),
        }
    }

    /// Returns the format of the service at a path of the friendly door.
    fn of_path(path: &str) -> Self {
        if vault_http::is_vault_path(path) {
            return Self::Azure;
        }
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        match segments.next().unwrap_or_default() {
            "v2" | "acr" | "oauth2" => Self::Oci,
            "msi" => Self::AppService,
            _ if entra_http::is_managed_identity_path(path)
                || entra_http::is_authority_path(path) =>
            {
                Self::OAuth
            }
            _ => Self::Azure,
        }
    }

    /// Renders a refusal in this format.
    pub(super) fn refusal(self, status: StatusCode, message: &str) -> Response {
        let body = match self {
            Self::Oci => {
                json!({"errors": [{"code": "UNSUPPORTED", "message": message}]})
            }
            Self::Azure => json!({"error": {"code": code(status), "message": message}}),
            Self::OAuth => json!({"error": "invalid_request", "error_description": message}),
            Self::AppService => json!({"statusCode": status.as_u16(), "message": message}),
            Self::Problem => return control::refuse(status, &code(status), message),
        };
        let response = (status, Json(body)).into_response();
        match self {
            Self::Oci => registry_http::with_common_headers(response),
            _ => response,
        }
    }
}

fn code(status: StatusCode) -> String {
    if status == StatusCode::NOT_IMPLEMENTED {
        return "NotSupportedByEmulator".to_owned();
    }
    let reason = status.canonical_reason().unwrap_or_default();
    reason.replace(' ', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_has_the_format_of_the_service_at_its_path() {
        for (path, format) in [
            ("/v2/app/manifests/v1", ErrorFormat::Oci),
            ("/acr/v1/app", ErrorFormat::Oci),
            ("/oauth2/token", ErrorFormat::Oci),
            ("/keys/k/create", ErrorFormat::Azure),
            ("/_sealock/v1/clock", ErrorFormat::Problem),
            ("/subscriptions/x", ErrorFormat::Azure),
            ("/", ErrorFormat::Azure),
            ("/nowhere", ErrorFormat::Azure),
            ("/metadata/identity/oauth2/token", ErrorFormat::OAuth),
            ("//metadata/identity/oauth2/token", ErrorFormat::OAuth),
            ("/msi/token", ErrorFormat::AppService),
            ("/tenant/oauth2/v2.0/token", ErrorFormat::OAuth),
            ("/v2/oauth2/tags/list", ErrorFormat::Oci),
        ] {
            assert_eq!(ErrorFormat::of(&Service::Friendly, path), format, "{path}");
        }
    }
}
