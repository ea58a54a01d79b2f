use sealock_api as api;
use sealock_cmk::Follower;
use sealock_core::{KeyIdentifier, Kid};
use sealock_http::json::parse_object;
use sealock_vault::{
    Key, KeyBundle, KeyChange, KeySpec, PublicKey,
    http::RotationPolicyBody,
    operation::{
        BackUpKey, CreateKey, DeleteKey, GetRotationPolicy, GetWholeKey, ListWholeKeys, PurgeKey,
        RecoverKey, RestoreKey, RotateKey, SetRotationPolicy, UpdateKey,
    },
};

use crate::{
    control::{
        Answer, ControlError, call::Call, effect::report_effect_of, registries,
        translation::Translate as _,
    },
    services::Services,
};

pub(in crate::control) async fn list(call: Call<api::ListKeys>) -> Answer<api::Keys> {
    let Call { services, path, .. } = call;
    let permit = services.authorize(ListWholeKeys, path.vault).await?;
    let keys = permit.run().await?.into_iter();
    let keys = keys.map(|key| view(&services, key));
    Ok(api::Keys {
        keys: keys.collect(),
    })
}

pub(in crate::control) async fn show(call: Call<api::ShowKey>) -> Answer<api::Key> {
    let Call { services, path, .. } = call;
    let key = KeyIdentifier::current(&path.vault, &path.key);
    let permit = services.authorize(GetWholeKey, key).await?;
    Ok(view(&services, permit.run().await?))
}

pub(in crate::control) async fn create(
    call: Call<api::CreateKey>,
) -> Answer<api::Changed<api::Key>> {
    let Call {
        services,
        path,
        body,
        ..
    } = call;
    let spec = KeySpec {
        kty: body.kty.translate().unwrap_or(KeySpec::default().kty),
        key_size: body.key_size,
        curve: body.crv.translate(),
    };
    let change = KeyChange {
        key_ops: body.key_ops.map(|operations| translated(&operations)),
        ..KeyChange::default()
    };
    let key = KeyIdentifier::current(&path.vault, &path.key);
    let created = async {
        let permit = services.authorize(CreateKey, key).await?;
        permit.run(spec, change).await
    };
    followed(&services, Box::pin(created)).await
}

pub(in crate::control) async fn rotate(
    call: Call<api::RotateKey>,
) -> Answer<api::Changed<api::Key>> {
    let Call { services, path, .. } = call;
    let key = KeyIdentifier::current(&path.vault, &path.key);
    let rotated = async { services.authorize(RotateKey, key).await?.run().await };
    followed(&services, Box::pin(rotated)).await
}

/// Creates a new version of a key, and reports its effect with all registries that are not at this version.
async fn followed(
    services: &Services,
    new: impl Future<Output = sealock_vault::Result<Key>> + Send,
) -> Answer<api::Changed<api::Key>> {
    let mut behind = Vec::new();
    let changed = report_effect_of(services, async {
        let key = new.await?;
        behind = left_behind(services, &key).await?;
        Ok(view(services, key))
    });
    let mut changed = changed.await?;
    changed.effect.behind = behind;
    Ok(changed)
}

