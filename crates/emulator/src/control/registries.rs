pub(super) mod checkup;
pub(super) mod garbage;
pub(super) mod identities;
pub(super) mod inspect;
pub(super) mod logins;
pub(super) mod repositories;
pub(super) mod scope_maps;
pub(super) mod tokens;
pub(super) mod view;

use sealock_api as api;
use sealock_cmk::{Encryption, Identity, Refusal, Sku, rules};
use sealock_core::RegistryName;
use sealock_registry::{AssignableIdentity, AssignedIdentity};

use self::view::{all, view};
use super::{
    Answer, ControlError,
    call::{Call, Reply},
    effect::report_effect_of,
    hints,
    translation::Translate as _,
};
use crate::services::Services;

/// The name of a registry's system-assigned identity. `az` writes it in brackets.
const SYSTEM_IDENTITY: &str = "system";

pub(super) async fn list(call: Call<api::ListRegistries>) -> Answer<api::Registries> {
    Ok(api::Registries {
        registries: all(&call.services).await?,
    })
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
        Err(error) => return Err(explain(&services, name, error).await),
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
    let identity = identity(&services, body.identity.as_deref()).await?;
    let assignable = match identity {
        Some(Identity::UserAssigned(client_id)) => {
            let found = services.directory.identity_by_client_id(client_id).await?;
            found.map(|found| AssignableIdentity::User(AssignedIdentity::from(&found)))
        }
        _ => None,
    };
    report_effect_of(&services, async {
        let registries = &services.registries;
        if let Some(assignable) = assignable {
            registries.assign_identity(record, &assignable).await?;
        }
        match registries.rotate_key(record, body.key, identity).await {
            Ok(()) => view(&services, registry.clone()).await,
            Err(error) => Err(explain(&services, &record.name, error.into()).await),
        }
    })
    .await
}

/// Turns an error into a problem. Adds the cause and hints if the vault refuses the key, since Azure's text lacks them.
async fn explain(
    services: &Services,
    registry: &RegistryName,
    error: sealock_registry::Error,
) -> ControlError {
    let sealock_registry::Error::Custody(sealock_cmk::Error::Refused(Refusal::KeyInaccessible(
        key,
    ))) = &error
    else {
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
    let hints = hints::for_inaccessible_key(registry, key, cause, name.as_ref());
    ControlError::from(error).with_cause(cause, hints)
}

async fn identity(services: &Services, name: Option<&str>) -> Answer<Option<Identity>> {
    let Some(name) = name else {
        return Ok(None);
    };
    if name.trim_matches(['[', ']']) == SYSTEM_IDENTITY {
        return Ok(Some(Identity::SystemAssigned));
    }
    let identity = services.directory.identity(&name.parse()?).await?;
    Ok(Some(Identity::UserAssigned(identity.client_id)))
}
