use axum::http::Method;
use serde_json::json;

use super::{Answer, Call, page};
use crate::RepositoryName;

/// `GET` of a repository's tags (end-8).
pub(super) async fn answer(call: Call, repository: &RepositoryName) -> Answer {
    if !matches!(call.method, Method::GET | Method::HEAD) {
        return Err(call.method_not_allowed("GET, HEAD"));
    }
    let limit = page::limit(&call)?.unwrap_or(page::PAGE_LIMIT);
    let last = call.query("last");
    let tags = call.registry.tags(repository, last, limit).await?;
    let path = format!("/v2/{repository}/tags/list");
    page::answer(
        &path,
        limit,
        &tags,
        |tags| json!({"name": repository, "tags": tags}),
    )
}
