use axum::{Json, extract::State};
use sealock_cmk::Cause;
use sealock_core::RegistryName;
use sealock_registry::{Error, Problem, Verification};
use serde::Serialize;

use super::{Answer, registries::way_back};
use crate::services::Services;

#[derive(Serialize)]
pub(super) struct View {
    registries: Vec<RegistryView>,
    /// What belongs to no registry.
    problems: Vec<Problem>,
    /// Whether everything could be checked and nothing was found.
    whole: bool,
}

#[derive(Serialize)]
struct RegistryView {
    name: RegistryName,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Cause>,
    /// The command that brings it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    restore: Option<String>,
    #[serde(flatten)]
    verification: Verification,
}

/// Checks that every object opens, every digest matches, every reference resolves, and nothing is
/// orphaned.
pub(super) async fn verify(State(services): State<Services>) -> Answer<View> {
    let mut registries = Vec::new();
    for registry in services.registries.list()? {
        let (state, cause, verification) = match registry.verify().await {
            Ok(verification) => ("verified", None, verification),
            Err(Error::Denied(revocation)) => {
                ("revoked", Some(revocation.cause), Verification::default())
            }
            Err(error) => return Err(error.into()),
        };
        let record = &registry.record;
        let restore = match cause {
            Some(_) => way_back(&services, record.id, &record.name).await?,
            None => None,
        };
        registries.push(RegistryView {
            name: record.name.clone(),
            state,
            cause,
            restore,
            verification,
        });
    }
    let all = services.registries.clone();
    let problems = tokio::task::spawn_blocking(move || all.verify_objects())
        .await
        .map_err(Error::from)??;
    let whole = problems.is_empty()
        && registries
            .iter()
            .all(|registry| registry.cause.is_none() && registry.verification.problems.is_empty());
    Ok(Json(View {
        registries,
        problems,
        whole,
    }))
}
