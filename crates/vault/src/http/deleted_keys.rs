use axum::{Json, http::StatusCode, response::IntoResponse as _};
use sealock_core::KeyName;

use super::{
    Answer, Call,
    bundle::{BundleBody, ItemBody},
    page::PageQuery,
};
use crate::operation::{GetDeletedKey, ListDeletedKeys, PurgeKey, RecoverKey};

pub(super) async fn list(call: Call<'_>, query: PageQuery) -> Answer {
    let permit = call.authorize(ListDeletedKeys, call.vault.clone()).await?;
    let (permit, page) = permit.parse(async { query.page() }).await?;
    let keys = permit.run(page).await?;
    let entry = |key: &_| ItemBody::of(call.names, key);
    Ok(call.render_page("/deletedkeys", &query, &keys, entry))
}

pub(super) async fn get(call: Call<'_>, key: KeyName) -> Answer {
    let permit = call.authorize(GetDeletedKey, call.key(key, None)).await?;
    let deleted = permit.run().await?;
    Ok(Json(BundleBody::deleted(call.names, &deleted)).into_response())
}

pub(super) async fn purge(call: Call<'_>, key: KeyName) -> Answer {
    let permit = call.authorize(PurgeKey, call.key(key, None)).await?;
    permit.run().await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn recover(call: Call<'_>, key: KeyName) -> Answer {
    let permit = call.authorize(RecoverKey, call.key(key, None)).await?;
    let recovered = permit.run().await?;
    Ok(Json(BundleBody::of(call.names, &recovered.current)).into_response())
}
