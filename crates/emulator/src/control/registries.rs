use sealock_api as api;
use sealock_cmk::{Encryption, Identity, Refusal, Sku, Standing, rules};
use sealock_core::{Kid, RegistryId, RegistryName};
use sealock_registry::Registry;

use super::{
    Answer, ControlError,
    call::{Call, Reply},
    effect::observed,
    logins,
};
use crate::{hints, services::Services, words::Translate as _};

/// What Azure's clients call a registry's own identity.
const SYSTEM_IDENTITY: [&str; 2] = ["system", "[system]"];

pub(super) async fn list(call: Call<api::ListRegistries>) -> Answer<api::Registries> {
    Ok(api::Registries {
        registries: all(&call.services).await?,
    })
}

/// Lists every registry and evaluates its gate.
pub(super) async fn all(services: &Services) -> Answer<Vec<api::Registry>> {
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

pub(super) async fn show(call: Call<api::ShowRegistry>) -> Answer<api::Registry> {
    let registry = call.services.registries.get(&call.path.registry).await?;
    view(&call.services, registry).await
}

pub(super) async fn create(call: Call<api::CreateRegistry>) -> Answer<Reply<api::Registry>> {
    let Call { services, body, .. } = call;
    let name = &call.path.registry;
    let encryption = Encryption {
        key: body.key,
        identity: identity(&services, body.identity.as_deref()).await?,
    };
    let sku = body.sku.translate().unwrap_or(Sku::Premium);
    let created = services.registries.create_or_update(name, sku, &encryption);
    let (_, is_new) = match created.await {
        Ok(created) => created,
        Err(error) => return Err(refused(&services, name, error).await),
    };
    let registry = services.registries.get(name).await?;
    Ok(Reply::created_if(is_new, view(&services, registry).await?))
}

pub(super) async fn delete(call: Call<api::DeleteRegistry>) -> Answer<()> {
    let name = &call.path.registry;
    Ok(call.services.registries.delete(name).await?)
}

pub(super) async fn rotate_key(
    call: Call<api::RotateRegistryKey>,
) -> Answer<api::Changed<api::Registry>> {
    let Call { services, body, .. } = call;
    let registry = services.registries.get(&call.path.registry).await?;
    let record = &registry.record;
    rules::encrypted_only(&record.name, record.encrypted).map_err(sealock_cmk::Error::from)?;
    let identity = match identity(&services, body.identity.as_deref()).await? {
        Some(Identity::UserAssigned(client_id)) => Some(client_id),
        Some(Identity::SystemAssigned) => {
            return Err(ControlError::bad_request(
                "the registry has no system-assigned identity yet; name a user-assigned one",
            ));
        }
        None => None,
    };
    observed(&services, async {
        let custodian = &services.custodian;
        let rotated = custodian.rotate(record.id, &record.name, body.key, identity);
        match rotated.await {
            Ok(()) => view(&services, registry.clone()).await,
            Err(error) => Err(refused(&services, &record.name, error).await),
        }
    })
    .await
}

/// Turns the refusal of a key into a problem, with the cause and what to do about it, which Azure's text does not say.
async fn refused(
    services: &Services,
    registry: &RegistryName,
    error: sealock_cmk::Error,
) -> ControlError {
    let sealock_cmk::Error::Refused(Refusal::KeyInaccessible(key)) = &error else {
        return error.into();
    };
    let mut cause = key.cause.translate();
    if cause == api::Cause::KeyNotFound && key.key.version.is_some() {
        let has_key = services.vault.has_key(&key.key.vault, &key.key.key);
        if has_key.await.unwrap_or_default() {
            cause = api::Cause::KeyVersionNotFound;
        }
    }
    let identity = services.directory.identity_by_client_id(key.identity);
    let identity = identity.await.ok().flatten();
    let name = identity.map(|identity| identity.name);
    let hints = hints::of_inaccessible(registry, key, cause, name.as_ref());
    ControlError::from(error).because(cause, hints)
}

async fn identity(services: &Services, name: Option<&str>) -> Answer<Option<Identity>> {
    let Some(name) = name else {
        return Ok(None);
    };
    if SYSTEM_IDENTITY.contains(&name) {
        return Ok(Some(Identity::SystemAssigned));
    }
    let identity = services.directory.identity(&name.parse()?).await?;
    Ok(Some(Identity::UserAssigned(identity.client_id)))
}

/// Shows a registry and evaluates its gate.
pub(super) async fn view(services: &Services, registry: Registry) -> Answer<api::Registry> {
    let record = registry.record.clone();
    let (encryption, gate) = if record.encrypted {
        encrypted(services, record.id, &record.name).await?
    } else {
        (
            api::Encryption::Disabled,
            api::Gate::Available { ends: None },
        )
    };
    Ok(api::Registry {
        login_server: services.names.login_server(&record.name),
        name: record.name,
        id: record.id,
        sku: record.sku.translate(),
        created: record.created.into(),
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
    let (custody, standing) = services.custodian.status(id).await?;
    let identity = services
        .directory
        .identity_by_client_id(custody.identity)
        .await?;
    let identity_name = identity.map(|identity| identity.name);
    let way_back = |cause, kid: &Kid| {
        hints::of_revocation(registry, cause, &kid.identifier(), identity_name.as_ref())
    };
    let gate = match standing {
        Standing::Available { ends } => api::Gate::Available {
            ends: ends.map(|end| api::End {
                at: end.at.into(),
                cause: end.cause.translate(),
                restore: way_back(end.cause, &custody.kid),
            }),
        },
        Standing::Unknown(error) => api::Gate::Unknown {
            message: error.to_string(),
        },
        Standing::Revoked(revocation) => {
            let (cause, kid) = (revocation.cause, &revocation.key);
            api::Gate::Revoked {
                restore: way_back(cause, kid),
                cause: cause.translate(),
                message: cause.message().to_owned(),
                key: services.names.key_uri(&kid.identifier()),
                since: revocation.since.into(),
            }
        }
    };
    let behind = custody.behind.as_ref().map(|behind| {
        let kid = behind.current.as_ref().unwrap_or(&custody.kid);
        Box::new(api::Behind {
            cause: behind.cause.translate(),
            since: behind.since.into(),
            remedy: way_back(behind.cause, kid),
        })
    });
    let encryption = api::Encryption::Enabled {
        key_identifier: services.names.key_uri(&custody.key),
        versioned_key_identifier: services.names.key_uri(&custody.kid.identifier()),
        key_rotation_enabled: custody.key.version.is_none(),
        last_key_rotation: custody.rotated.map(Into::into),
        behind,
        identity: api::EncryptionIdentity {
            client_id: custody.identity,
            name: identity_name,
        },
    };
    Ok((encryption, gate))
}

/// Finds the reason for which a registry is not at its key's current version, if it is known.
pub(super) async fn behind(
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

/// Finds the way back for a registry, if it is revoked and there is one.
pub(super) async fn way_back(
    services: &Services,
    id: RegistryId,
    registry: &RegistryName,
) -> Answer<Option<api::Hint>> {
    Ok(match encrypted(services, id, registry).await? {
        (_, api::Gate::Revoked { restore, .. }) => restore,
        (_, api::Gate::Available { .. } | api::Gate::Unknown { .. }) => None,
    })
}
