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
    page_query: Result<PageQuery, Error>,
) -> Answer {
    let page_query = page_query?;
    let limit = page_query.limit.unwrap_or(page::PAGE_LIMIT);
    let last = page_query.last.as_deref();
    let tags = call.registry.tags(repository, last, limit).await?;
    let path = format!("/v2/{repository}/tags/list");
    Ok(page::render(
        &path,
        limit,
        &tags,
        |tags| json!({"name": repository, "tags": tags}),
    ))
}
