use std::{ops::Bound, sync::Arc};

use sealock_core::{KeyIdentifier, KeyName, KeyVersion, Kid, ObjectId, VaultName};
use sealock_entra::Caller;
use sealock_store::{Batch, Record};

use crate::{
    Error, Key, KeyPermission, KeySpec, KeyVersionFacts, PublicKey, Result, State, Version,
    audit::Subject,
    key_material::KeyMaterial,
    key_vault::Service,
    lookup::{Versions, part},
    private_keys,
    records::{Deletion, KEYS, KeyRecord, SealedKey, VAULTS, VERSIONS, VaultRecord, VersionRecord},
};

impl Service {
    pub(crate) async fn create_key(
        self: &Arc<Self>,
        caller: &Caller,
        vault: &VaultName,
        key: &KeyName,
        spec: KeySpec,
    ) -> Result<Key> {
        let state = || -> Result<_> {
            let vault_record = self.permitted_vault(caller, vault, KeyPermission::Create)?;
            let record = self.find_key(vault, key)?;
            match &record {
                Some(record) if record.deletion.is_some() => {
                    Err(Error::ObjectIsDeletedButRecoverable {
                        vault: vault.clone(),
                        key: key.clone(),
                    })
                }
                _ => Ok((vault_record, record)),
            }
        };
        state()?;
        spec.check()?;
        self.remove_expired_key(vault, key).await?;
        self.add_version(vault, key, spec, state).await
    }

