use axum::{Json, extract::State, http::StatusCode};
use sealock_vault::{Requester, Vault, VaultChange, VaultSettings, VaultSku};
use serde::{Deserialize, Serialize};

use super::{
    Answer, ControlError,
    extract::{Body, Path},
};
use crate::services::Services;

#[derive(Serialize)]
pub(super) struct List {
    vaults: Vec<Vault>,
}

pub(super) async fn list(State(services): State<Services>) -> Answer<List> {
    let vaults = services.vault.vaults(&Requester::operator()).await?;
    Ok(Json(List { vaults }))
}

pub(super) async fn show(
    State(services): State<Services>,
    Path(vault): Path<String>,
) -> Answer<Vault> {
    Ok(Json(
        services
            .vault
            .vault(&Requester::operator(), &vault.parse()?)
            .await?,
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    sku: Option<VaultSku>,
    rbac: Option<bool>,
    purge_protection: Option<bool>,
    soft_delete_retention_days: Option<u32>,
}

pub(super) async fn create(
    State(services): State<Services>,
    Path(vault): Path<String>,
    Body(asked): Body<Create>,
) -> Result<(StatusCode, Json<Vault>), ControlError> {
    let default = VaultSettings::default();
    let settings = VaultSettings {
        sku: asked.sku.unwrap_or(default.sku),
        rbac: asked.rbac.unwrap_or(default.rbac),
        purge_protection: asked.purge_protection.unwrap_or(default.purge_protection),
        soft_delete_retention_days: asked
            .soft_delete_retention_days
            .unwrap_or(default.soft_delete_retention_days),
    };
    let vault = services
        .vault
        .create_vault(&Requester::operator(), &vault.parse()?, settings)
        .await?;
    Ok((StatusCode::CREATED, Json(vault)))
}

pub(super) async fn update(
    State(services): State<Services>,
    Path(vault): Path<String>,
    Body(change): Body<VaultChange>,
) -> Answer<Vault> {
    if change == VaultChange::default() {
        return Err(ControlError::nothing_to_change());
    }
    let (operator, vault) = (Requester::operator(), vault.parse()?);
    let updated = services.vault.update_vault(&operator, &vault, change);
    Ok(Json(updated.await?))
}

pub(super) async fn delete(
    State(services): State<Services>,
    Path(vault): Path<String>,
) -> Answer<Vault> {
    Ok(Json(
        services
            .vault
            .delete_vault(&Requester::operator(), &vault.parse()?)
            .await?,
    ))
}

pub(super) async fn recover(
    State(services): State<Services>,
    Path(vault): Path<String>,
) -> Answer<Vault> {
    Ok(Json(
        services
            .vault
            .recover_vault(&Requester::operator(), &vault.parse()?)
            .await?,
    ))
}

pub(super) async fn purge(
    State(services): State<Services>,
    Path(vault): Path<String>,
) -> Result<StatusCode, ControlError> {
    services
        .vault
        .purge_vault(&Requester::operator(), &vault.parse()?)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
