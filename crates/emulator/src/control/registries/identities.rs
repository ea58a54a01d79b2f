//! The identities that are assigned to a registry.

use axum::http::StatusCode;
use sealock_api as api;
use sealock_registry::Registry;

use super::{SYSTEM_IDENTITY, identity};
use crate::{
    control::{Answer, ControlError, call::Call, effect::report_effect_of},
    services::Services,
};

pub(in crate::control) async fn list(
    call: Call<api::ListRegistryIdentities>,
) -> Answer<api::RegistryIdentities> {
    let registry = call.services.registries.get(&call.path.registry).await?;
    view(&call.services, &registry).await
}

pub(in crate::control) async fn assign(
    call: Call<api::AssignRegistryIdentity>,
) -> Answer<api::Changed<api::RegistryIdentities>> {
    let Call { services, path, .. } = call;
    let registry = services.registries.get(&path.registry).await?;
    report_effect_of(&services, async {
        let identity = identity(&services, path.identity.as_str()).await?;
        let registries = &services.registries;
        registries
            .assign_identity(&registry.record, &identity)
            .await?;
        view(&services, &registry).await
    })
    .await
}

pub(in crate::control) async fn remove(
    call: Call<api::RemoveRegistryIdentity>,
) -> Answer<api::Changed<api::RegistryIdentities>> {
    let Call { services, path, .. } = call;
    let registry = services.registries.get(&path.registry).await?;
    report_effect_of(&services, async {
        let identity = identity(&services, path.identity.as_str()).await?;
        let registries = &services.registries;
        let removed = registries.remove_identity(&registry.record, &identity);
        if !removed.await? {
            return Err(not_assigned(&path));
        }
        view(&services, &registry).await
    })
    .await
}

fn not_assigned(path: &api::RemoveRegistryIdentity) -> ControlError {
    let api::RemoveRegistryIdentity { registry, identity } = path;
    let detail = format!("the identity {identity} is not assigned to the registry {registry}");
    let hint = api::Hint::ListRegistryIdentities {
        registry: registry.clone(),
    };
    ControlError::new(
        StatusCode::NOT_FOUND,
        "IdentityNotAssigned",
        detail,
        vec![hint],
    )
}

async fn view(services: &Services, registry: &Registry) -> Answer<api::RegistryIdentities> {
    let (record, registries) = (&registry.record, &services.registries);
    let in_use = registries.key_in_use(record).await?;
    let in_use = in_use.map(|in_use| in_use.identity);
    let mut identities = Vec::new();
    if let Some(system) = registries.system_assigned_identity(record).await? {
        identities.push(api::RegistryIdentity {
            name: SYSTEM_IDENTITY.parse().ok(),
            client_id: system.client_id,
            uses_key: in_use == Some(system.client_id),
        });
    }
    for assigned in registries.user_assigned_identities(record.id).await? {
        let identity = services.directory.identity_by_client_id(assigned.client_id);
        identities.push(api::RegistryIdentity {
            name: identity.await?.map(|identity| identity.name),
            client_id: assigned.client_id,
            uses_key: in_use == Some(assigned.client_id),
        });
    }
    Ok(api::RegistryIdentities { identities })
}
