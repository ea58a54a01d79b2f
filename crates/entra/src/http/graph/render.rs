use axum::{
    Json,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use jiff::Timestamp;
use sealock_core::excerpt;
use sealock_http::ServiceError as _;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Error, InvalidToken, tokens::scope::GRAPH};

const CONTENT_TYPE: &str = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");

/// Renders an object or a list. Its context is an URL at `origin`.
pub(super) fn value(origin: &str, mut value: Value) -> Response {
    let context = value["@odata.context"].as_str().unwrap_or_default();
    value["@odata.context"] = format!("{origin}/v1.0/$metadata#{context}").into();
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE)),
        (
            HeaderName::from_static("odata-version"),
            HeaderValue::from_static("4.0"),
        ),
    ];
    with_request_id((headers, Json(value)).into_response(), Uuid::new_v4())
}

/// Renders an error in Graph's form.
///
/// <https://learn.microsoft.com/graph/errors#json-representation>
pub(super) fn error(error: &Error, now: Timestamp, headers: &HeaderMap) -> Response {
    let request = Uuid::new_v4();
    let client = headers
        .get(CLIENT_REQUEST_ID)
        .and_then(|it| it.to_str().ok());
    let client = client.map_or_else(|| request.to_string(), |id| excerpt(id).to_owned());
    let (status, code, message) = status_code_and_message(error);
    let mut response = sealock_http::render(error, |public| {
        let message = message.unwrap_or(public);
        Json(json!({
            "error": {
                "code": code,
                "message": message,
                "innerError": {
                    "date": now.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
                    "request-id": request,
                    "client-request-id": client,
                },
            },
        }))
    });
    *response.status_mut() = status;
    if status == StatusCode::UNAUTHORIZED {
        let challenge = format!("Bearer realm=\"\", client_id=\"{GRAPH}\"");
        if let Ok(challenge) = HeaderValue::from_str(&challenge) {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
    }
    with_request_id(response, request)
}

/// Returns Graph's status, code and, if it differs from ours, text of an error.
///
/// <https://learn.microsoft.com/graph/errors>, <https://learn.microsoft.com/graph/resolve-auth-errors>
fn status_code_and_message(error: &Error) -> (StatusCode, &'static str, Option<String>) {
    let bad_request = StatusCode::BAD_REQUEST;
    match error {
        Error::TokenMissing => (
            StatusCode::UNAUTHORIZED,
            "InvalidAuthenticationToken",
            Some("Access token is empty.".to_owned()),
        ),
        Error::TokenInvalid(why) => {
            let message = match why {
                InvalidToken::Audience(_) => {
                    "Access token validation failure. Invalid audience.".to_owned()
                }
                InvalidToken::Expired => {
                    "Lifetime validation failed, the token is expired.".to_owned()
                }
                why => format!("Access token validation failure. In detail: {why}."),
            };
            let code = "InvalidAuthenticationToken";
            (StatusCode::UNAUTHORIZED, code, Some(message))
        }
        Error::ObjectNotFound(_) => (StatusCode::NOT_FOUND, "Request_ResourceNotFound", None),
        Error::FilterUnsupported(_) => (bad_request, "Request_UnsupportedQuery", None),
        Error::NotDelegated | Error::BodyInvalid(_) => (bad_request, "BadRequest", None),
        Error::NotAnEndpoint(path) => {
            let segment = path.rsplit('/').next().unwrap_or_default();
            let message = format!(
                "Resource not found for the segment '{segment}'. This version of the emulator answers for principals only."
            );
            (bad_request, "BadRequest", Some(message))
        }
        Error::MethodNotAllowed { method, allowed } => {
            let message = format!(
                "Specified HTTP method {method} is not allowed for the request target. This version of the emulator answers {allowed} here."
            );
            let code = "Request_BadRequest";
            (StatusCode::METHOD_NOT_ALLOWED, code, Some(message))
        }
        error => {
            let status = error.status();
            let code = if status == StatusCode::SERVICE_UNAVAILABLE {
                "serviceNotAvailable"
            } else if status.is_server_error() {
                "generalException"
            } else {
                "BadRequest"
            };
            (status, code, None)
        }
    }
}

fn with_request_id(mut response: Response, id: Uuid) -> Response {
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}
