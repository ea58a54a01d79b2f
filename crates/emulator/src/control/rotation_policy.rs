//! A key's rotation policy, in the vault's own JSON.

use axum::{Json, extract::State};
use sealock_vault::{Requester, http::RotationPolicyBody};

use super::{
    Answer,
    extract::{Body, Path},
    vault_and_key,
};
use crate::services::Services;

pub(super) async fn show(
    State(services): State<Services>,
    Path(path): Path<(String, String)>,
) -> Answer<RotationPolicyBody> {
    let (vault, key) = vault_and_key(path)?;
    let operator = Requester::operator();
    let policy = services.vault.rotation_policy(&operator, &vault, &key);
    Ok(Json(RotationPolicyBody::of(
        &services.names,
        &policy.await?,
    )))
}

pub(super) async fn set(
    State(services): State<Services>,
    Path(path): Path<(String, String)>,
    Body(asked): Body<RotationPolicyBody>,
) -> Answer<RotationPolicyBody> {
    let (vault, key) = vault_and_key(path)?;
    let operator = Requester::operator();
    let set = services
        .vault
        .set_rotation_policy(&operator, &vault, &key, asked.policy());
    Ok(Json(RotationPolicyBody::of(&services.names, &set.await?)))
}
