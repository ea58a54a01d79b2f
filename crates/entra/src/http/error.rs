use axum::{
    Json,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Error;

/// How a service writes its errors.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// The Instance Metadata Service: OAuth's two fields.
    OAuth,
    /// App Service's managed identity endpoint.
    AppService,
    /// Entra: OAuth's two fields, and what its support asks for, the time among it.
    Entra(Timestamp),
}

pub(super) fn render(error: &Error, shape: Shape) -> Response {
    let (status, code) = error.status_and_code();
    let mut message = error.to_string();
    if let Some(fault) = error.fault() {
        tracing::error!(%error, "the directory cannot do what it was asked");
        message = format!("the emulator cannot do this now: {fault}");
    } else if status.is_server_error() {
        tracing::error!(%error, "the directory failed");
        // It may name files of the data directory.
        "the directory failed; the emulator's log says why".clone_into(&mut message);
    }
    let body = match shape {
        Shape::OAuth => json!({"error": code, "error_description": message}),
        Shape::AppService => json!({"statusCode": status.as_u16(), "message": message}),
        Shape::Entra(now) => entra(error, code, &message, now),
    };
    let mut response = (status, Json(body)).into_response();
    if error.fault().is_some() {
        let seconds = HeaderValue::from_static("1");
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    if let Error::MethodNotAllowed { allowed, .. } = error {
        let allowed = HeaderValue::from_static(allowed);
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

/// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#error-response>
fn entra(error: &Error, code: &str, message: &str, now: Timestamp) -> Value {
    let (trace, correlation) = (Uuid::new_v4(), Uuid::new_v4());
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