    pub(crate) async fn rotate_key(
        self: &Arc<Self>,
        caller: &Caller,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<Key> {
        let state = || {
            let vault_record = self.permitted_vault(caller, vault, KeyPermission::Rotate)?;
            Ok((vault_record, Some(self.active_key(vault, key, None)?)))
        };
        state()?;
        let current = self.current_version(vault, key)?;
        let spec = KeySpec {
            kty: current.kty,
            key_size: Some(current.key_size),
            curve: current.public_key.curve(),
        };
        self.add_version(vault, key, spec, state).await
    }

    pub(crate) fn keys(&self, caller: &Caller, vault: &VaultName) -> Result<Vec<Key>> {
        self.permitted_vault(caller, vault, KeyPermission::List)?;
        let mut keys = Vec::new();
        for entry in self.store.scan(&KEYS, &[vault.as_str()], Bound::Unbounded) {
            let entry = entry?;
            if self.is_over(entry.record.deletion) {
                continue;
            }
            let key = part(&entry.key, 0)?;
            let versions = self.versions_of(vault, &key)?;
            match self.view_of_key(vault, &key, &entry.record, versions) {
                Err(Error::KeyNotFound { .. }) => {}
                view => keys.push(view?),
            }
        }
        Ok(keys)
    }

    pub(crate) fn key(&self, caller: &Caller, vault: &VaultName, key: &KeyName) -> Result<Key> {
        self.permitted_vault(caller, vault, KeyPermission::Get)?;
        let record = self
            .find_key(vault, key)?
            .ok_or_else(|| Error::KeyNotFound {
                vault: vault.clone(),
                key: key.clone(),
                version: None,
            })?;
        self.view_of_key(vault, key, &record, self.versions_of(vault, key)?)
    }

    /// Returns the key, and the version that was changed.
    pub(crate) async fn set_enabled(
        &self,
        caller: &Caller,
        vault: &VaultName,
        key: &KeyName,
        version: Option<&KeyVersion>,
        enabled: bool,
    ) -> Result<(Key, KeyVersionFacts)> {
        self.change(|| {
            let vault_record = self.permitted_vault(caller, vault, KeyPermission::Update)?;
            let record = self.active_key(vault, key, version)?;
            let kid = Kid {
                vault: vault.clone(),
                key: key.clone(),
                version: version.unwrap_or(&record.current).clone(),
            };
            let changed = VersionRecord {
                enabled,
                updated: self.clock.now(),
                ..self.version(&kid)?.value
            };
            let mut versions = self.versions_of(vault, key)?;
            for (version, known) in &mut versions {
                if *version == kid.version {
                    *known = changed.clone();
                }
            }
            let parts = [vault.as_str(), key.as_str(), kid.version.as_str()];
            let (batch, view) =
                self.replacement_of_key(vault, key, &vault_record, &record, None, versions)?;
            let facts = changed.facts(kid.clone());
            Ok((batch.put(&VERSIONS, &parts, &changed), (view, facts)))
        })
        .await
    }

    pub(crate) async fn delete_key(
        &self,
        caller: &Caller,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<Key> {
        self.change(|| {
            let vault_record = self.permitted_vault(caller, vault, KeyPermission::Delete)?;
            let record = self.active_key(vault, key, None)?;
            let versions = self.versions_of(vault, key)?;
            let deletion = self.deletion(vault_record.soft_delete_retention_days);
            let deletion = Some(deletion);
            self.replacement_of_key(vault, key, &vault_record, &record, deletion, versions)
        })
        .await
    }

    pub(crate) async fn recover_key(
        &self,
        caller: &Caller,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<Key> {
        self.change(|| {
            let vault_record = self.permitted_vault(caller, vault, KeyPermission::Recover)?;
            let record = self.deleted_key(vault, key)?;
            let versions = self.versions_of(vault, key)?;
            self.replacement_of_key(vault, key, &vault_record, &record, None, versions)
        })
        .await
    }

    pub(crate) async fn purge_key(
        &self,
        caller: &Caller,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<()> {
        let files = self
            .change(|| {
                let vault_record = self.permitted_vault(caller, vault, KeyPermission::Purge)?;
                let record = self.deleted_key(vault, key)?;
                if vault_record.purge_protection {
                    return Err(Error::PurgeProtected {
                        vault: vault.clone(),
                        key: key.clone(),
                    });
                }
                let (batch, files) = self.removal_of_key(vault, key, &record)?;
                let batch = batch.expect(&VAULTS, &[vault.as_str()], &vault_record);
                Ok((batch, files))
            })
            .await?;
        self.unlink(files).await
    }

    /// Removes the key if its retention has passed.
    pub(crate) async fn remove_expired_key(
        &self,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<bool> {
        let parts = [vault.as_str(), key.as_str()];
        let files = self
            .change(|| match self.store.get(&KEYS, &parts)? {
                Some(record) if self.is_over(record.deletion) => {
                    let (batch, files) = self.removal_of_key(vault, key, &record)?;
                    Ok((batch, Some(files)))
                }
                _ => Ok((Batch::new(), None)),
            })
            .await?;
        let expired = files.is_some();
        self.unlink(files.unwrap_or_default()).await?;
        Ok(expired)
    }

    /// Removes objects whose metadata is gone. Tries all of them, whichever fails.
    pub(crate) async fn unlink(&self, files: Vec<ObjectId>) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        let objects = Arc::clone(&self.store.vault_keys);
        let removed = tokio::task::spawn_blocking(move || {
            let mut result = Ok(());
            for id in files {
                result = result.and(objects.remove(id).map(drop));
            }
            result
        });
        Ok(removed.await??)
    }

    /// Makes a key version: the key first, then its files, then the commit that makes it one.
    /// `state` says, each time the commit is tried, what the vault and key are, or refuses.
    async fn add_version(
        self: &Arc<Self>,
        vault: &VaultName,
        key: &KeyName,
        spec: KeySpec,
        state: impl Fn() -> Result<(Record<VaultRecord>, Option<Record<KeyRecord>>)>,
    ) -> Result<Key> {
        let kid = Kid {
            vault: vault.clone(),
            key: key.clone(),
            version: KeyVersion::random(),
        };
        let shape = spec.check()?;
        let made = tokio::task::spawn_blocking(move || KeyMaterial::generate(shape)).await??;
        let public_key = made.public_key();

        // From here to the commit, the files look like nobody's; the sweep waits.
        let _creating = self.creations.read().await;
        let private_key = tokio::task::spawn_blocking({
            let (service, kid) = (Arc::clone(self), kid.clone());
            move || {
                let objects = &*service.store.vault_keys;
                private_keys::seal(objects, &service.service_key, &kid, &made)
            }
        })
        .await??;
        let added = self
            .change(|| {
                let (vault_record, record) = state()?;
                self.addition_of_version(
                    &kid,
                    spec,
                    public_key.clone(),
                    private_key,
                    &vault_record,
                    record.as_ref(),
                )
            })
            .await;
        match &added {
            // Whether it was committed is unknown: if not, the files are the sweep's.
            Ok(_) | Err(Error::Storage(_)) => {}
            Err(_) => {
                if let Err(error) = self.unlink(private_key.objects().into()).await {
                    tracing::warn!(%error, %kid, "the files of a refused key version are left to the sweep");
                }
            }
        }
        added
    }

    fn addition_of_version(
        &self,
        kid: &Kid,
        spec: KeySpec,
        public_key: PublicKey,
        private_key: SealedKey,
        vault_record: &Record<VaultRecord>,
        record: Option<&Record<KeyRecord>>,
    ) -> Result<(Batch, Key)> {
        let now = self.clock.now();
        let number = record.map_or(0, |record| record.latest) + 1;
        let version = VersionRecord {
            number,
            kty: spec.kty,
            key_size: spec.check()?.bits(),
            public_key,
            enabled: true,
            created: now,
            updated: now,
            private_key,
        };
        let changed = KeyRecord {
            created: record.map_or(now, |record| record.created),
            deletion: None,
            current: kid.version.clone(),
            latest: number,
            revision: ObjectId::random(),
        };
        let (vault, key) = (kid.vault.as_str(), kid.key.as_str());
        let batch = Batch::new()
            .expect(&VAULTS, &[vault], vault_record)
            .expect_same(&KEYS, &[vault, key], record)
            .put(&KEYS, &[vault, key], &changed)
            .put(&VERSIONS, &[vault, key, kid.version.as_str()], &version);
        let mut versions = self.versions_of(&kid.vault, &kid.key)?;
        versions.insert(0, (kid.version.clone(), version));
        let view = self.view_of_key(&kid.vault, &kid.key, &changed, versions)?;
        Ok((batch, view))
    }

    /// The key with another (or no) deletion, and with `versions` as they will be.
    fn replacement_of_key(
        &self,
        vault: &VaultName,
        key: &KeyName,
        vault_record: &Record<VaultRecord>,
        record: &Record<KeyRecord>,
        deletion: Option<Deletion>,
        versions: Versions,
    ) -> Result<(Batch, Key)> {
        let changed = KeyRecord {
            deletion,
            revision: ObjectId::random(),
            ..record.value.clone()
        };
        let parts = [vault.as_str(), key.as_str()];
        let batch = Batch::new()
            .expect(&VAULTS, &[vault.as_str()], vault_record)
            .expect(&KEYS, &parts, record)
            .put(&KEYS, &parts, &changed);
        Ok((batch, self.view_of_key(vault, key, &changed, versions)?))
    }

    fn removal_of_key(
        &self,
        vault: &VaultName,
        key: &KeyName,
        record: &Record<KeyRecord>,
    ) -> Result<(Batch, Vec<ObjectId>)> {
        let parts = [vault.as_str(), key.as_str()];
        let mut files = Vec::new();
        let mut batch = Batch::new()
            .expect(&KEYS, &parts, record)
            .delete(&KEYS, &parts);
        for (version, record) in self.versions_of(vault, key)? {
            files.extend(record.private_key.objects());
            batch = batch.delete(&VERSIONS, &[parts[0], parts[1], version.as_str()]);
        }
        Ok((batch, files))
    }

    fn current_version(&self, vault: &VaultName, key: &KeyName) -> Result<Record<VersionRecord>> {
        let record = self.active_key(vault, key, None)?;
        self.version(&Kid {
            vault: vault.clone(),
            key: key.clone(),
            version: record.current.clone(),
        })
    }

    fn view_of_key(
        &self,
        vault: &VaultName,
        key: &KeyName,
        record: &KeyRecord,
        mut versions: Versions,
    ) -> Result<Key> {
        // Those that were added after the key's record was read are not part of this view.
        versions.retain(|(_, version)| version.number <= record.latest);
        let uri = |version: &KeyVersion| {
            self.names.key_uri(&KeyIdentifier {
                vault: vault.clone(),
                key: key.clone(),
                version: Some(version.clone()),
            })
        };
        // Without versions, the key was purged since its record was read.
        let Some((newest, current)) = versions.first() else {
            return Err(Error::KeyNotFound {
                vault: vault.clone(),
                key: key.clone(),
                version: None,
            });
        };
        Ok(Key {
            vault: vault.clone(),
            name: key.clone(),
            current: Kid {
                vault: vault.clone(),
                key: key.clone(),
                version: newest.clone(),
            },
            kid: uri(newest),
            state: match record.deletion {
                None => State::Active,
                Some(_) => State::Deleted,
            },
            kty: current.kty,
            key_size: current.key_size,
            enabled: current.enabled,
            created: record.created,
            deleted: record.deletion.map(|deletion| deletion.deleted),
            scheduled_purge: record.deletion.map(|deletion| deletion.scheduled_purge),
            versions: versions
                .iter()
                .map(|(version, stored)| Version {
                    version: version.clone(),
                    kid: uri(version),
                    enabled: stored.enabled,
                    current: version == newest,
                    created: stored.created,
                    updated: stored.updated,
                })
                .collect(),
        })
    }
}

impl VersionRecord {
    pub(crate) fn facts(&self, kid: Kid) -> KeyVersionFacts {
        KeyVersionFacts {
            kid,
            kty: self.kty,
            key_size: self.key_size,
            enabled: self.enabled,
            public_key: self.public_key.clone(),
        }
    }
}

impl Key {
    pub(crate) fn subject(&self) -> Subject {
        Subject {
            kid: self.current.clone(),
            kty: self.kty,
            key_size: self.key_size,
        }
    }
}

impl KeyVersionFacts {
    pub(crate) fn subject(&self) -> Subject {
        Subject {
            kid: self.kid.clone(),
            kty: self.kty,
            key_size: self.key_size,
        }
    }
}
