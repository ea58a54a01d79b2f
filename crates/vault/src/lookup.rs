//! Reads of the vaults' records, and checks of their life-cycle state.

use std::ops::Bound;

use futures_util::{StreamExt as _, TryStreamExt as _};
use sealock_core::{KeyIdentifier, KeyName, KeyVersion, Kid, VaultName};
use sealock_entra::TrackedResource;
use sealock_store::{Entry, Record};

use crate::{
    Error, Result, State,
    arm_id::resource_id,
    records::{KEYS, KeyRecord, TAGS, VAULTS, VERSIONS, VaultRecord, VersionRecord},
    service::Service,
};

/// A key version as it is stored, with its tags.
#[derive(Clone)]
pub(crate) struct StoredVersion {
    pub(crate) version: KeyVersion,
    pub(crate) record: VersionRecord,
    pub(crate) tags: Tags,
}

pub(crate) type Tags = std::collections::BTreeMap<String, String>;

impl Service {
    /// Returns the vault, deleted or not.
    pub(crate) async fn find_vault(
        &self,
        vault: &VaultName,
    ) -> Result<Option<Record<VaultRecord>>> {
        let record = self.store.get(&VAULTS, &[vault.as_str()]).await?;
        Ok(record.filter(|record| !self.retention_has_passed(record.deletion)))
    }

    /// Returns the vaults that are not deleted, with their places, tags and history.
    pub(crate) async fn resources(&self) -> Result<Vec<(VaultName, TrackedResource)>> {
        let mut resources = Vec::new();
        let mut vaults = self.store.scan(&VAULTS, &[], Bound::Unbounded);
        while let Some(entry) = vaults.try_next().await? {
            if entry.record.deletion.is_none() {
                let vault = parse_segment(&entry.key, 0)?;
                resources.push((vault, entry.record.value.resource));
            }
        }
        Ok(resources)
    }

    /// Returns the vault's ARM id. A vault that does not exist has one in the default resource group.
    pub(crate) async fn resource_id(&self, vault: &VaultName) -> Result<String> {
        let resource = match self.find_vault(vault).await? {
            Some(record) => record.value.resource,
            None => self.default_place(),
        };
        Ok(resource_id(vault, &resource))
    }

    /// Returns the place of a vault that does not exist.
    pub(crate) fn default_place(&self) -> TrackedResource {
        TrackedResource::of_operator(self.clock.now())
    }

    /// Returns the vault, unless it is deleted.
    pub(crate) async fn active_vault(&self, vault: &VaultName) -> Result<Record<VaultRecord>> {
        match self.find_vault(vault).await? {
            Some(record) if record.deletion.is_none() => Ok(record),
            Some(_) => Err(Error::VaultDeleted {
                vault: vault.clone(),
            }),
            None => Err(Error::VaultNotFound {
                vault: vault.clone(),
            }),
        }
    }

    /// Returns the vault, if it is active and not failed over.
    pub(crate) async fn changeable_vault(&self, vault: &VaultName) -> Result<Record<VaultRecord>> {
        let record = self.active_vault(vault).await?;
        check_changeable(vault, &record)?;
        Ok(record)
    }

    /// Returns a key's life-cycle state now.
    pub(crate) fn state_of(&self, record: &KeyRecord) -> State {
        let now = self.clock.now();
        match record.deletion {
            Some(deletion) if deletion.is_under_way(now) => State::Deleting,
            Some(_) => State::Deleted,
            None if record.recovering_until.is_some_and(|end| now < end) => State::Recovering,
            None => State::Active,
        }
    }

