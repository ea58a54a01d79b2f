//! The control API's view of a registry, with its encryption and its gate.

use sealock_api as api;
use sealock_cmk::Availability;
use sealock_core::{Kid, RegistryId, RegistryName};
use sealock_registry::Registry;

use super::{SYSTEM_IDENTITY, logins};
use crate::{
    control::{Answer, hints, translation::Translate as _},
    services::Services,
};

/// Shows every registry and evaluates its gate.
pub(in crate::control) async fn all(services: &Services) -> Answer<Vec<api::Registry>> {
    let mut registries = Vec::new();
    for registry in services.registries.list().await? {
        match view(services, registry.clone()).await {
            Ok(registry) => registries.push(registry),
            Err(_) if registry.is_deleted().await? => {}
            Err(error) => return Err(error),
        }
    }
    Ok(registries)
}

/// Shows a registry and evaluates its gate.
pub(in crate::control) async fn view(
    services: &Services,
    registry: Registry,
) -> Answer<api::Registry> {
    let record = registry.record.clone();
    let (encryption, gate) = if record.encrypted {
        encrypted(services, record.id, &record.name).await?
    } else {
        (
            api::Encryption::Disabled,
            api::Gate::Available {
                pending_revocation: None,
            },
        )
    };
    Ok(api::Registry {
        login_server: services.names.login_server(&record.name),
        name: record.name.clone(),
        id: record.id,
        sku: record.sku.translate(),
        created: record.resource.system_data.created_at.into(),
        login: logins::settings(registry.login_settings().await?),
        encryption,
        gate,
    })
}

async fn encrypted(
    services: &Services,
    id: RegistryId,
    registry: &RegistryName,
) -> Answer<(api::Encryption, api::Gate)> {
    let (custody, availability) = services.custodian.status(id).await?;
    let in_use = custody.in_use;
    let identity = services
        .directory
        .identity_by_client_id(in_use.identity)
        .await?;
    let command_name = identity.as_ref().map(hints::command_name);
    let restore_hint = |cause, kid: &Kid| {
        hints::for_revocation(registry, cause, &kid.identifier(), command_name.as_ref())
    };
    let gate = match availability {
        Availability::Available { pending } => api::Gate::Available {
            pending_revocation: pending.map(|pending| api::PendingRevocation {
                at: pending.at.into(),
                cause: pending.cause.translate(),
                restore: restore_hint(pending.cause, &in_use.kid),
            }),
        },
        Availability::Unknown(error) => api::Gate::Unknown {
            message: error.to_string(),
        },
        Availability::Revoked(revocation) => {
            let (cause, kid) = (revocation.cause, &revocation.key);
            api::Gate::Revoked {
                restore: restore_hint(cause, kid),
                cause: cause.translate(),
                message: cause.message().to_owned(),
                key: services.names.key_uri(&kid.identifier()),
                since: revocation.since.into(),
            }
        }
    };
    let behind = custody.obstacle.as_ref().map(|obstacle| {
        let kid = obstacle.current.as_ref().unwrap_or(&in_use.kid);
        Box::new(api::Behind {
            cause: obstacle.cause.translate(),
            since: obstacle.since.into(),
            remedy: restore_hint(obstacle.cause, kid),
        })
    });
    let encryption = api::Encryption::Enabled {
        key_identifier: in_use.key.url(&services.names),
        versioned_key_identifier: in_use.key.version_url(&in_use.kid, &services.names),
        key_rotation_enabled: in_use.key.identifier.version.is_none(),
        last_key_rotation: in_use.rotated.map(Into::into),
        behind,
        identity: api::EncryptionIdentity {
            client_id: in_use.identity,
            name: match identity {
                Some(identity) if identity.owner.is_some() => SYSTEM_IDENTITY.parse().ok(),
                identity => identity.map(|identity| identity.name),
            },
        },
    };
    Ok((encryption, gate))
}

/// Finds the reason why a registry is not at its key's current version, if it is known.
pub(in crate::control) async fn behind(
    services: &Services,
    registry: Registry,
) -> Answer<Option<api::RegistryBehind>> {
    let registry = view(services, registry).await?;
    let (cause, remedy) = match (registry.gate, registry.encryption) {
        (api::Gate::Revoked { cause, restore, .. }, _) => (cause, restore),
        (
            _,
            api::Encryption::Enabled {
                behind: Some(behind),
                ..
            },
        ) => (behind.cause, behind.remedy),
        _ => return Ok(None),
    };
    Ok(Some(api::RegistryBehind {
        registry: registry.name,
        cause,
        remedy,
    }))
}

/// Finds the operation that restores a registry, if it is revoked and there is one.
pub(in crate::control) async fn restore_hint(
    services: &Services,
    id: RegistryId,
    registry: &RegistryName,
) -> Answer<Option<api::Hint>> {
    Ok(match encrypted(services, id, registry).await? {
        (_, api::Gate::Revoked { restore, .. }) => restore,
        (_, api::Gate::Available { .. } | api::Gate::Unknown { .. }) => None,
    })
}
