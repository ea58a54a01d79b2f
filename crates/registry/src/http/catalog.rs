use axum::http::Method;
use serde_json::json;

use super::{Answer, Call, page};

/// `GET` of the repositories, as Docker has it.
///
/// <https://distribution.github.io/distribution/spec/api/#listing-repositories>
pub(super) fn answer(call: &Call) -> Answer {
    if !matches!(call.method, Method::GET | Method::HEAD) {
        return Err(call.method_not_allowed("GET, HEAD"));
    }
    page::answer(
        "/v2/_catalog",
        page::limit(call)?,
        |limit| call.registry.repositories(call.query("last"), limit),
        |repositories| json!({"repositories": repositories}),
    )
}
