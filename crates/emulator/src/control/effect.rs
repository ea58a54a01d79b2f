use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use sealock_api as api;
use sealock_core::RegistryName;

use super::{Answer, registries::view::view};
use crate::services::Services;

/// The states of all registries at one time.
#[derive(Default)]
struct Snapshot {
    registries: BTreeMap<RegistryName, api::Registry>,
    /// False if the state of a registry could not be read.
    is_complete: bool,
}

/// Makes a change and reports the registries that it affected. The report includes the effects of concurrent changes.
pub(super) fn report_effect_of<'a, T>(
    services: &'a Services,
    change: impl Future<Output = Answer<T>> + Send + 'a,
) -> BoxFuture<'a, Answer<api::Changed<T>>>
where
    T: Send + 'a,
{
    Box::pin(async move {
        let before = snapshot(services).await;
        let changed = change.await?;
        let after = snapshot(services).await;
        let mut effect = compare(&before.registries, &after.registries);
        effect.is_complete = before.is_complete && after.is_complete;
        Ok(api::Changed { changed, effect })
    })
}

/// Reads the state of each registry. Leaves out a registry whose state cannot be read, because the change itself can still
/// succeed.
async fn snapshot(services: &Services) -> Snapshot {
    let mut snapshot = Snapshot {
        is_complete: true,
        ..Snapshot::default()
    };
    let registries = match services.registries.list().await {
        Ok(registries) => registries,
        Err(error) => {
            tracing::warn!(%error, "cannot determine the effect of a change");
            return Snapshot::default();
        }
    };
    for registry in registries {
        let name = registry.record.name.clone();
        match view(services, registry.clone()).await {
            Ok(registry) => {
                snapshot.registries.insert(name, registry);
            }
            Err(_) if registry.is_deleted().await.unwrap_or_default() => {}
            Err(error) => {
                let problem = error.into_problem();
                tracing::warn!(registry = %name, problem.detail, "cannot determine the effect of a change on a registry");
                snapshot.is_complete = false;
            }
        }
    }
    snapshot
}

fn compare(
    before: &BTreeMap<RegistryName, api::Registry>,
    after: &BTreeMap<RegistryName, api::Registry>,
) -> api::Effect {
    let mut effect = api::Effect::default();
    for (name, new) in after {
        let Some(old) = before.get(name) else {
            continue;
        };
        match (revocation(old), revocation(new)) {
            (None, Some(revoked)) => effect.revoked.push(revoked),
            (Some(old), Some(new)) if old.from.is_some() && new.from.is_none() => {
                effect.revoked.push(new);
            }
            // The change removed one cause, and another remains.
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

/// Returns the current or pending revocation of a registry.
fn revocation(registry: &api::Registry) -> Option<api::RevokedRegistry> {
    let (cause, from) = match &registry.gate {
        api::Gate::Available { pending_revocation } => {
            let pending = pending_revocation.as_ref()?;
            (pending.cause, Some(pending.at))
        }
        api::Gate::Unknown { .. } => return None,
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
