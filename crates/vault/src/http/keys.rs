use std::collections::BTreeMap;

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use sealock_core::{KeyIdentifier, KeyName, KeyVersion};
use serde::Deserialize;
use serde_json::json;

use super::{
    Answer, Call, NewVersion,
    bundle::{self, AttributesChangeBody, BundleBody, ItemBody},
    release_policy::ReleasePolicyChangeBody,
};
use crate::{
    Curve, Error, ImportedKey, JsonWebKey, Key, KeyOperation, KeyPermission, KeySpec, KeyType,
    Result, json::Object,
};

/// <https://learn.microsoft.com/rest/api/keyvault/keys/create-key/create-key#request-body>
#[derive(Deserialize)]
struct CreateBody {
    kty: Option<KeyType>,
    key_size: Option<u32>,
    public_exponent: Option<u64>,
    key_ops: Option<Vec<KeyOperation>>,
    crv: Option<Curve>,
    attributes: Option<Object<AttributesChangeBody>>,
    tags: Option<BTreeMap<String, String>>,
    release_policy: Option<Object<ReleasePolicyChangeBody>>,
}

/// <https://learn.microsoft.com/rest/api/keyvault/keys/import-key/import-key#request-body>
#[derive(Deserialize)]
struct ImportBody {
    #[serde(rename = "Hsm", alias = "hsm")]
    hsm: Option<bool>,
    key: Object<JsonWebKey>,
    attributes: Option<Object<AttributesChangeBody>>,
    tags: Option<BTreeMap<String, String>>,
    release_policy: Option<Object<ReleasePolicyChangeBody>>,
}

/// <https://learn.microsoft.com/rest/api/keyvault/keys/update-key/update-key#request-body>
#[derive(Deserialize)]
struct UpdateBody {
    key_ops: Option<Vec<KeyOperation>>,
    attributes: Option<Object<AttributesChangeBody>>,
    tags: Option<BTreeMap<String, String>>,
    release_policy: Option<Object<ReleasePolicyChangeBody>>,
}

#[derive(Deserialize)]
struct RestoreBody {
    value: String,
}

pub(super) async fn create(mut call: Call<'_>, key: KeyName) -> Answer {
    let asked = call.json(Some(&key), Some(KeyPermission::Create)).await;
    let asked = asked.and_then(|body: CreateBody| {
        let kty = body.kty.ok_or_else(|| {
            Error::BadParameter("'kty' is missing; name one such as RSA or EC.".to_owned())
        })?;
        public_exponent_is_65537(body.public_exponent)?;
        let spec = KeySpec {
            kty,
            key_size: body.key_size,
            curve: body.crv,
        };
        let policy = body.release_policy.as_ref();
        let change = bundle::change(body.key_ops, body.attributes, body.tags, policy)?;
        Ok((spec, change))
    });
    let vault = &call.door.vault;
    let created = call
        .vaults
        .create_key(&call.requester, vault, &key, asked)
        .await?;
    Ok(new_version(&call, &created))
}

/// Another one is in the API, but for vaults it is this one. The SDK for Java leaves it out by a 0.
fn public_exponent_is_65537(given: Option<u64>) -> Result<()> {
    match given {
        None | Some(0 | 65_537) => Ok(()),
        Some(other) => Err(Error::BadParameter(format!(
            "The public_exponent {other} is not supported; leave it out, or use 65537."
        ))),
    }
}

pub(super) async fn import(mut call: Call<'_>, key: KeyName) -> Answer {
    let imported = call.json(Some(&key), Some(KeyPermission::Import)).await;
    let imported = imported.and_then(|body: ImportBody| {
        let Object(key) = body.key;
        let key_ops = key.key_ops.iter().flatten();
        let key_ops = key_ops
            .map(|operation| operation.parse())
            .collect::<Result<Vec<KeyOperation>>>()?;
        let key_ops = key.key_ops.is_some().then_some(key_ops);
        let policy = body.release_policy.as_ref();
        Ok(ImportedKey {
            change: bundle::change(key_ops, body.attributes, body.tags, policy)?,
            hsm: body.hsm.unwrap_or(false),
            key,
        })
    });
    let vault = &call.door.vault;
    let imported = call
        .vaults
        .import_key(&call.requester, vault, &key, imported)
        .await?;
    Ok(new_version(&call, &imported))
}

pub(super) async fn get(call: Call<'_>, key: KeyName, version: Option<KeyVersion>) -> Answer {
    let identifier = identifier(&call, key, version);
    let bundle = call.vaults.get_key(&call.requester, &identifier).await?;
    Ok(Json(BundleBody::of(call.names, &bundle)).into_response())
}

pub(super) async fn list(call: Call<'_>) -> Answer {
    let vault = &call.door.vault;
    let keys = call
        .vaults
        .list_keys(&call.requester, vault, call.page())
        .await?;
    Ok(call.listed("/keys", &keys, |key| ItemBody::of(call.names, key)))
}

pub(super) async fn versions(call: Call<'_>, key: KeyName) -> Answer {
    let vault = &call.door.vault;
    let versions = call
        .vaults
        .list_versions(&call.requester, vault, &key, call.page())
        .await?;
    let path = format!("/keys/{key}/versions");
    Ok(call.listed(&path, &versions, |bundle| {
        ItemBody::version(call.names, bundle)
    }))
}

pub(super) async fn update(
    mut call: Call<'_>,
    key: KeyName,
    version: Option<KeyVersion>,
) -> Answer {
    let change = call.json(Some(&key), Some(KeyPermission::Update)).await;
    let change = change.and_then(|body: UpdateBody| {
        let policy = body.release_policy.as_ref();
        bundle::change(body.key_ops, body.attributes, body.tags, policy)
    });
    let identifier = identifier(&call, key, version);
    let (_, changed) = call
        .vaults
        .update_key(&call.requester, &identifier, change)
        .await?;
    Ok(Json(BundleBody::of(call.names, &changed)).into_response())
}

pub(super) async fn delete(call: Call<'_>, key: KeyName) -> Answer {
    let vault = &call.door.vault;
    let deleted = call.vaults.delete_key(&call.requester, vault, &key).await?;
    Ok(Json(BundleBody::deleted(call.names, &deleted)).into_response())
}

pub(super) async fn backup(call: Call<'_>, key: KeyName) -> Answer {
    let vault = &call.door.vault;
    let backup = call.vaults.backup_key(&call.requester, vault, &key).await?;
    Ok(Json(json!({ "value": backup })).into_response())
}

pub(super) async fn restore(mut call: Call<'_>) -> Answer {
    let backup = call.json(None, Some(KeyPermission::Restore)).await;
    let backup = backup.map(|body: RestoreBody| body.value);
    let vault = &call.door.vault;
    let restored = call
        .vaults
        .restore_key(&call.requester, vault, backup)
        .await?;
    Ok(new_version(&call, &restored))
}

pub(super) async fn rotate(call: Call<'_>, key: KeyName) -> Answer {
    let vault = &call.door.vault;
    let rotated = call.vaults.rotate_key(&call.requester, vault, &key).await?;
    Ok(new_version(&call, &rotated))
}

/// A key that has a new current version.
fn new_version(call: &Call<'_>, key: &Key) -> Response {
    let mut response = Json(BundleBody::of(call.names, &key.current)).into_response();
    let kid = key.current.kid.clone();
    response.extensions_mut().insert(NewVersion(kid));
    response
}

pub(super) fn identifier(
    call: &Call<'_>,
    key: KeyName,
    version: Option<KeyVersion>,
) -> KeyIdentifier {
    KeyIdentifier {
        vault: call.door.vault.clone(),
        key,
        version,
    }
}
