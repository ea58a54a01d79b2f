use axum::{Json, extract::State, http::StatusCode};
use sealock_registry::{ScopeMap, ScopeMapAction};
use serde::{Deserialize, Serialize};

use super::{
    Answer, ControlError,
    extract::{Body, Path},
    registries::named,
};
use crate::services::Services;

#[derive(Serialize)]
pub(super) struct List {
    scope_maps: Vec<ScopeMap>,
}

pub(super) async fn list(
    State(services): State<Services>,
    Path(registry): Path<String>,
) -> Answer<List> {
    let scope_maps = named(&services, &registry).await?.scope_maps().await?;
    Ok(Json(List { scope_maps }))
}

pub(super) async fn show(
    State(services): State<Services>,
    Path((registry, name)): Path<(String, String)>,
) -> Answer<ScopeMap> {
    let registry = named(&services, &registry).await?;
    Ok(Json(registry.scope_map(&name.parse()?).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Put {
    description: Option<String>,
    actions: Vec<ScopeMapAction>,
}

pub(super) async fn put(
    State(services): State<Services>,
    Path((registry, name)): Path<(String, String)>,
    Body(asked): Body<Put>,
) -> Result<(StatusCode, Json<ScopeMap>), ControlError> {
    let registry = named(&services, &registry).await?;
    let name = name.parse()?;
    let (scope_map, is_new) = registry
        .put_scope_map(&name, asked.description, asked.actions)
        .await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(scope_map)))
}

pub(super) async fn delete(
    State(services): State<Services>,
    Path((registry, name)): Path<(String, String)>,
) -> Result<StatusCode, ControlError> {
    let registry = named(&services, &registry).await?;
    registry.delete_scope_map(&name.parse()?).await?;
    Ok(StatusCode::NO_CONTENT)
}
