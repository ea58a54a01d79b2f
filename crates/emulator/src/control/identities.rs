use axum::{Json, extract::State, http::StatusCode};
use sealock_entra::ManagedIdentity;
use serde::Serialize;

use super::{Answer, ControlError, extract::Path};
use crate::services::Services;

#[derive(Serialize)]
pub(super) struct List {
    identities: Vec<ManagedIdentity>,
}

pub(super) async fn list(State(services): State<Services>) -> Answer<List> {
    let identities = services.directory.identities().await?;
    Ok(Json(List { identities }))
}

pub(super) async fn create(
    State(services): State<Services>,
    Path(name): Path<String>,
) -> Result<(StatusCode, Json<ManagedIdentity>), ControlError> {
    let (identity, is_new) = services.directory.create_identity(name.parse()?).await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(identity)))
}

pub(super) async fn delete(
    State(services): State<Services>,
    Path(name): Path<String>,
) -> Result<StatusCode, ControlError> {
    services.directory.delete_identity(&name.parse()?).await?;
    Ok(StatusCode::NO_CONTENT)
}
