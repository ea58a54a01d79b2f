use std::collections::BTreeMap;

use axum::{Json, extract::State as Shared, http::StatusCode};
use jiff::Timestamp;
use sealock_core::{KeyIdentifier, KeyName, KeyVersion, Kid, RegistryName, VaultName};
use sealock_vault::{
    Curve, Key, KeyBundle, KeyChange, KeyOperation, KeySpec, KeyType, PublicKey, Requester, State,
};
use serde::{Deserialize, Serialize};

use super::{
    Answer, ControlError,
    extract::{Body, Path},
    vault_and_key,
};
use crate::services::Services;

#[derive(Serialize)]
pub(super) struct List {
    keys: Vec<KeyView>,
}

/// A key, as the command line shows it.
#[derive(Serialize)]
pub(super) struct KeyView {
    vault: VaultName,
    name: KeyName,
    /// The current version, as clients see it.
    kid: String,
    state: State,
    kty: KeyType,
    key_size: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<Curve>,
    enabled: bool,
    created: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled_purge: Option<Timestamp>,
    /// Newest first.
    versions: Vec<VersionView>,
}

#[derive(Serialize)]
struct VersionView {
    version: KeyVersion,
    kid: String,
    enabled: bool,
    current: bool,
    key_ops: Vec<KeyOperation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
    created: Timestamp,
    updated: Timestamp,
}

impl KeyView {
    fn new(services: &Services, key: Key) -> Self {
        let uri = |kid: &Kid| services.names.key_uri(&kid.identifier());
        let version = |bundle: &KeyBundle| VersionView {
            version: bundle.kid.version.clone(),
            kid: uri(&bundle.kid),
            enabled: bundle.attributes.enabled,
            current: bundle.kid == key.current.kid,
            key_ops: bundle.key_ops.clone(),
            not_before: bundle.attributes.not_before,
            expires: bundle.attributes.expires,
            tags: bundle.tags.clone(),
            created: bundle.attributes.created,
            updated: bundle.attributes.updated,
        };
        Self {
            versions: key.versions().map(version).collect(),
            kid: uri(&key.current.kid),
            state: key.state,
            kty: key.current.kty,
            key_size: key.current.key_size,
            crv: match key.current.public_key {
                PublicKey::Ec { crv, .. } => Some(crv),
                PublicKey::Rsa { .. } | PublicKey::Oct => None,
            },
            enabled: key.current.attributes.enabled,
            created: key.created,
            deleted: key.deleted,
            scheduled_purge: key.scheduled_purge,
            vault: key.vault,
            name: key.name,
        }
    }
}

pub(super) async fn list(
    Shared(services): Shared<Services>,
    Path(vault): Path<String>,
) -> Answer<List> {
    let operator = Requester::operator();
    let keys = services.vault.keys(&operator, &vault.parse()?).await?;
    let keys = keys.into_iter().map(|key| KeyView::new(&services, key));
    Ok(Json(List {
        keys: keys.collect(),
    }))
}

pub(super) async fn show(
    Shared(services): Shared<Services>,
    Path(path): Path<(String, String)>,
) -> Answer<KeyView> {
    let (vault, key) = vault_and_key(path)?;
    let operator = Requester::operator();
    let key = services.vault.key(&operator, &vault, &key).await?;
    Ok(Json(KeyView::new(&services, key)))
}

/// What a new version is to be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Create {
    kty: Option<KeyType>,
    key_size: Option<u32>,
    crv: Option<Curve>,
    key_ops: Option<Vec<KeyOperation>>,
}

pub(super) async fn create(
    Shared(services): Shared<Services>,
    Path(path): Path<(String, String)>,
    Body(asked): Body<Create>,
) -> Answer<Followed> {
    let (vault, key) = vault_and_key(path)?;
    let spec = KeySpec {
        kty: asked.kty.unwrap_or(KeySpec::default().kty),
        key_size: asked.key_size,
        curve: asked.crv,
    };
    let change = KeyChange {
        key_ops: asked.key_ops,
        ..KeyChange::default()
    };
    let operator = Requester::operator();
    let created = services
        .vault
        .create_key(&operator, &vault, &key, Ok((spec, change)))
        .await?;
    followed(&services, created).await
}

