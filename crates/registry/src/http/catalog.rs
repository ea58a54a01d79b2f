use serde_json::json;

use super::{Answer, Call, page};

/// `GET` of the repositories, as Docker has it.
///
/// <https://distribution.github.io/distribution/spec/api/#listing-repositories>
pub(super) async fn list(call: Call) -> Answer {
    let limit = page::limit(&call)?.unwrap_or(page::PAGE_LIMIT);
    let last = call.query.first("last");
    let repositories = call.registry.repositories(last, limit).await?;
    Ok(page::answer(
        "/v2/_catalog",
        limit,
        &repositories,
        |repositories| json!({ "repositories": repositories }),
    ))
}
