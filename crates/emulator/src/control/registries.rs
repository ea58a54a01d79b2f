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
use sealock_core::{IdentityName, RegistryName};
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

/// The name of a registry's system-assigned identity.
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
    let identity = match body.identity.as_deref() {
        Some(name) => Some(match identity(&services, name).await? {
            AssignableIdentity::System => Identity::SystemAssigned,
            AssignableIdentity::User(user) => Identity::UserAssigned(user.client_id),
        }),
        None => None,
    };
    let encryption = Encryption {
        key: body.key,
        identity,
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
    let identity = match body.identity.as_deref() {
        Some(name) => Some(identity(&services, name).await?),
        None => None,
    };
    report_effect_of(&services, async {
        let registries = &services.registries;
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
    let sealock_registry::Error::Custody(sealock_cmk::Error::Refused(refusal)) = &error else {
        return error.into();
    };
    let key = match refusal {
        Refusal::KeyInaccessible(key) => key,
        Refusal::IdentityNotAssigned { identity, .. } => {
            return match detached_identity(services, identity).await {
                Some(identity) => {
                    let registry = registry.clone();
                    let hint = api::Hint::AssignIdentity { registry, identity };
                    ControlError::from(error).with_hint(hint)
                }
                None => error.into(),
            };
        }
        _ => return error.into(),
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
    let name = identity.as_ref().map(hints::command_name);
    let hints = hints::for_inaccessible_key(registry, key, cause, name.as_ref());
    ControlError::from(error).with_cause(cause, hints)
}

/// Returns the name of the user-assigned identity with this client id, which a refusal names as not assigned.
async fn detached_identity(services: &Services, client_id: &str) -> Option<IdentityName> {
    let found = services
        .directory
        .identity_by_client_id(client_id.parse().ok()?);
    let found = found.await.ok()??;
    found.owner.is_none().then_some(found.name)
}

/// Finds the identity of this name. `az` writes the registry's own in brackets.
async fn identity(services: &Services, name: &str) -> Answer<AssignableIdentity> {
    if name.trim_matches(['[', ']']) == SYSTEM_IDENTITY {
        return Ok(AssignableIdentity::System);
    }
    let identity = services.directory.identity(&name.parse()?).await?;
    Ok(AssignableIdentity::User(AssignedIdentity::from(&identity)))
}
