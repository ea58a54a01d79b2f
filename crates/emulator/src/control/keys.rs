use axum::{Json, extract::State, http::StatusCode};
use sealock_core::{KeyVersion, RegistryName};
use sealock_vault::{Key, KeySpec};
use serde::{Deserialize, Serialize};

use super::{
    Answer, ControlError, OPERATOR,
    extract::{Body, Path},
    vault_and_key,
};
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
) -> Answer<Followed> {
    let (vault, key) = vault_and_key(path)?;
    let created = services
        .vault
        .create_key(OPERATOR, &vault, &key, spec)
        .await?;
    followed(&services, created).await
}

pub(super) async fn rotate(
    State(services): State<Services>,
    Path(path): Path<(String, String)>,
) -> Answer<Followed> {
    let (vault, key) = vault_and_key(path)?;
    let rotated = services.vault.rotate_key(OPERATOR, &vault, &key).await?;
    followed(&services, rotated).await
}

/// A key with a new version.
#[derive(Serialize)]
pub(super) struct Followed {
    #[serde(flatten)]
    key: Key,
    /// The registries that follow the key, but could not move yet.
    left_behind: Vec<RegistryName>,
}

/// A new key version is answered for once every registry that follows the key has moved to it.
async fn followed(services: &Services, key: Key) -> Answer<Followed> {
    let left_behind = services.custodian.follow(&key.current).await?;
    let registries = services.registries.list()?.into_iter();
    let left_behind = registries
        .filter(|registry| left_behind.contains(&registry.record.id))
        .map(|registry| registry.record.name)
        .collect();
    Ok(Json(Followed { key, left_behind }))
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
