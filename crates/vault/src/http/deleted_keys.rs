use axum::{Json, http::StatusCode, response::IntoResponse as _};
use sealock_core::KeyName;

use super::{
    Answer, Call,
    bundle::{BundleBody, ItemBody},
    page::PageQuery,
};

pub(super) async fn list(call: Call<'_>, asked: PageQuery) -> Answer {
    let vault = &call.vault;
    let keys = call
        .vaults
        .list_deleted_keys(&call.requester, vault, asked.page)
        .await?;
    Ok(
        call.listed("/deletedkeys", asked.max_results, &keys, |key| {
            ItemBody::of(call.names, key)
        }),
    )
}

pub(super) async fn get(call: Call<'_>, key: KeyName) -> Answer {
    let vault = &call.vault;
    let deleted = call
        .vaults
        .deleted_key(&call.requester, vault, &key)
        .await?;
    Ok(Json(BundleBody::deleted(call.names, &deleted)).into_response())
}

pub(super) async fn purge(call: Call<'_>, key: KeyName) -> Answer {
    let vault = &call.vault;
    call.vaults.purge_key(&call.requester, vault, &key).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn recover(call: Call<'_>, key: KeyName) -> Answer {
    let vault = &call.vault;
    let recovered = call
        .vaults
        .recover_key(&call.requester, vault, &key)
        .await?;
    Ok(Json(BundleBody::of(call.names, &recovered.current)).into_response())
}
