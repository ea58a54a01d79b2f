use axum::http::Method;
use serde_json::json;

use super::{Answer, Call, page};

/// `GET` of the repositories, as Docker has it.
///
/// <https://distribution.github.io/distribution/spec/api/#listing-repositories>
pub(super) async fn answer(call: Call) -> Answer {
    if !matches!(call.method, Method::GET | Method::HEAD) {
        return Err(call.method_not_allowed("GET, HEAD"));
    }
    let limit = page::limit(&call)?.unwrap_or(page::PAGE_LIMIT);
    let last = call.query("last");
    let repositories = call.registry.repositories(last, limit).await?;
    page::answer(
        "/v2/_catalog",
        limit,
        &repositories,
        |repositories| json!({ "repositories": repositories }),
    )
}
