//! The keys of a vault, which Resource Manager creates and shows without regard to the vault's firewall and access model.

use std::collections::BTreeMap;

use axum::{Json, body::Body, response::IntoResponse as _};
use jiff::Timestamp;
use sealock_core::{
    KeyIdentifier, KeyName, KeyVersion, Location, PublicName, ResourceGroupName, VaultName,
};
use sealock_vault::{
    Curve, Error as VaultError, KeyBundle, KeyChange, KeyOperation, KeySpec, KeyType, Page,
    operation::{CreateKey, GetKey, ListKeys, ListVersions},
};
use serde::{Deserialize, Serialize, de::IgnoredAny};

use super::{
    super::{
        Answer, Call,
        body::{List, read},
    },
    id, missing,
};
use crate::{
    Error, Result,
    resources::{VAULT, is_in},
};

const READ: &str = "Microsoft.KeyVault/vaults/keys/read";
const READ_VERSIONS: &str = "Microsoft.KeyVault/vaults/keys/versions/read";
const WRITE: &str = "Microsoft.KeyVault/vaults/keys/write";

/// The number of keys or versions in a list, which has one page.
const LIST_LIMIT: usize = 10_000;

/// A key or key version in an answer.
///
/// <https://learn.microsoft.com/rest/api/keyvault/keyvault/keys/get#key>
#[derive(Serialize)]
struct KeyBody {
    id: String,
    name: String,
    #[serde(rename = "type")]
    resource_type: &'static str,
    location: Location,
    tags: BTreeMap<String, String>,
    properties: PropertiesBody,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PropertiesBody {
    attributes: AttributesBody,
    #[serde(flatten)]
    shape: Option<ShapeBody>,
    key_uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_uri_with_version: Option<String>,
}

/// The members that a list does not show.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShapeBody {
    kty: KeyType,
    key_ops: Vec<KeyOperation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_size: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    curve_name: Option<Curve>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AttributesBody {
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    created: i64,
    updated: i64,
    recovery_level: &'static str,
    exportable: bool,
}

/// A key in a request. Read-only members are ignored.
///
/// <https://learn.microsoft.com/rest/api/keyvault/keyvault/keys/create-if-not-exist#request-body>
#[derive(Deserialize)]
struct NewKey {
    tags: Option<BTreeMap<String, String>>,
    properties: Option<NewProperties>,
}

#[derive(Default, Deserialize)]
struct NewProperties {
    attributes: Option<NewAttributes>,
    kty: Option<String>,
    keyops: Option<Vec<String>>,
    keysize: Option<u32>,
    curvename: Option<String>,
    rotationpolicy: Option<IgnoredAny>,
    release_policy: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
struct NewAttributes {
    enabled: Option<bool>,
    nbf: Option<i64>,
    exp: Option<i64>,
}

/// A vault of a resource group, and its region.
struct KeysOf<'a> {
    call: &'a Call,
    group: ResourceGroupName,
    vault: VaultName,
    location: Location,
}

pub(in crate::http) async fn list(
    call: Call,
    group: ResourceGroupName,
    vault: VaultName,
) -> Answer {
    let keys = KeysOf::find(&call, READ, group, vault, "").await?;
    let permit = call.permit(ListKeys, keys.vault.clone()).await?;
    let listed = permit.run(whole_list()).await?.entries.into_iter();
    let value = listed.map(|key| keys.list_item(&key.current)).collect();
    Ok(Json(List { value }).into_response())
}

pub(in crate::http) async fn list_versions(
    call: Call,
    group: ResourceGroupName,
    vault: VaultName,
    key: KeyName,
) -> Answer {
    let path = format!("/keys/{key}");
    let keys = KeysOf::find(&call, READ_VERSIONS, group, vault, &path).await?;
    let target = KeyIdentifier::current(&keys.vault, &key);
    let permit = call.permit(ListVersions, target).await?;
    let listed = permit.run(whole_list()).await?.entries;
    let value = listed.iter().map(|version| keys.version(version)).collect();
    Ok(Json(List { value }).into_response())
}

/// Shows a key version. Without a version, shows the key with its current one.
pub(in crate::http) async fn show(
    call: Call,
    group: ResourceGroupName,
    vault: VaultName,
    key: KeyName,
    version: Option<KeyVersion>,
) -> Answer {
    let path = format!("/keys/{key}");
    let action = if version.is_some() {
        READ_VERSIONS
    } else {
        READ
    };
    let keys = KeysOf::find(&call, action, group, vault, &path).await?;
    let found = keys.get(&key, version.clone()).await?;
    let body = match version {
        Some(_) => keys.version(&found),
        None => keys.key(&found),
    };
    Ok(Json(body).into_response())
}

/// Creates the key, or shows the existing one without a change.
pub(in crate::http) async fn put(
    call: Call,
    content: Body,
    group: ResourceGroupName,
    vault: VaultName,
    key: KeyName,
) -> Answer {
    let path = format!("/keys/{key}");
    let keys = KeysOf::find(&call, WRITE, group, vault, &path).await?;
    let new: NewKey = read(content).await?;
    let (spec, change) = new.parameters()?;
    match keys.get(&key, None).await {
        Ok(existing) => return Ok(Json(keys.key(&existing)).into_response()),
        Err(Error::ResourceNotFound { .. }) => {}
        Err(error) => return Err(error),
    }
    let target = KeyIdentifier::current(&keys.vault, &key);
    let permit = call.permit(CreateKey, target).await?;
    let created = permit.run(spec, change).await?;
    Ok(Json(keys.key(&created.current)).into_response())
}

impl<'a> KeysOf<'a> {
    /// Checks that a role permits the action at a path below the vault, and finds the vault.
    async fn find(
        call: &'a Call,
        action: &'static str,
        group: ResourceGroupName,
        vault: VaultName,
        path: &str,
    ) -> Result<Self> {
        let scope = format!("{}{path}", id(&group, &vault));
        call.authorize(action, &scope).await?;
        let group = call.manager.group(&group).await?.name;
        let resource = call.manager.vaults.resource(&vault).await?;
        let found = resource.filter(|resource| is_in(resource, &group));
        let resource = found.ok_or_else(|| missing(&group, &vault))?;
        Ok(Self {
            call,
            group,
            vault,
            location: resource.location,
        })
    }