pub(super) async fn rotate(
    Shared(services): Shared<Services>,
    Path(path): Path<(String, String)>,
) -> Answer<Followed> {
    let (vault, key) = vault_and_key(path)?;
    let operator = Requester::operator();
    let rotated = services.vault.rotate_key(&operator, &vault, &key).await?;
    followed(&services, rotated).await
}

/// A key with a new version.
#[derive(Serialize)]
pub(super) struct Followed {
    #[serde(flatten)]
    key: KeyView,
    /// The registries that follow the key, but could not move yet.
    left_behind: Vec<RegistryName>,
}

/// A new key version is answered for once every registry that follows the key has moved to it.
async fn followed(services: &Services, key: Key) -> Answer<Followed> {
    let left_behind = services.follow(&key.current.kid).await?;
    let key = KeyView::new(services, key);
    Ok(Json(Followed { key, left_behind }))
}

#[derive(Serialize)]
pub(super) struct Backup {
    value: String,
}

pub(super) async fn backup(
    Shared(services): Shared<Services>,
    Path(path): Path<(String, String)>,
) -> Answer<Backup> {
    let (vault, key) = vault_and_key(path)?;
    let operator = Requester::operator();
    let value = services.vault.backup_key(&operator, &vault, &key).await?;
    Ok(Json(Backup { value }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Restore {
    value: String,
}

pub(super) async fn restore(
    Shared(services): Shared<Services>,
    Path(vault): Path<String>,
    Body(asked): Body<Restore>,
) -> Answer<Followed> {
    let operator = Requester::operator();
    let restored = services
        .vault
        .restore_key(&operator, &vault.parse()?, Ok(asked.value))
        .await?;
    followed(&services, restored).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Update {
    enabled: Option<bool>,
    key_ops: Option<Vec<KeyOperation>>,
    not_before: Option<Timestamp>,
    expires: Option<Timestamp>,
}

impl Update {
    fn change(self) -> Result<KeyChange, ControlError> {
        let change = KeyChange {
            key_ops: self.key_ops,
            enabled: self.enabled,
            not_before: self.not_before,
            expires: self.expires,
            ..KeyChange::default()
        };
        if change == KeyChange::default() {
            return Err(ControlError::nothing_to_change());
        }
        Ok(change)
    }
}

pub(super) async fn update(
    Shared(services): Shared<Services>,
    Path(path): Path<(String, String)>,
    Body(asked): Body<Update>,
) -> Answer<KeyView> {
    change(&services, path, None, asked).await
}

pub(super) async fn update_version(
    Shared(services): Shared<Services>,
    Path((vault, key, version)): Path<(String, String, String)>,
    Body(asked): Body<Update>,
) -> Answer<KeyView> {
    change(&services, (vault, key), Some(version.parse()?), asked).await
}

async fn change(
    services: &Services,
    path: (String, String),
    version: Option<KeyVersion>,
    asked: Update,
) -> Answer<KeyView> {
    let change = asked.change()?;
    let (vault, key) = vault_and_key(path)?;
    let identifier = KeyIdentifier {
        vault,
        key,
        version,
    };
    let operator = Requester::operator();
    let (key, _) = services
        .vault
        .update_key(&operator, &identifier, Ok(change))
        .await?;
    Ok(Json(KeyView::new(services, key)))
}

pub(super) async fn delete(
    Shared(services): Shared<Services>,
    Path(path): Path<(String, String)>,
) -> Answer<KeyView> {
    let (vault, key) = vault_and_key(path)?;
    let operator = Requester::operator();
    let key = services.vault.delete_key(&operator, &vault, &key).await?;
    Ok(Json(KeyView::new(&services, key)))
}

pub(super) async fn recover(
    Shared(services): Shared<Services>,
    Path(path): Path<(String, String)>,
) -> Answer<KeyView> {
    let (vault, key) = vault_and_key(path)?;
    let operator = Requester::operator();
    let key = services.vault.recover_key(&operator, &vault, &key).await?;
    Ok(Json(KeyView::new(&services, key)))
}

pub(super) async fn purge(
    Shared(services): Shared<Services>,
    Path(path): Path<(String, String)>,
) -> Result<StatusCode, ControlError> {
    let (vault, key) = vault_and_key(path)?;
    services
        .vault
        .purge_key(&Requester::operator(), &vault, &key)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
