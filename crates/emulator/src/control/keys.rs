use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
};
use sealock_core::{KeyName, KeyVersion, VaultName};
use sealock_vault::{Key, KeySpec};
use serde::{Deserialize, Serialize};

use super::{Answer, ControlError, OPERATOR, body::Body, vault_and_key};
use crate::services::Services;

#[derive(Serialize)]
pub(super) struct List {
    keys: Vec<Key>,
}

pub(super) async fn list(
    State(services): State<Services>,
    Path(vault): Path<String>,
) -> Answer<List> {
    let keys = services.vault.keys(OPERATOR, &vault.parse()?).await?;
    Ok(Json(List { keys }))
}

pub(super) async fn show(
    State(services): State<Services>,
    Path(path): Path<(String, String)>,
) -> Answer<Key> {
    let (vault, key) = vault_and_key(path)?;
    Ok(Json(services.vault.key(OPERATOR, &vault, &key).await?))
}

pub(super) async fn create(
    State(services): State<Services>,
    Path(path): Path<(String, String)>,
    Body(spec): Body<KeySpec>,
) -> Answer<Key> {
    let (vault, key) = vault_and_key(path)?;
    let created = services
        .vault
        .create_key(OPERATOR, &vault, &key, spec)
        .await?;
    followed(&services, &vault, &key).await?;
    Ok(Json(created))
}

pub(super) async fn rotate(
    State(services): State<Services>,
    Path(path): Path<(String, String)>,
) -> Answer<Key> {
    let (vault, key) = vault_and_key(path)?;
    let rotated = services.vault.rotate_key(OPERATOR, &vault, &key).await?;
    followed(&services, &vault, &key).await?;
    Ok(Json(rotated))
}

/// A new key version is answered for once every registry that follows the key has moved to it.
async fn followed(
    services: &Services,
    vault: &VaultName,
    key: &KeyName,
) -> Result<(), ControlError> {
    Ok(services.custodian.follow(vault, key).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Update {
    enabled: bool,
}

pub(super) async fn update(
    State(services): State<Services>,
    Path(path): Path<(String, String)>,
    Body(asked): Body<Update>,
) -> Answer<Key> {
    set_enabled(&services, path, None, asked.enabled).await
}

pub(super) async fn update_version(
    State(services): State<Services>,
    Path((vault, key, version)): Path<(String, String, String)>,
    Body(asked): Body<Update>,
) -> Answer<Key> {
    set_enabled(
        &services,
        (vault, key),
        Some(version.parse()?),
        asked.enabled,
    )
    .await
}

async fn set_enabled(
    services: &Services,
    path: (String, String),
    version: Option<KeyVersion>,
    enabled: bool,
) -> Answer<Key> {
    let (vault, key) = vault_and_key(path)?;
    let changed = services
        .vault
        .set_enabled(OPERATOR, &vault, &key, version.as_ref(), enabled);
    Ok(Json(changed.await?))
}

pub(super) async fn delete(
    State(services): State<Services>,
    Path(path): Path<(String, String)>,
) -> Answer<Key> {
    let (vault, key) = vault_and_key(path)?;
    Ok(Json(
        services.vault.delete_key(OPERATOR, &vault, &key).await?,
    ))
}

pub(super) async fn recover(
    State(services): State<Services>,
    Path(path): Path<(String, String)>,
) -> Answer<Key> {
    let (vault, key) = vault_and_key(path)?;
    Ok(Json(
        services.vault.recover_key(OPERATOR, &vault, &key).await?,
    ))
}

pub(super) async fn purge(
    State(services): State<Services>,
    Path(path): Path<(String, String)>,
) -> Result<StatusCode, ControlError> {
    let (vault, key) = vault_and_key(path)?;
    services.vault.purge_key(OPERATOR, &vault, &key).await?;
    Ok(StatusCode::NO_CONTENT)
}
