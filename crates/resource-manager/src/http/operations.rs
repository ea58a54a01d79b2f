use axum::{
    http::{HeaderValue, StatusCode, header},
    response::IntoResponse as _,
};
use sealock_entra::SUBSCRIPTION;
use sealock_http::header_value;

use super::{Answer, Call, endpoint::Word};

/// The seconds after which a client shall poll. The Azure SDKs take 0 for no value, and then wait 30 seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Answers 202 for an operation whose work is done. The client fetches the result at `Location`.
///
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations#url-to-monitor-status>
pub(super) async fn accepted(call: &Call) -> Answer {
    let operation = call.manager.record_operation().await?;
    let path = format!(
        "/subscriptions/{SUBSCRIPTION}/operationresults/{}",
        operation.id
    );
    let mut response = StatusCode::ACCEPTED.into_response();
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, RETRY_AFTER);
    if let Some(url) = header_value(call.url(&path)) {
        headers.insert(header::LOCATION, url);
    }
    Ok(response)
}

pub(super) async fn show_result(call: Call, id: Word) -> Answer {
    call.manager.operation(&id.0).await?;
    Ok(StatusCode::OK.into_response())
}
