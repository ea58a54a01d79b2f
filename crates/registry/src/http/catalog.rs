use serde_json::json;

use super::{
    call::{Answer, Call},
    page::{self, PageQuery},
};
use crate::Error;

/// `GET` of the repositories, as Docker defines it.
///
/// <https://distribution.github.io/distribution/spec/api/#listing-repositories>
pub(super) async fn list(call: Call, page_query: Result<PageQuery, Error>) -> Answer {
    let page_query = page_query?;
    let limit = page_query.limit.unwrap_or(page::PAGE_LIMIT);
    let last = page_query.last.as_deref();
    let repositories = call.registry.repositories(last, limit).await?;
    Ok(page::render(
        "/v2/_catalog",
        limit,
        &repositories,
        |repositories| json!({ "repositories": repositories }),
    ))
}
