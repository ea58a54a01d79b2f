use axum::{Json, response::IntoResponse as _};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Call};
use crate::base64url::encode;

#[derive(Deserialize)]
struct RandomBody {
    count: i64,
}

/// <https://learn.microsoft.com/rest/api/keyvault/keys/get-random-bytes/get-random-bytes>
pub(super) async fn answer(mut call: Call<'_>) -> Answer {
    let count = call.json(None, None).await;
    let count = count.map(|body: RandomBody| usize::try_from(body.count).unwrap_or_default());
    let vault = &call.vault;
    let bytes = call
        .vaults
        .random_bytes(&call.requester, vault, count)
        .await?;
    Ok(Json(json!({ "value": encode(&bytes) })).into_response())
}
