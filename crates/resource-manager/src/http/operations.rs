use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use sealock_entra::SUBSCRIPTION;
use sealock_http::header_value;
use serde_json::json;

use super::{Answer, Call, endpoint::Word};

/// The seconds after which a client shall poll. The Azure SDKs take 0 for no value, and then wait 30 seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Answers 202 for an operation of Resource Manager itself, whose work is done.
pub(super) async fn accepted(call: &Call) -> Answer {
    accepted_in(
        call,
        &format!("/subscriptions/{SUBSCRIPTION}/operationresults"),
    )
    .await
}

/// Answers 202 for an operation whose work is done. The client fetches the result at `Location`, which is in `results`.
///
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations#url-to-monitor-status>
pub(super) async fn accepted_in(call: &Call, results: &str) -> Answer {
    let operation = call.manager.record_operation().await?;
    let path = format!("{results}/{}", operation.id);
    let mut response = StatusCode::ACCEPTED.into_response();
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, RETRY_AFTER);
    if let Some(url) = header_value(call.url(&path)) {
        headers.insert(header::LOCATION, url);
    }
    Ok(response)
}

/// Adds the URL of the state of an operation on a resource, whose work is done, to its answer.
///
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations#url-to-monitor-status>
pub(super) async fn with_status_url(
    call: &Call,
    resource_id: &str,
    kind: &str,
    mut response: Response,
) -> Answer {
    let operation = call.manager.record_operation().await?;
    let path = format!("{resource_id}/operationStatuses/{kind}-{}", operation.id);
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, RETRY_AFTER);
    if let Some(url) = header_value(call.url(&path)) {
        headers.insert(HeaderName::from_static("azure-asyncoperation"), url);
    }
    Ok(response)
}

/// Shows the state of an operation on a resource. Its id follows the kind of resource.
pub(super) async fn show_status(call: Call, id: Word) -> Answer {
    let (_, operation) = id.0.split_once('-').unwrap_or_default();
    call.manager.operation(operation).await?;
    Ok(Json(json!({"status": "Succeeded"})).into_response())
}

pub(super) async fn show_result(call: Call, id: Word) -> Answer {
    call.manager.operation(&id.0).await?;
    Ok(StatusCode::OK.into_response())
}
