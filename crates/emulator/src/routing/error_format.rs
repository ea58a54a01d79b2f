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

/// The form of a service's errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorFormat {
    /// The registry, as OCI wants it.
    Oci,
    /// The vault, Resource Manager, Graph, and whoever is no service.
    Azure,
    /// Entra, and the Instance Metadata Service.
    OAuth,
    /// App Service's managed identity endpoint.
    AppService,
    /// The control API.
    Problem,
}

impl ErrorFormat {
    /// The shape of the service that a request is for.
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

    /// The shape of the service that the friendly door has at a path.
    fn of_path(path: &str) -> Self {
        if vault_http::is_vaults(path) {
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

    /// A refusal by nobody in particular.
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
    fn a_refusal_has_the_shape_of_the_service_at_its_path() {
        for (path, shape) in [
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
            assert_eq!(ErrorFormat::of(&Service::Friendly, path), shape, "{path}");
        }
    }
}
