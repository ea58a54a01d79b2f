use std::collections::BTreeMap;

use axum::{
    Json,
    response::{IntoResponse as _, Response},
};
use sealock_core::{KeyName, KeyVersion, PublicName};
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
    Curve, Error, ImportedKey, JsonWebKey, Key, KeyChange, KeyOperation, KeySpec, KeyType, Result,
    crypto::base64url::required,
    error::PROPERTY_INVALID,
    operation::{
        BackUpKey, CreateKey, DeleteKey, GetKey, ImportKey, ListKeys, ListVersions, RestoreKey,
        RotateKey, UpdateKey,
    },
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
    let permit = call.authorize(CreateKey, call.key(key, None)).await?;
    let (permit, (spec, change)) = call.read(permit, CreateBody::parameters).await?;
    Ok(render_current(call.names, &permit.run(spec, change).await?))
}

pub(super) async fn import(mut call: Call<'_>, key: KeyName) -> Answer {
    let permit = call.authorize(ImportKey, call.key(key, None)).await?;
    let (permit, imported) = call.read(permit, ImportBody::parameters).await?;
    Ok(render_current(call.names, &permit.run(imported).await?))
}

pub(super) async fn get(call: Call<'_>, key: KeyName, version: Option<KeyVersion>) -> Answer {
    let permit = call.authorize(GetKey, call.key(key, version)).await?;
    let bundle = permit.run().await?;
    Ok(Json(BundleBody::of(call.names, &bundle)).into_response())
}

pub(super) async fn list(call: Call<'_>, query: PageQuery) -> Answer {
    let permit = call.authorize(ListKeys, call.vault.clone()).await?;
    let (permit, page) = permit.parse(async { query.page() }).await?;
    let keys = permit.run(page).await?;
    Ok(call.render_page("/keys", &query, &keys, |key| ItemBody::of(call.names, key)))
}

pub(super) async fn list_versions(call: Call<'_>, key: KeyName, query: PageQuery) -> Answer {
    let path = format!("/keys/{key}/versions");
    let permit = call.authorize(ListVersions, call.key(key, None)).await?;
    let (permit, page) = permit.parse(async { query.page() }).await?;
    let versions = permit.run(page).await?;
    Ok(call.render_page(&path, &query, &versions, |bundle| {
        ItemBody::version(call.names, bundle)
    }))
}

pub(super) async fn update(
    mut call: Call<'_>,
    key: KeyName,
    version: Option<KeyVersion>,
) -> Answer {
    let permit = call.authorize(UpdateKey, call.key(key, version)).await?;
    let (permit, change) = call.read(permit, UpdateBody::parameters).await?;
    let (_, changed) = permit.run(change).await?;
    Ok(Json(BundleBody::of(call.names, &changed)).into_response())
}

pub(super) async fn delete(call: Call<'_>, key: KeyName) -> Answer {
    let permit = call.authorize(DeleteKey, call.key(key, None)).await?;
    let deleted = permit.run().await?;
    Ok(Json(BundleBody::deleted(call.names, &deleted)).into_response())
}

pub(super) async fn back_up(call: Call<'_>, key: KeyName) -> Answer {
    let permit = call.authorize(BackUpKey, call.key(key, None)).await?;
    let backup = permit.run().await?;
    Ok(Json(json!({ "value": backup })).into_response())
}

pub(super) async fn restore(mut call: Call<'_>) -> Answer {
    let permit = call.authorize(RestoreKey, call.vault.clone()).await?;
    let value = |body: RestoreBody| body.value.ok_or_else(|| required("value"));
    let (permit, backup) = call.read(permit, value).await?;
    Ok(render_current(call.names, &permit.run(backup).await?))
}

pub(super) async fn rotate(call: Call<'_>, key: KeyName) -> Answer {
    let permit = call.authorize(RotateKey, call.key(key, None)).await?;
    Ok(render_current(call.names, &permit.run().await?))
}

/// Renders the current version of a key.
fn render_current(names: &PublicName, key: &Key) -> Response {
    Json(BundleBody::of(names, &key.current)).into_response()
}

impl CreateBody {
    fn parameters(self) -> Result<(KeySpec, KeyChange)> {
        if let Some(Object(attributes)) = &self.attributes {
            attributes.refuse_external_key()?;
        }
        let kty: KeyType = self.kty.as_deref().ok_or_else(missing_type)?.parse()?;
        public_exponent_is_65537(self.public_exponent)?;
        let spec = KeySpec {
            kty,
            key_size: self.key_size,
            curve: self.crv,
        };
        let policy = self.release_policy.as_ref();
        let key_ops = parse_operations(self.key_ops.as_deref())?;
        let change = bundle::key_change(key_ops, self.attributes, self.tags, policy)?;
        Ok((spec, change))
    }
}

impl ImportBody {
    fn parameters(self) -> Result<ImportedKey> {
        let Object(key) = self.key;
        let key_ops = parse_operations(key.key_ops.as_deref())?;
        let policy = self.release_policy.as_ref();
        Ok(ImportedKey {
            change: bundle::key_change(key_ops, self.attributes, self.tags, policy)?,
            hsm: self.hsm.unwrap_or(false),
            key,
        })
    }
}

impl UpdateBody {
    fn parameters(self) -> Result<KeyChange> {
        let policy = self.release_policy.as_ref();
        let key_ops = parse_operations(self.key_ops.as_deref())?;
        bundle::key_change(key_ops, self.attributes, self.tags, policy)
    }
}

/// Parses the operations of a key. The API of 2026 has some that the emulator does not support.
fn parse_operations(names: Option<&[String]>) -> Result<Option<Vec<KeyOperation>>> {
    let parse = |name: &String| match name.to_ascii_lowercase().as_str() {
        "securewrapkey" | "secureunwrapkey" => Err(Error::NotSupported("secure wrapping")),
        _ => name.parse(),
    };
    names
        .map(|names| names.iter().map(parse).collect())
        .transpose()
}

/// Azure repeats the text in a recording of azure-sdk-for-java's `createKeyNullType`.
fn missing_type() -> Error {
    Error::BadParameter(PROPERTY_INVALID.repeat(2))
}

/// Checks that the exponent is the one that vaults support, although the API knows others. The SDK for Java sends 0 for the
/// default.
fn public_exponent_is_65537(given: Option<u64>) -> Result<()> {
    match given {
        None | Some(0 | 65_537) => Ok(()),
        Some(other) => Err(Error::BadParameter(format!(
            "The public_exponent {other} is not supported; leave it out, or use 65537."
        ))),
    }
}
