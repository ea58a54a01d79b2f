use serde_json::json;

use super::{
    call::{Answer, Call},
    page::{self, PageQuery},
};
use crate::Error;

/// `GET` of the repositories, as Docker has it.
///
/// <https://distribution.github.io/distribution/spec/api/#listing-repositories>
pub(super) async fn list(call: Call, asked: Result<PageQuery, Error>) -> Answer {
    let asked = asked?;
    let limit = asked.limit.unwrap_or(page::PAGE_LIMIT);
    let last = asked.last.as_deref();
    let repositories = call.registry.repositories(last, limit).await?;
    Ok(page::answer(
        "/v2/_catalog",
        limit,
        &repositories,
        |repositories| json!({ "repositories": repositories }),
    ))
}