    /// Returns the key, deleted or not.
    pub(crate) async fn find_key(
        &self,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<Option<Record<KeyRecord>>> {
        let record = self
            .store
            .get(&KEYS, &[vault.as_str(), key.folded()])
            .await?;
        Ok(record.filter(|record| !self.retention_has_passed(record.deletion)))
    }

    /// Returns the key, unless it is deleted. A refusal names `version`.
    pub(crate) async fn active_key(
        &self,
        vault: &VaultName,
        key: &KeyName,
        version: Option<&KeyVersion>,
    ) -> Result<Record<KeyRecord>> {
        let (vault, key, version) = (vault.clone(), key.clone(), version.cloned());
        match self.find_key(&vault, &key).await? {
            Some(record) => match self.state_of(&record) {
                State::Active => Ok(record),
                state => Err(Error::KeyDeleted {
                    vault,
                    key,
                    version,
                    state,
                }),
            },
            None => Err(Error::KeyNotFound {
                vault,
                key,
                version,
            }),
        }
    }

    /// Returns the key to which a version can be added, or `None` if the name is free.
    pub(crate) async fn creatable_key(
        &self,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<Option<Record<KeyRecord>>> {
        let record = self.find_key(vault, key).await?;
        let Some(state) = record.as_ref().map(|record| self.state_of(record)) else {
            return Ok(None);
        };
        let (vault, key) = (vault.clone(), key.clone());
        match state {
            State::Active => Ok(record),
            State::Deleting => Err(Error::ObjectIsBeingDeleted { key }),
            State::Deleted => Err(Error::ObjectIsDeletedButRecoverable { vault, key }),
            State::Recovering => Err(Error::ObjectIsBeingRecovered { key }),
        }
    }

    /// Returns the key, if it is deleted. The refusals for an active key and for no key differ, as in recordings of
    /// azure-cli and of azure-sdk-for-java's `getDeletedKeyNotFound`.
    pub(crate) async fn deleted_key(
        &self,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<Record<KeyRecord>> {
        let (vault, key) = (vault.clone(), key.clone());
        match self.find_key(&vault, &key).await? {
            Some(record) => match self.state_of(&record) {
                State::Deleted => Ok(record),
                state => Err(Error::DeletedKeyNotFound {
                    vault,
                    key,
                    is_active: state == State::Active,
                }),
            },
            None => Err(Error::KeyNotFound {
                vault,
                key,
                version: None,
            }),
        }
    }

    /// Returns the key, if it can be recovered or purged.
    pub(crate) async fn recoverable_key(
        &self,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<Record<KeyRecord>> {
        match self.find_key(vault, key).await? {
            Some(record) if self.state_of(&record) == State::Deleting => {
                Err(Error::StillBeingDeleted)
            }
            Some(record) if self.state_of(&record) == State::Recovering => {
                Err(Error::StillBeingRecovered)
            }
            _ => self.deleted_key(vault, key).await,
        }
    }

    pub(crate) async fn version(&self, kid: &Kid) -> Result<Record<VersionRecord>> {
        let segments = [kid.vault.as_str(), kid.key.folded(), kid.version.as_str()];
        self.store
            .get(&VERSIONS, &segments)
            .await?
            .ok_or_else(|| Error::KeyNotFound {
                vault: kid.vault.clone(),
                key: kid.key.clone(),
                version: Some(kid.version.clone()),
            })
    }

    /// Returns an active key, and the version that `identifier` names: without one, the current.
    pub(crate) async fn active_kid(
        &self,
        identifier: &KeyIdentifier,
    ) -> Result<(Record<KeyRecord>, Kid)> {
        let KeyIdentifier {
            vault,
            key,
            version,
        } = identifier;
        let record = self.active_key(vault, key, version.as_ref()).await?;
        let kid = Kid::new(
            vault,
            &record.name,
            version.as_ref().unwrap_or(&record.current).clone(),
        );
        Ok((record, kid))
    }

    /// Reads a version with its tags.
    pub(crate) async fn stored_version(&self, kid: &Kid) -> Result<StoredVersion> {
        Ok(StoredVersion {
            version: kid.version.clone(),
            record: self.version(kid).await?.value,
            tags: self.tags_of(kid).await?,
        })
    }

    /// Reads a key's versions, newest first.
    pub(crate) async fn versions_of(
        &self,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<Vec<StoredVersion>> {
        let prefix = [vault.as_str(), key.folded()];
        let mut entries = self.store.scan(&VERSIONS, &prefix, Bound::Unbounded);
        let mut versions: Vec<StoredVersion> = Vec::new();
        while let Some(entry) = entries.try_next().await? {
            versions.push(self.version_from_entry(vault, key, entry).await?);
        }
        versions.sort_by_key(|stored| std::cmp::Reverse(stored.record.number));
        Ok(versions)
    }

    /// Reads the version of an entry, which a scan of the key's versions found.
    pub(crate) async fn version_from_entry(
        &self,
        vault: &VaultName,
        key: &KeyName,
        entry: Entry<VersionRecord>,
    ) -> Result<StoredVersion> {
        let kid = Kid::new(vault, key, parse_segment(&entry.key, 0)?);
        Ok(StoredVersion {
            tags: self.tags_of(&kid).await?,
            version: kid.version,
            record: entry.record.value,
        })
    }

    pub(crate) async fn tags_of(&self, kid: &Kid) -> Result<Tags> {
        let prefix = [kid.vault.as_str(), kid.key.folded(), kid.version.as_str()];
        self.store
            .scan(&TAGS, &prefix, Bound::Unbounded)
            .map(|entry| {
                let tag = entry?.record.value;
                Ok((tag.name, tag.value))
            })
            .try_collect()
            .await
    }
}

/// Checks that an active vault has not failed over.
pub(crate) fn check_changeable(vault: &VaultName, record: &VaultRecord) -> Result<()> {
    if record.failed_over {
        return Err(Error::FailedOver {
            vault: vault.clone(),
        });
    }
    Ok(())
}

/// Parses a segment of a record's key.
pub(crate) fn parse_segment<T>(key: &[String], index: usize) -> Result<T>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let text = key.get(index).map_or("", String::as_str);
    text.parse().map_err(|error: T::Err| {
        Error::Storage(sealock_store::Error::Damaged {
            key: key.join("/"),
            why: error.to_string(),
        })
    })
}
