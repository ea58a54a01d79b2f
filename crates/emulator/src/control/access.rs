use std::collections::BTreeSet;

use axum::{Json, extract::State};
use sealock_core::VaultName;
use sealock_vault::{KeyPermission, Policy, Requester};
use serde::{Deserialize, Serialize};

use super::{
    Answer, ControlError,
    extract::{Body, Path},
    principals::{PrincipalView, id_of, named},
};
use crate::services::Services;

/// An access policy, with the name of whom it is for.
#[derive(Serialize)]
pub(super) struct PolicyView {
    vault: VaultName,
    #[serde(flatten)]
    principal: PrincipalView,
    permissions: BTreeSet<KeyPermission>,
    /// Not while roles decide in the vault.
    in_effect: bool,
}

#[derive(Serialize)]
pub(super) struct List {
    policies: Vec<PolicyView>,
}

pub(super) async fn list(
    State(services): State<Services>,
    Path(vault): Path<String>,
) -> Answer<List> {
    let vault: VaultName = vault.parse()?;
    let policies = services
        .vault
        .policies(&Requester::operator(), &vault)
        .await?;
    let mut views = Vec::new();
    for policy in policies {
        views.push(view(&services, &vault, policy).await?);
    }
    Ok(Json(List { policies: views }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Permissions {
    permissions: BTreeSet<KeyPermission>,
}

pub(super) async fn grant(
    State(services): State<Services>,
    Path(path): Path<(String, String)>,
    Body(asked): Body<Permissions>,
) -> Answer<PolicyView> {
    let (vault, principal) = path;
    let principal = named(&services.directory, &principal).await?.principal_id();
    let (vault, operator) = (vault.parse()?, Requester::operator());
    let granted = services
        .vault
        .grant(&operator, &vault, principal, asked.permissions);
    let policy = granted.await?;
    Ok(Json(view(&services, &vault, policy).await?))
}

pub(super) async fn revoke(
    State(services): State<Services>,
    Path(path): Path<(String, String)>,
    Body(asked): Body<Permissions>,
) -> Answer<PolicyView> {
    let (vault, principal) = path;
    let principal = id_of(&services.directory, &principal).await?;
    let (vault, operator) = (vault.parse()?, Requester::operator());
    let revoked = services
        .vault
        .revoke(&operator, &vault, principal, asked.permissions);
    let policy = revoked.await?;
    Ok(Json(view(&services, &vault, policy).await?))
}

async fn view(
    services: &Services,
    vault: &VaultName,
    policy: Policy,
) -> Result<PolicyView, ControlError> {
    Ok(PolicyView {
        vault: vault.clone(),
        principal: PrincipalView::of(&services.directory, policy.principal).await?,
        permissions: policy.permissions,
        in_effect: !services.vault.has_roles(vault).await?,
    })
}
