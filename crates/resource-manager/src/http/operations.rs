use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use sealock_entra::SUBSCRIPTION;
use sealock_http::header_value;
use serde_json::json;

use super::{Answer, Call, endpoint::Word};
use crate::{End, Error, Failure, Operation};

/// The seconds after which a client shall poll. The Azure SDKs take 0 for no value, and then wait 30 seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Answers 202 for an operation of Resource Manager itself. The client polls `Location`.
///
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations#url-to-monitor-status>
pub(super) fn accepted(call: &Call, operation: &Operation) -> Response {
    let results = format!("/subscriptions/{SUBSCRIPTION}/operationresults");
    accepted_in(call, operation, &results)
}

/// Answers 202 for an operation whose result is in `results`. The client polls `Location`.
///
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations#url-to-monitor-status>
pub(super) fn accepted_in(call: &Call, operation: &Operation, results: &str) -> Response {
    let mut response = StatusCode::ACCEPTED.into_response();
    insert_poll(
        &mut response,
        header::LOCATION,
        call.url(&format!("{results}/{}", operation.id)),
    );
    response
}

/// Adds the URL of the state of an operation on a resource to an answer.
///
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations#url-to-monitor-status>
pub(super) fn with_status_url(
    call: &Call,
    operation: &Operation,
    kind: &str,
    mut response: Response,
) -> Response {
    let path = format!(
        "{}/operationStatuses/{kind}-{}",
        operation.resource, operation.id
    );
    let name = HeaderName::from_static("azure-asyncoperation");
    insert_poll(&mut response, name, call.url(&path));
    response
}

fn insert_poll(response: &mut Response, name: HeaderName, url: String) {
    insert_retry_after(response);
    if let Some(url) = header_value(url) {
        response.headers_mut().insert(name, url);
    }
}

/// Tells the client when to poll.
pub(super) fn insert_retry_after(response: &mut Response) {
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, RETRY_AFTER);
}

/// Shows the state of an operation on a resource. Its id follows the kind of resource.
pub(super) async fn show_status(call: Call, id: Word) -> Answer {
    let (kind, id) = id.0.split_once('-').unwrap_or_default();
    let operation = call.manager.operation(id).await?;
    let mut body = json!({"status": operation.provisioning_state().as_str()});
    if let Some(Failure { code, message }) = operation.failure() {
        body["error"] = json!({"code": code, "message": message});
    }
    Ok(with_status_url(
        &call,
        &operation,
        kind,
        Json(body).into_response(),
    ))
}

/// Shows the result of an operation of Resource Manager itself: 202 until it has ended.
pub(super) async fn show_result(call: Call, id: Word) -> Answer {
    let operation = call.manager.operation(&id.0).await?;
    match &operation.end {
        None => Ok(accepted(&call, &operation)),
        Some(End { failure: None, .. }) => Ok(StatusCode::OK.into_response()),
        Some(End {
            failure: Some(failure),
            ..
        }) => Err(Error::OperationFailed(failure.clone())),
    }
}
