use serde_json::json;

use super::{
    call::{Answer, Call},
    page::{self, PageQuery},
};
use crate::{Error, RepositoryName};

/// `GET` of a repository's tags (end-8).
pub(super) async fn list(
    call: Call,
    repository: &RepositoryName,
    asked: Result<PageQuery, Error>,
) -> Answer {
    let asked = asked?;
    let limit = asked.limit.unwrap_or(page::PAGE_LIMIT);
    let last = asked.last.as_deref();
    let tags = call.registry.tags(repository, last, limit).await?;
    let path = format!("/v2/{repository}/tags/list");
    Ok(page::answer(
        &path,
        limit,
        &tags,
        |tags| json!({"name": repository, "tags": tags}),
    ))
}
