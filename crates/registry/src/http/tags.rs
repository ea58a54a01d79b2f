use axum::http::Method;
use serde_json::json;

use super::{Answer, Call, page};
use crate::RepositoryName;

/// `GET` of a repository's tags (end-8).
pub(super) fn answer(call: &Call, repository: &RepositoryName) -> Answer {
    if !matches!(call.method, Method::GET | Method::HEAD) {
        return Err(call.method_not_allowed("GET, HEAD"));
    }
    page::answer(
        &format!("/v2/{repository}/tags/list"),
        page::limit(call)?,
        |limit| call.registry.tags(repository, call.query("last"), limit),
        |tags| json!({"name": repository, "tags": tags}),
    )
}
