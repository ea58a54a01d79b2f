use axum::{Json, extract::State};
use sealock_cmk::WRAP_ALGORITHM;
use sealock_core::RegistryName;
use sealock_registry::{Inspection, Reference, WrappedBy};
use serde::{Deserialize, Serialize};

use super::{
    Answer,
    extract::{Path, Query},
    registries,
};
use crate::services::Services;

/// What an image without a tag means, as for docker.
const DEFAULT_TAG: &str = "latest";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Options {
    /// `REPOSITORY[:TAG|@DIGEST]`
    name: String,
}

#[derive(Serialize)]
pub(super) struct View {
    registry: RegistryName,
    #[serde(flatten)]
    inspection: Inspection,
}

/// Shows how an image lies on disk.
pub(super) async fn inspect(
    State(services): State<Services>,
    Path(registry): Path<String>,
    Query(options): Query<Options>,
) -> Answer<View> {
    let registry = registries::named(&services, &registry).await?;
    let (repository, reference) = split(&options.name);
    let reference: Reference = reference.parse()?;
    let mut inspection = registry.inspect(&repository.parse()?, &reference).await?;
    if registry.record.encrypted {
        let (custody, _) = services.custodian.status(registry.record.id).await?;
        inspection.wrapped_by = Some(WrappedBy {
            kid: services.names.key_uri(&custody.kid.identifier()),
            algorithm: WRAP_ALGORITHM,
        });
    }
    Ok(Json(View {
        registry: registry.record.name.clone(),
        inspection,
    }))
}

fn split(name: &str) -> (&str, &str) {
    name.split_once('@')
        .or_else(|| name.rsplit_once(':'))
        .unwrap_or((name, DEFAULT_TAG))
}
