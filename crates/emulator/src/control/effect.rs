use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use sealock_api as api;
use sealock_core::RegistryName;

use super::{Answer, registries::view::view};
use crate::services::Services;

/// The state of the registries at one time.
#[derive(Default)]
struct Standings {
    registries: BTreeMap<RegistryName, api::Registry>,
    /// False if the state of one could not be read.
    are_all: bool,
}

/// Makes a change, and reports the registries that it reached.
///
/// A change that somebody else makes in the meantime counts, too.
pub(super) fn report_effect_of<'a, T>(
    services: &'a Services,
    change: impl Future<Output = Answer<T>> + Send + 'a,
) -> BoxFuture<'a, Answer<api::Changed<T>>>
where
    T: Send + 'a,
{
    Box::pin(async move {
        let before = standings(services).await;
        let changed = change.await?;
        let after = standings(services).await;
        let mut effect = difference(&before.registries, &after.registries);
        effect.is_complete = before.are_all && after.are_all;
        Ok(api::Changed { changed, effect })
    })
}

/// Asks each registry. One whose state cannot be read is left out, since the change itself does not fail with it.
async fn standings(services: &Services) -> Standings {
    let mut standings = Standings {
        are_all: true,
        ..Standings::default()
    };
    let registries = match services.registries.list().await {
        Ok(registries) => registries,
        Err(error) => {
            tracing::warn!(%error, "the effect of a change is not known");
            return Standings::default();
        }
    };
    for registry in registries {
        let name = registry.record.name.clone();
        match view(services, registry.clone()).await {
            Ok(registry) => {
                standings.registries.insert(name, registry);
            }
            Err(_) if registry.is_deleted().await.unwrap_or_default() => {}
            Err(error) => {
                let problem = error.into_problem();
                tracing::warn!(registry = %name, problem.detail, "the effect of a change on a registry is not known");
                standings.are_all = false;
            }
        }
    }
    standings
}

fn difference(
    before: &BTreeMap<RegistryName, api::Registry>,
    after: &BTreeMap<RegistryName, api::Registry>,
) -> api::Effect {
    let mut effect = api::Effect::default();
    for (name, new) in after {
        let Some(old) = before.get(name) else {
            continue;
        };
        match (refusal(old), refusal(new)) {
            (None, Some(revoked)) => effect.revoked.push(revoked),
            (Some(old), Some(new)) if old.from.is_some() && new.from.is_none() => {
                effect.revoked.push(new);
            }
            // It is not brought back: something else refuses it.
            (Some(old), Some(new)) if old.cause != new.cause => effect.revoked.push(new),
            (Some(_), None) if matches!(new.gate, api::Gate::Available { .. }) => {
                effect.restored.push(name.clone());
            }
            _ => {}
        }
        if behind(old).is_none() {
            effect.behind.extend(behind(new));
        }
    }
    effect
}

/// Returns the revocation of a registry, or the one that is in sight.
fn refusal(registry: &api::Registry) -> Option<api::RevokedRegistry> {
    let (cause, from) = match &registry.gate {
        api::Gate::Available { ends: None } | api::Gate::Unknown { .. } => return None,
        api::Gate::Available { ends: Some(end) } => (end.cause, Some(end.at)),
        api::Gate::Revoked { cause, .. } => (*cause, None),
    };
    Some(api::RevokedRegistry {
        registry: registry.name.clone(),
        cause,
        from,
    })
}

fn behind(registry: &api::Registry) -> Option<api::RegistryBehind> {
    let api::Encryption::Enabled {
        behind: Some(behind),
        ..
    } = &registry.encryption
    else {
        return None;
    };
    Some(api::RegistryBehind {
        registry: registry.name.clone(),
        cause: behind.cause,
        remedy: behind.remedy.clone(),
    })
}
