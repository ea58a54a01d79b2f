use std::collections::BTreeMap;

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use sealock_core::{KeyIdentifier, KeyName, KeyVersion};
use sealock_http::json::Object;
use serde::Deserialize;
use serde_json::json;

use super::{
    Answer, Call,
    bundle::{self, AttributesChangeBody, BundleBody, ItemBody},
    page::PageQuery,
    release_policy::ReleasePolicyChangeBody,
};
use crate::{
    Curve, Error, ImportedKey, JsonWebKey, Key, KeyOperation, KeyPermission, KeySpec, KeyType,
    Result, base64url::required, error::PROPERTY_INVALID,
};

/// <https://learn.microsoft.com/rest/api/keyvault/keys/create-key/create-key#request-body>
#[derive(Deserialize)]
struct CreateBody {
    kty: Option<String>,
    key_size: Option<u32>,
    public_exponent: Option<u64>,
    key_ops: Option<Vec<String>>,
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
    key_ops: Option<Vec<String>>,
    attributes: Option<Object<AttributesChangeBody>>,
    tags: Option<BTreeMap<String, String>>,
    release_policy: Option<Object<ReleasePolicyChangeBody>>,
}

#[derive(Deserialize)]
struct RestoreBody {
    value: Option<String>,
}

pub(super) async fn create(mut call: Call<'_>, key: KeyName) -> Answer {
    let asked = call.json(Some(&key), Some(KeyPermission::Create)).await;
    let asked = asked.and_then(|body: CreateBody| {
        if let Some(Object(attributes)) = &body.attributes {
            attributes.refuse_external_key()?;
        }
        let kty: KeyType = body.kty.as_deref().ok_or_else(no_type)?.parse()?;
        public_exponent_is_65537(body.public_exponent)?;
        let spec = KeySpec {
            kty,
            key_size: body.key_size,
            curve: body.crv,
        };
        let policy = body.release_policy.as_ref();
        let key_ops = operations(body.key_ops.as_deref())?;
        let change = bundle::change(key_ops, body.attributes, body.tags, policy)?;
        Ok((spec, change))
    });
    let vault = &call.vault;
    let created = call
        .vaults
        .create_key(&call.requester, vault, &key, asked)
        .await?;
    Ok(current(&call, &created))
}

/// The operations of a key. The API of 2026 has some that the emulator does not support.
fn operations(names: Option<&[String]>) -> Result<Option<Vec<KeyOperation>>> {
    let parse = |name: &String| match name.to_ascii_lowercase().as_str() {
        "securewrapkey" | "secureunwrapkey" => Err(Error::NotSupported("secure wrapping")),
        _ => name.parse(),
    };
    names
        .map(|names| names.iter().map(parse).collect())
        .transpose()
}

/// Azure's text says it twice, in a recording of azure-sdk-for-java's `createKeyNullType`.
fn no_type() -> Error {
    Error::BadParameter(PROPERTY_INVALID.repeat(2))
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
        let key_ops = operations(key.key_ops.as_deref())?;
        let policy = body.release_policy.as_ref();
        Ok(ImportedKey {
            change: bundle::change(key_ops, body.attributes, body.tags, policy)?,
            hsm: body.hsm.unwrap_or(false),
            key,
        })
    });
    let vault = &call.vault;
    let imported = call
        .vaults
        .import_key(&call.requester, vault, &key, imported)
        .await?;
    Ok(current(&call, &imported))
}

pub(super) async fn get(call: Call<'_>, key: KeyName, version: Option<KeyVersion>) -> Answer {
    let identifier = identifier(&call, key, version);
    let bundle = call.vaults.get_key(&call.requester, &identifier).await?;
    Ok(Json(BundleBody::of(call.names, &bundle)).into_response())
}

pub(super) async fn list(call: Call<'_>, asked: PageQuery) -> Answer {
    let vault = &call.vault;
    let keys = call
        .vaults
        .list_keys(&call.requester, vault, asked.page)
        .await?;
    Ok(call.listed("/keys", asked.max_results, &keys, |key| {
        ItemBody::of(call.names, key)
    }))
}

pub(super) async fn versions(call: Call<'_>, key: KeyName, asked: PageQuery) -> Answer {
    let vault = &call.vault;
    let versions = call
        .vaults
        .list_versions(&call.requester, vault, &key, asked.page)
        .await?;
    let path = format!("/keys/{key}/versions");
    Ok(call.listed(&path, asked.max_results, &versions, |bundle| {
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
        let key_ops = operations(body.key_ops.as_deref())?;
        bundle::change(key_ops, body.attributes, body.tags, policy)
    });
    let identifier = identifier(&call, key, version);
    let (_, changed) = call
        .vaults
        .update_key(&call.requester, &identifier, change)
        .await?;
    Ok(Json(BundleBody::of(call.names, &changed)).into_response())
}

pub(super) async fn delete(call: Call<'_>, key: KeyName) -> Answer {
    let vault = &call.vault;
    let deleted = call.vaults.delete_key(&call.requester, vault, &key).await?;
    Ok(Json(BundleBody::deleted(call.names, &deleted)).into_response())
}

pub(super) async fn backup(call: Call<'_>, key: KeyName) -> Answer {
    let vault = &call.vault;
    let backup = call.vaults.backup_key(&call.requester, vault, &key).await?;
    Ok(Json(json!({ "value": backup })).into_response())
}

pub(super) async fn restore(mut call: Call<'_>) -> Answer {
    let backup = call.json(None, Some(KeyPermission::Restore)).await;
    let backup = backup.and_then(|body: RestoreBody| body.value.ok_or_else(|| required("value")));
    let vault = &call.vault;
    let restored = call
        .vaults
        .restore_key(&call.requester, vault, backup)
        .await?;
    Ok(current(&call, &restored))
}

pub(super) async fn rotate(call: Call<'_>, key: KeyName) -> Answer {
    let vault = &call.vault;
    let rotated = call.vaults.rotate_key(&call.requester, vault, &key).await?;
    Ok(current(&call, &rotated))
}

/// The current version of a key.
fn current(call: &Call<'_>, key: &Key) -> Response {
    Json(BundleBody::of(call.names, &key.current)).into_response()
}

pub(super) fn identifier(
    call: &Call<'_>,
    key: KeyName,
    version: Option<KeyVersion>,
) -> KeyIdentifier {
    KeyIdentifier {
        vault: call.vault.clone(),
        key,
        version,
    }
}
