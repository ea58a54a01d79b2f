use axum::{Json, extract::State};
use sealock_registry::{Collection, Usage};

use super::{Answer, extract::Path, registries::named};
use crate::services::Services;

pub(super) async fn usage(
    State(services): State<Services>,
    Path(registry): Path<String>,
) -> Answer<Usage> {
    Ok(Json(named(&services, &registry).await?.usage().await?))
}

pub(super) async fn show(
    State(services): State<Services>,
    Path(registry): Path<String>,
) -> Answer<Collection> {
    Ok(Json(named(&services, &registry).await?.garbage().await?))
}

pub(super) async fn collect(
    State(services): State<Services>,
    Path(registry): Path<String>,
) -> Answer<Collection> {
    let registry = named(&services, &registry).await?;
    Ok(Json(registry.collect_garbage().await?))
}
