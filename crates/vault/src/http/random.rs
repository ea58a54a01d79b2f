use axum::{Json, response::IntoResponse as _};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Call};
use crate::{crypto::base64url::encode, operation::GetRandomBytes};

#[derive(Deserialize)]
struct RandomBody {
    count: i64,
}

/// <https://learn.microsoft.com/rest/api/keyvault/keys/get-random-bytes/get-random-bytes>
pub(super) async fn get(mut call: Call<'_>) -> Answer {
    let permit = call.authorize(GetRandomBytes, call.vault.clone()).await?;
    let count = |body: RandomBody| Ok(usize::try_from(body.count).unwrap_or_default());
    let (permit, count) = call.read(permit, count).await?;
    let bytes = permit.run(count).await?;
    Ok(Json(json!({ "value": encode(&bytes) })).into_response())
}
