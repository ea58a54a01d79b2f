use serde_json::json;

use super::{Answer, Call, page};
use crate::RepositoryName;

/// `GET` of a repository's tags (end-8).
pub(super) async fn list(call: Call, repository: &RepositoryName) -> Answer {
    let limit = page::limit(&call)?.unwrap_or(page::PAGE_LIMIT);
    let last = call.query.first("last");
    let tags = call.registry.tags(repository, last, limit).await?;
    let path = format!("/v2/{repository}/tags/list");
    Ok(page::answer(
        &path,
        limit,
        &tags,
        |tags| json!({"name": repository, "tags": tags}),
    ))
}
