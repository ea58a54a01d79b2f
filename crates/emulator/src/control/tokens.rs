use axum::{Json, extract::State, http::StatusCode};
use jiff::SignedDuration;
use sealock_core::ScopeMapName;
use sealock_registry::{PasswordName, Token};
use serde::{Deserialize, Serialize};

use super::{
    Answer, ControlError,
    extract::{Body, Path},
    registries::named,
};
use crate::services::Services;

#[derive(Serialize)]
pub(super) struct List {
    tokens: Vec<Token>,
}

pub(super) async fn list(
    State(services): State<Services>,
    Path(registry): Path<String>,
) -> Answer<List> {
    let tokens = named(&services, &registry).await?.tokens().await?;
    Ok(Json(List { tokens }))
}

pub(super) async fn show(
    State(services): State<Services>,
    Path((registry, token)): Path<(String, String)>,
) -> Answer<Token> {
    Ok(Json(
        named(&services, &registry)
            .await?
            .token(&token.parse()?)
            .await?,
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Put {
    scope_map: Option<ScopeMapName>,
    enabled: Option<bool>,
}

pub(super) async fn put(
    State(services): State<Services>,
    Path((registry, token)): Path<(String, String)>,
    Body(asked): Body<Put>,
) -> Result<(StatusCode, Json<Token>), ControlError> {
    let registry = named(&services, &registry).await?;
    let name = token.parse()?;
    let (token, is_new) = registry
        .put_token(&name, asked.scope_map, asked.enabled)
        .await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(token)))
}

pub(super) async fn delete(
    State(services): State<Services>,
    Path((registry, token)): Path<(String, String)>,
) -> Result<StatusCode, ControlError> {
    let registry = named(&services, &registry).await?;
    registry.delete_token(&token.parse()?).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Generate {
    /// Days until it expires; it never does, if none are given.
    days: Option<u32>,
}

#[derive(Serialize)]
pub(super) struct Generated {
    username: String,
    name: PasswordName,
    value: String,
}

pub(super) async fn generate(
    State(services): State<Services>,
    Path((registry, token, name)): Path<(String, String, PasswordName)>,
    Body(asked): Body<Generate>,
) -> Answer<Generated> {
    let registry = named(&services, &registry).await?;
    let token = token.parse()?;
    let valid_for = asked
        .days
        .map(|days| SignedDuration::from_hours(24 * i64::from(days)));
    let password = registry.generate_password(&token, name, valid_for).await?;
    Ok(Json(Generated {
        username: token.to_string(),
        name,
        value: password.to_string(),
    }))
}