/// Lists the registries that follow a key and are at an older version than its current one in `key`.
async fn left_behind(services: &Services, key: &Key) -> Answer<Vec<api::RegistryBehind>> {
    let current = &key.current.kid;
    let mut older = Vec::new();
    for Follower { name, kid, .. } in services.custodian.followers(current).await? {
        let is_older = key.versions().any(|version| version.kid == kid);
        // A version that `key` lacks is newer if the vault has it, and purged otherwise.
        if kid != *current && (is_older || !services.vault.has_version(&kid).await?) {
            older.push(name);
        }
    }
    older.sort();
    let mut behind = Vec::new();
    for name in older {
        match services.registries.get(&name).await {
            Ok(registry) => behind.extend(registries::view::behind(services, registry).await?),
            Err(sealock_registry::Error::RegistryUnknown(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(behind)
}

pub(in crate::control) async fn back_up(call: Call<api::BackUpKey>) -> Answer<api::KeyBackup> {
    let Call { services, path, .. } = call;
    let key = KeyIdentifier::current(&path.vault, &path.key);
    let permit = services.authorize(BackUpKey, key).await?;
    Ok(api::KeyBackup {
        value: permit.run().await?,
    })
}

pub(in crate::control) async fn restore(
    call: Call<api::RestoreKey>,
) -> Answer<api::Changed<api::Key>> {
    let Call {
        services,
        path,
        body,
        ..
    } = call;
    let restored = async {
        let permit = services.authorize(RestoreKey, path.vault).await?;
        permit.run(body.value).await
    };
    followed(&services, Box::pin(restored)).await
}

pub(in crate::control) async fn update(
    call: Call<api::UpdateKey>,
) -> Answer<api::Changed<api::Key>> {
    let api::UpdateKey { vault, key } = call.path;
    let current = KeyIdentifier {
        vault,
        key,
        version: None,
    };
    change(&call.services, current, call.body).await
}

pub(in crate::control) async fn update_version(
    call: Call<api::UpdateKeyVersion>,
) -> Answer<api::Changed<api::Key>> {
    let api::UpdateKeyVersion {
        vault,
        key,
        version,
    } = call.path;
    let version = KeyIdentifier {
        vault,
        key,
        version: Some(version),
    };
    change(&call.services, version, call.body).await
}

async fn change(
    services: &Services,
    identifier: KeyIdentifier,
    asked: api::KeyChange,
) -> Answer<api::Changed<api::Key>> {
    if asked == api::KeyChange::default() {
        return Err(ControlError::nothing_to_change());
    }
    let change = KeyChange {
        key_ops: asked.key_ops.map(|operations| translated(&operations)),
        enabled: asked.enabled,
        not_before: asked.not_before.map(Into::into),
        expires: asked.expires.map(Into::into),
        ..KeyChange::default()
    };
    report_effect_of(services, async {
        let permit = services.authorize(UpdateKey, identifier).await?;
        let (key, _) = permit.run(change).await?;
        Ok(view(services, key))
    })
    .await
}

pub(in crate::control) async fn delete(
    call: Call<api::DeleteKey>,
) -> Answer<api::Changed<api::Key>> {
    let Call { services, path, .. } = call;
    let key = KeyIdentifier::current(&path.vault, &path.key);
    report_effect_of(&services, async {
        let permit = services.authorize(DeleteKey, key).await?;
        Ok(view(&services, permit.run().await?))
    })
    .await
}

pub(in crate::control) async fn recover(
    call: Call<api::RecoverKey>,
) -> Answer<api::Changed<api::Key>> {
    let Call { services, path, .. } = call;
    let key = KeyIdentifier::current(&path.vault, &path.key);
    report_effect_of(&services, async {
        let permit = services.authorize(RecoverKey, key).await?;
        Ok(view(&services, permit.run().await?))
    })
    .await
}

pub(in crate::control) async fn purge(
    call: Call<api::PurgeKey>,
) -> Answer<api::Changed<api::Empty>> {
    let Call { services, path, .. } = call;
    let key = KeyIdentifier::current(&path.vault, &path.key);
    report_effect_of(&services, async {
        let permit = services.authorize(PurgeKey, key).await?;
        permit.run().await?;
        Ok(api::Empty {})
    })
    .await
}

pub(in crate::control) async fn show_rotation_policy(
    call: Call<api::ShowRotationPolicy>,
) -> Answer<api::RotationPolicy> {
    let (services, path) = (call.services, call.path);
    let key = KeyIdentifier::current(&path.vault, &path.key);
    let permit = services.authorize(GetRotationPolicy, key).await?;
    let policy = permit.run().await?;
    rotation_policy(&RotationPolicyBody::of(&services.names, &policy))
}

pub(in crate::control) async fn set_rotation_policy(
    call: Call<api::SetRotationPolicy>,
) -> Answer<api::RotationPolicy> {
    let (services, path) = (call.services, call.path);
    let api::RotationPolicy(members) = call.body;
    let asked = serde_json::to_vec(&members).map_err(|error| error.to_string());
    let asked = asked.and_then(|json| parse_object::<RotationPolicyBody>(&json));
    let asked = asked.map_err(ControlError::bad_request)?;
    let key = KeyIdentifier::current(&path.vault, &path.key);
    let permit = services.authorize(SetRotationPolicy, key).await?;
    let (permit, policy) = permit.parse(async { asked.policy() }).await?;
    let policy = permit.run(policy).await?;
    rotation_policy(&RotationPolicyBody::of(&services.names, &policy))
}

/// Shows a policy as Key Vault does.
fn rotation_policy(policy: &RotationPolicyBody) -> Answer<api::RotationPolicy> {
    let json = serde_json::to_value(policy).and_then(serde_json::from_value);
    json.map_err(|error| ControlError::bad_request(error.to_string()))
}

fn translated(operations: &[api::KeyOperation]) -> Vec<sealock_vault::KeyOperation> {
    operations.iter().map(|it| it.translate()).collect()
}

fn view(services: &Services, key: Key) -> api::Key {
    let uri = |kid: &Kid| services.names.key_uri(&kid.identifier());
    let version = |bundle: &KeyBundle| {
        let attributes = &bundle.attributes;
        api::Version {
            version: bundle.kid.version.clone(),
            kid: uri(&bundle.kid),
            enabled: attributes.enabled,
            current: bundle.kid == key.current.kid,
            key_ops: bundle.key_ops.iter().map(|it| it.translate()).collect(),
            not_before: attributes.not_before.map(Into::into),
            expires: attributes.expires.map(Into::into),
            tags: bundle.tags.clone(),
            created: attributes.created.into(),
            updated: attributes.updated.into(),
        }
    };
    api::Key {
        versions: key.versions().map(version).collect(),
        kid: uri(&key.current.kid),
        state: key.state.translate(),
        kty: key.current.kty.translate(),
        key_size: key.current.key_size,
        crv: match key.current.public_key {
            PublicKey::Ec { crv, .. } => Some(crv.translate()),
            PublicKey::Rsa { .. } | PublicKey::Oct => None,
        },
        enabled: key.current.attributes.enabled,
        created: key.created.into(),
        deleted: key.deleted.map(Into::into),
        scheduled_purge: key.scheduled_purge.map(Into::into),
        vault: key.vault,
        name: key.name,
    }
}
