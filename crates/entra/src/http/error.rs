use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use jiff::Timestamp;
use sealock_http::{BodyIds, LoginRefusalReason, ServiceError};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Error;

/// The Instance Metadata Service's response to a request that came through a proxy. It is its only response in XML.
/// <https://github.com/terricain/certbot-dns-azure/issues/54>
const FORWARDED: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<Error xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">
    <Code>InvalidHeaderValue</Code>
    <Message>The value provided for one of the HTTP headers was not in the correct format.</Message>
    <Details>Header contains 'X-Forwarded-For' are not supported.</Details>
</Error>"#;

/// The format of a service's errors.
#[derive(Clone, Copy)]
pub(super) enum ErrorFormat<'a> {
    /// The Instance Metadata Service, with OAuth's two fields.
    OAuth,
    /// App Service's managed identity endpoint at this URL.
    AppService(&'a str),
    /// Entra, with OAuth's two fields and the details that its support asks for, such as this time.
    Entra(Timestamp),
}

pub(super) fn render(error: &Error, format: ErrorFormat<'_>) -> Response {
    let (status, code) = error.status_and_code();
    if let (Error::Forwarded, ErrorFormat::OAuth) = (error, format) {
        let content_type = (header::CONTENT_TYPE, "application/xml; charset=utf-8");
        return (status, [content_type], FORWARDED).into_response();
    }
    let (trace, correlation) = (Uuid::new_v4(), Uuid::new_v4());
    let mut response = sealock_http::render(error, |message| {
        Json(match format {
            ErrorFormat::OAuth => json!({"error": code, "error_description": message}),
            ErrorFormat::AppService(url) => app_service(error, status, &message, url, correlation),
            ErrorFormat::Entra(now) => entra(error, code, &message, now, trace, correlation),
        })
    });
    let request = match format {
        ErrorFormat::OAuth => return response,
        ErrorFormat::AppService(_) => None,
        ErrorFormat::Entra(_) => Some(trace),
    };
    response.extensions_mut().insert(BodyIds {
        request,
        correlation,
    });
    response
}

impl ServiceError for Error {
    const SERVICE: &'static str = "directory";

    fn status(&self) -> StatusCode {
        self.status_and_code().0
    }

    fn public_message(&self) -> Option<String> {
        if let Some(fault) = self.fault() {
            return Some(format!(
                "the emulator cannot serve this request now: {fault}"
            ));
        }
        let failed = || "the directory failed; the emulator's log says why".to_owned();
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
        Some(match self {
            Self::AssertionAudienceUnknown
            | Self::AssertionAudienceWrong
            | Self::AssertionExpired { .. }
            | Self::AssertionIssuerUnknown(_)
            | Self::AssertionSignatureWrong
            | Self::AssertionSubjectUnknown(_)
            | Self::CertificateWrong { .. }
            | Self::PasswordWrong => LoginRefusalReason::new(self),
            Self::ClientCredentialMissing => {
                LoginRefusalReason::new("the client secret is missing")
            }
            Self::ClientSecretExpired(client) => LoginRefusalReason::new(format_args!(
                "the client secret of the application {client} has expired"
            )),
            Self::ClientSecretInvalid(client) => LoginRefusalReason::new(format_args!(
                "the client secret of the application {client} is wrong"
            )),
            Self::ClientUnknown { client, .. } if Uuid::parse_str(client).is_ok() => {
                LoginRefusalReason::new(format_args!("no application has the client id {client}"))
            }
            // The text may be a secret in the wrong field.
            Self::ClientUnknown { .. } => LoginRefusalReason::new("the client id is not a UUID"),
            Self::IdentityHeaderWrong | Self::ImdsClosed | Self::NotFromHere => {
                LoginRefusalReason::new(self)
            }
            Self::TenantNotFound(tenant) => {
                LoginRefusalReason::new(format_args!("the tenant '{tenant}' is not the emulator's"))
            }
            _ => return None,
        })
    }
}

/// Writes an error with App Service's texts, where they differ.
///
/// <https://github.com/AzureAD/microsoft-authentication-library-for-dotnet/issues/3794>,
/// <https://github.com/Azure/azure-sdk-for-net/issues/43691>
fn app_service(
    error: &Error,
    status: StatusCode,
    message: &str,
    url: &str,
    correlation: Uuid,
) -> Value {
    let of_version = |code: &str, message: &str| json!({"error": {"code": code, "message": message, "innerError": null}});
    let message = match error {
        Error::ApiVersionMissing => {
            let message = "An API version is required, but was not specified.";
            return of_version("ApiVersionUnspecified", message);
        }
        Error::ApiVersionUnsupported { given, .. } => {
            let message = format!(
                "The HTTP resource that matches the request URI '{url}' does not support the API version '{given}'."
            );
            return of_version("UnsupportedApiVersion", &message);
        }
        Error::IdentityAmbiguous => "Unable to load the proper Managed Identity.",
        Error::IdentityUnavailable => {
            "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId."
        }
        _ => message,
    };
    json!({
        "statusCode": status.as_u16(),
        "message": message,
        "correlationId": correlation,
    })
}

/// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#error-response>
fn entra(
    error: &Error,
    code: &str,
    message: &str,
    now: Timestamp,
    trace: Uuid,
    correlation: Uuid,
) -> Value {
    let timestamp = now.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    let number = error.aadsts();
    let name = number.map_or_else(String::new, |number| format!("AADSTS{number}: "));
    let stop = if message.ends_with('.') { "" } else { "." };
    let mut body = json!({
        "error": code,
        "error_description": format!("{name}{message}{stop} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}"),
        "error_codes": number.into_iter().collect::<Vec<_>>(),
        "timestamp": timestamp,
        "trace_id": trace,
        "correlation_id": correlation,
    });
    if let Some(number) = number {
        body["error_uri"] = format!("https://login.microsoftonline.com/error?code={number}").into();
    }
    body
}