    async fn get(&self, key: &KeyName, version: Option<KeyVersion>) -> Result<KeyBundle> {
        let target = KeyIdentifier {
            version,
            ..KeyIdentifier::current(&self.vault, key)
        };
        let found = async { self.call.permit(GetKey, target).await?.run().await };
        found.await.map_err(|error| match error {
            VaultError::KeyNotFound { .. } | VaultError::KeyDeleted { .. } => {
                Error::ResourceNotFound {
                    resource_type: VAULT,
                    name: format!("{}/keys/{key}", self.vault),
                    group: self.group.clone(),
                }
            }
            error => error.into(),
        })
    }

    fn key(&self, current: &KeyBundle) -> KeyBody {
        let KeyBundle { kid, .. } = current;
        let identifier = kid.identifier();
        KeyBody {
            id: format!("{}/keys/{}", id(&self.group, &self.vault), kid.key),
            name: kid.key.to_string(),
            resource_type: "Microsoft.KeyVault/vaults/keys",
            location: self.location.clone(),
            tags: current.tags.clone(),
            properties: PropertiesBody {
                attributes: AttributesBody::of(current),
                shape: Some(ShapeBody::of(current)),
                key_uri: self.names().key_uri(&identifier.clone().unversioned()),
                key_uri_with_version: Some(self.names().key_uri(&identifier)),
            },
        }
    }

    fn version(&self, version: &KeyBundle) -> KeyBody {
        let key = self.key(version);
        KeyBody {
            id: format!("{}/versions/{}", key.id, version.kid.version),
            name: version.kid.version.to_string(),
            resource_type: "Microsoft.KeyVault/vaults/keys/versions",
            ..key
        }
    }

    fn list_item(&self, current: &KeyBundle) -> KeyBody {
        let key = self.key(current);
        KeyBody {
            properties: PropertiesBody {
                shape: None,
                key_uri_with_version: None,
                ..key.properties
            },
            ..key
        }
    }

    fn names(&self) -> &PublicName {
        &self.call.manager.names
    }
}

impl ShapeBody {
    fn of(bundle: &KeyBundle) -> Self {
        let curve_name = bundle.public_key.curve();
        Self {
            kty: bundle.kty,
            key_ops: bundle.key_ops.clone(),
            key_size: curve_name.is_none().then_some(bundle.key_size),
            curve_name,
        }
    }
}

impl AttributesBody {
    fn of(bundle: &KeyBundle) -> Self {
        let attributes = bundle.attributes;
        Self {
            enabled: attributes.enabled,
            nbf: attributes.not_before.map(Timestamp::as_second),
            exp: attributes.expires.map(Timestamp::as_second),
            created: attributes.created.as_second(),
            updated: attributes.updated.as_second(),
            recovery_level: attributes.recovery.level(),
            exportable: bundle.release_policy.is_some(),
        }
    }
}

impl NewKey {
    fn parameters(self) -> Result<(KeySpec, KeyChange)> {
        let given = self.properties.unwrap_or_default();
        if given.rotationpolicy.is_some() {
            return Err(VaultError::NotSupported("a rotation policy beside a new key").into());
        }
        if given.release_policy.is_some() {
            return Err(VaultError::NotSupported("a release policy beside a new key").into());
        }
        let kty = given.kty.as_deref();
        let kty = kty.ok_or_else(|| VaultError::invalid_vault_property("kty"))?;
        let spec = KeySpec {
            kty: kty.parse()?,
            key_size: given.keysize,
            curve: given.curvename.map(Curve::try_from).transpose()?,
        };
        let key_ops = given.keyops.map(|names| {
            let names = names.iter().map(|name| name.parse());
            names.collect::<Result<Vec<KeyOperation>, _>>()
        });
        let attributes = given.attributes.unwrap_or_default();
        Ok((
            spec,
            KeyChange {
                key_ops: key_ops.transpose()?,
                enabled: attributes.enabled,
                not_before: attributes.nbf.map(|at| time("nbf", at)).transpose()?,
                expires: attributes.exp.map(|at| time("exp", at)).transpose()?,
                tags: self.tags,
                ..KeyChange::default()
            },
        ))
    }
}

fn time(member: &str, seconds: i64) -> Result<Timestamp> {
    let time = Timestamp::from_second(seconds);
    time.map_err(|_| VaultError::invalid_vault_property(member).into())
}

fn whole_list() -> Page {
    Page {
        after: None,
        limit: LIST_LIMIT,
    }
}
