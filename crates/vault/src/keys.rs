use std::{ops::Bound, sync::Arc};

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use sealock_core::{KeyIdentifier, KeyName, KeyVersion, Kid, ObjectId, VaultName};
use sealock_store::{Batch, Record};

use crate::{
    Error, Key, KeyAttributes, KeyBundle, KeyChange, KeyOperation, KeyPermission, KeySpec, KeyType,
    PublicKey, Recovery, ReleasePolicy, Requester, Result,
    attributes::{hardware_keys_are_premium, key_exchange_keys_expire},
    audit::Request,
    key_material::KeyMaterial,
    lookup::{StoredVersion, Tags},
    private_keys,
    records::{
        Deletion, KEYS, KeyRecord, ROTATION_POLICIES, SealedKey, VAULTS, VERSIONS, VaultRecord,
        VersionRecord,
    },
    release_policy,
    service::Service,
};

/// What a new version is to be, in the vault and of the key, if it is there, as they are now.
pub(crate) struct Addition {
    pub(crate) vault: Record<VaultRecord>,
    pub(crate) key: Option<Record<KeyRecord>>,
    pub(crate) kty: KeyType,
    pub(crate) change: KeyChange,
}

impl Addition {
    /// The key's release policy with the new version.
    fn release_policy(&self) -> Result<Option<ReleasePolicy>> {
        let key = self.key.as_deref();
        release_policy::after_new_version(&self.vault, key, self.kty, &self.change)
    }
}

impl Service {
    pub(crate) async fn create_key(
        self: &Arc<Self>,
        request: &Request,
        vault: &VaultName,
        key: &KeyName,
        asked: Result<(KeySpec, KeyChange)>,
    ) -> Result<Key> {
        let place = || async {
            let vault_record = self
                .permitted_vault(&request.requester, vault, Some(key), KeyPermission::Create)
                .await?;
            Ok::<_, Error>((vault_record, self.creatable_key(vault, key).await?))
        };
        place().await?;
        let (spec, change) = asked?;
        let shape = spec.check()?;
        change.check(spec.kty)?;
        self.remove_expired_key(vault, key).await?;
        let make = move || KeyMaterial::generate(shape);
        self.add_version(request, vault, key, make, |_| async {
            let (vault, key) = place().await?;
            Ok(Addition {
                vault,
                key,
                kty: spec.kty,
                change: change.clone(),
            })
        })
        .await
    }

    /// All keys, deleted ones included.
    pub(crate) async fn keys(&self, requester: &Requester, vault: &VaultName) -> Result<Vec<Key>> {
        let vault_record = self
            .permitted_vault(requester, vault, None, KeyPermission::List)
            .await?;
        let mut keys = Vec::new();
        let mut entries = self.store.scan(&KEYS, &[vault.as_str()], Bound::Unbounded);
        while let Some(entry) = entries.try_next().await? {
            if self.is_over(entry.record.deletion) {
                continue;
            }
            match self.stored_key(&vault_record, vault, &entry.record).await {
                Err(Error::KeyNotFound { .. }) => {}
                key => keys.push(key?),
            }
        }
        Ok(keys)
    }

    /// A key with all its versions, deleted or not.
    pub(crate) async fn key(
        &self,
        requester: &Requester,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<Key> {
        let vault_record = self
            .permitted_vault(requester, vault, Some(key), KeyPermission::Get)
            .await?;
        let record = self
            .find_key(vault, key)
            .await?
            .ok_or_else(|| Error::KeyNotFound {
                vault: vault.clone(),
                key: key.clone(),
                version: None,
            })?;
        self.stored_key(&vault_record, vault, &record).await
    }

    /// A key version, even a disabled one.
    pub(crate) async fn get_key(
        &self,
        requester: &Requester,
        identifier: &KeyIdentifier,
    ) -> Result<KeyBundle> {
        let KeyIdentifier { vault, key, .. } = identifier;
        let vault_record = self
            .permitted_vault(requester, vault, Some(key), KeyPermission::Get)
            .await?;
        let (record, kid) = self.active_kid(identifier).await?;
        let stored = self.stored_version(&kid).await?;
        Ok(stored.bundle(&vault_record, &record, vault))
    }

    pub(crate) async fn deleted_key_of(
        &self,
        requester: &Requester,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<Key> {
        let vault_record = self
            .permitted_vault(requester, vault, Some(key), KeyPermission::Get)
            .await?;
        let record = self.deleted_key(vault, key).await?;
        self.stored_key(&vault_record, vault, &record).await
    }

    /// Returns the key, and the version that was changed.
    pub(crate) async fn update_key(
        &self,
        request: &Request,
        identifier: &KeyIdentifier,
        change: Result<KeyChange>,
    ) -> Result<(Key, KeyBundle)> {
        let KeyIdentifier {
            vault,
            key,
            version,
        } = identifier;
        let place = || async {
            let vault_record = self
                .permitted_vault(&request.requester, vault, Some(key), KeyPermission::Update)
                .await?;
            Ok::<_, Error>((vault_record, self.active_kid(identifier).await?))
        };
        place().await?;
        let change = change?;
        self.change(request, || async {
            let (vault_record, (record, kid)) = place().await?;
            let known = self.version(&kid).await?.value;
            change.check(known.kty)?;
            let changed = StoredVersion {
                version: kid.version.clone(),
                tags: match &change.tags {
                    Some(tags) => tags.clone(),
                    None => self.tags_of(&kid).await?,
                },
                record: VersionRecord {
                    key_ops: change.key_ops.clone().or(known.key_ops),
                    enabled: change.enabled.unwrap_or(known.enabled),
                    not_before: change.not_before.or(known.not_before),
                    expires: change.expires.or(known.expires),
                    near_expiry_noted: known.near_expiry_noted && change.expires.is_none(),
                    expiry_noted: known.expiry_noted && change.expires.is_none(),
                    updated: self.clock.now(),
                    ..known
                },
            };
            let mut versions = self.versions_of(vault, key).await?;
            for stored in &mut versions {
                if stored.version == changed.version {
                    *stored = changed.clone();
                }
            }
            let parts = [vault.as_str(), key.folded(), kid.version.as_str()];
            let new = KeyRecord {
                release_policy: release_policy::after_update(&record, version.as_ref(), &change)?,
                revision: ObjectId::random(),
                ..record.value.clone()
            };
            let (batch, view) =
                self.replacement_of_key(vault, &vault_record, &record, &new, versions)?;
            let batch = Self::put_tags(&kid, &changed.tags, batch);
            let bundle = changed.bundle(&vault_record, &new, vault);
            Ok((
                batch.put(&VERSIONS, &parts, &changed.record),
                (view, bundle),
            ))
        })
        .await
    }

    pub(crate) async fn delete_key(
        &self,
        request: &Request,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<Key> {
        self.change(request, || async {
            let vault_record = self
                .permitted_vault(&request.requester, vault, Some(key), KeyPermission::Delete)
                .await?;
            let record = self.active_key(vault, key, None).await?;
            let new = KeyRecord {
                deletion: Some(Deletion {
                    under_way_until: self.delayed(),
                    ..self.deletion(vault_record.soft_delete_retention_days)
                }),
                recovering_until: None,
                revision: ObjectId::random(),
                ..record.value.clone()
            };
            let versions = self.versions_of(vault, key).await?;
            self.replacement_of_key(vault, &vault_record, &record, &new, versions)
        })
        .await
    }

    pub(crate) async fn recover_key(
        &self,
        request: &Request,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<Key> {
        self.change(request, || async {
            let vault_record = self
                .permitted_vault(&request.requester, vault, Some(key), KeyPermission::Recover)
                .await?;
            let record = self.recoverable_key(vault, key).await?;
            let new = KeyRecord {
                deletion: None,
                recovering_until: self.delayed(),
                revision: ObjectId::random(),
                ..record.value.clone()
            };
            let versions = self.versions_of(vault, key).await?;
            self.replacement_of_key(vault, &vault_record, &record, &new, versions)
        })
        .await
    }

    pub(crate) async fn purge_key(
        &self,
        request: &Request,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<()> {
        self.change(request, || async {
            let vault_record = self
                .permitted_vault(&request.requester, vault, Some(key), KeyPermission::Purge)
                .await?;
            let record = self.recoverable_key(vault, key).await?;
            if vault_record.purge_protection {
                return Err(Error::PurgeProtected {
                    vault: vault.clone(),
                    key: key.clone(),
                });
            }
            let batch = self.removal_of_key(vault, &record).await?;
            let batch = batch.expect(&VAULTS, &[vault.as_str()], &vault_record);
            Ok((batch, ()))
        })
        .await
    }

    /// Removes the key if its retention has passed.
    pub(crate) async fn remove_expired_key(
        &self,
        vault: &VaultName,
        key: &KeyName,
    ) -> Result<bool> {
        let parts = [vault.as_str(), key.folded()];
        self.change_silently(|| async {
            match self.store.get(&KEYS, &parts).await? {
                Some(record) if self.is_over(record.deletion) => {
                    Ok((self.removal_of_key(vault, &record).await?, true))
                }
                _ => Ok((Batch::new(), false)),
            }
        })
        .await
    }

    /// Makes a key version: the key first, then its files, then the commit that makes it one.
    /// `plan` says, each time the commit is tried, what the version is to be, or refuses.
    pub(crate) async fn add_version<F>(
        self: &Arc<Self>,
        request: &Request,
        vault: &VaultName,
        key: &KeyName,
        make: impl FnOnce() -> Result<KeyMaterial> + Send + 'static,
        plan: impl Fn(Timestamp) -> F,
    ) -> Result<Key>
    where
        F: Future<Output = Result<Addition>>,
    {
        let addition = plan(self.clock.now()).await?;
        addition.release_policy()?;
        hardware_keys_are_premium(addition.vault.sku, addition.kty)?;
        let name = addition.key.as_ref().map_or(key, |record| &record.name);
        let kid = Kid::new(vault, name, KeyVersion::random());
        let made = tokio::task::spawn_blocking(make).await??;
        let (public_key, key_size) = (made.public_key(), made.shape().bits());

        let seal = {
            let kid = kid.clone();
            move |service: &Self| {
                let objects = &*service.store.vault_keys;
                let sealed = private_keys::seal(objects, &service.service_key, &kid, &made)?;
                Ok((sealed, sealed.objects().into()))
            }
        };
        let (kid, public_key, plan) = (&kid, &public_key, &plan);
        let added = self.change_with_files(request, seal, |private_key| async move {
            let now = self.clock.now();
            let made = (public_key.clone(), key_size, private_key);
            let addition = plan(now).await?;
            self.addition_of_version(kid, &addition, made, now).await
        });
        Ok(self.followed(added.await?).await)
    }

    async fn addition_of_version(
        &self,
        kid: &Kid,
        addition: &Addition,
        (public_key, key_size, private_key): (PublicKey, u32, SealedKey),
        now: Timestamp,
    ) -> Result<(Batch, Key)> {
        let Addition {
            vault: vault_record,
            key: record,
            kty,
            change,
        } = addition;
        let record = record.as_ref();
        if record.is_some_and(|record| record.name.as_str() != kid.key.as_str()) {
            // Made by somebody else since the private key was sealed, for a name in another case.
            return Err(Error::ConcurrentChange);
        }
        let number = record.map_or(0, |record| record.latest) + 1;
        let key_ops = match &change.key_ops {
            Some(given) => given.clone(),
            None => KeyOperation::defaults(*kty),
        };
        let stored = StoredVersion {
            version: kid.version.clone(),
            tags: change.tags.clone().unwrap_or_default(),
            record: VersionRecord {
                number,
                kty: *kty,
                key_size,
                public_key,
                expires: key_exchange_keys_expire(&key_ops, change.expires, now),
                key_ops: Some(key_ops),
                enabled: change.enabled.unwrap_or(true),
                not_before: change.not_before,
                created: now,
                updated: now,
                near_expiry_noted: false,
                expiry_noted: false,
                private_key,
            },
        };
        let changed = KeyRecord {
            name: kid.key.clone(),
            created: record.map_or(now, |record| record.created),
            deletion: None,
            recovering_until: None,
            current: kid.version.clone(),
            latest: number,
            release_policy: addition.release_policy()?,
            revision: ObjectId::random(),
        };
        let (vault, key) = (kid.vault.as_str(), kid.key.folded());
        let batch = Batch::new()
            .expect(&VAULTS, &[vault], vault_record)
            .expect_same(&KEYS, &[vault, key], record)
            .put(&KEYS, &[vault, key], &changed)
            .put(
                &VERSIONS,
                &[vault, key, kid.version.as_str()],
                &stored.record,
            );
        let batch = Self::put_tags(kid, &stored.tags, batch);
        let mut versions = self.versions_of(&kid.vault, &kid.key).await?;
        versions.insert(0, stored);
        let view = self.view_of_key(vault_record, &kid.vault, &changed, versions)?;
        Ok((batch, view))
    }

    /// The key with another record, and with `versions` as they will be.
    pub(crate) fn replacement_of_key(
        &self,
        vault: &VaultName,
        vault_record: &Record<VaultRecord>,
        record: &Record<KeyRecord>,
        new: &KeyRecord,
        versions: Vec<StoredVersion>,
    ) -> Result<(Batch, Key)> {
        let parts = [vault.as_str(), record.name.folded()];
        let batch = Batch::new()
            .expect(&VAULTS, &[vault.as_str()], vault_record)
            .expect(&KEYS, &parts, record)
            .put(&KEYS, &parts, new);
        let view = self.view_of_key(vault_record, vault, new, versions)?;
        Ok((batch, view))
    }

    async fn removal_of_key(&self, vault: &VaultName, record: &Record<KeyRecord>) -> Result<Batch> {
        let key = &record.name;
        let parts = [vault.as_str(), key.folded()];
        let mut batch = Batch::new()
            .expect(&KEYS, &parts, record)
            .delete(&KEYS, &parts)
            .delete(&ROTATION_POLICIES, &parts);
        for stored in self.versions_of(vault, key).await? {
            batch = stored.record.private_key.remove(batch);
            let kid = Kid::new(vault, key, stored.version);
            batch = batch.delete(&VERSIONS, &[parts[0], parts[1], kid.version.as_str()]);
            batch = Self::put_tags(&kid, &Tags::new(), batch);
        }
        Ok(batch)
    }

    /// The key as it is stored.
    pub(crate) async fn stored_key(
        &self,
        vault_record: &VaultRecord,
        vault: &VaultName,
        record: &KeyRecord,
    ) -> Result<Key> {
        let versions = self.versions_of(vault, &record.name).await?;
        self.view_of_key(vault_record, vault, record, versions)
    }

    pub(crate) fn view_of_key(
        &self,
        vault_record: &VaultRecord,
        vault: &VaultName,
        record: &KeyRecord,
        mut versions: Vec<StoredVersion>,
    ) -> Result<Key> {
        let key = &record.name;
        // Those that were added after the key's record was read are not part of this view.
        versions.retain(|stored| stored.record.number <= record.latest);
        let mut bundles = versions
            .iter()
            .map(|stored| stored.bundle(vault_record, record, vault));
        // Without versions, the key was purged since its record was read.
        let Some(current) = bundles.next() else {
            return Err(Error::KeyNotFound {
                vault: vault.clone(),
                key: key.clone(),
                version: None,
            });
        };
        Ok(Key {
            vault: vault.clone(),
            name: key.clone(),
            current,
            older: bundles.collect(),
            state: self.state_of(record),
            created: record.created,
            deleted: record.deletion.map(|deletion| deletion.deleted),
            scheduled_purge: record.deletion.map(|deletion| deletion.scheduled_purge),
        })
    }
}

impl StoredVersion {
    pub(crate) fn bundle(
        &self,
        vault_record: &VaultRecord,
        key_record: &KeyRecord,
        vault: &VaultName,
    ) -> KeyBundle {
        let record = &self.record;
        KeyBundle {
            kid: Kid::new(vault, &key_record.name, self.version.clone()),
            kty: record.kty,
            key_size: record.key_size,
            key_ops: record.key_ops(),
            public_key: record.public_key.clone(),
            attributes: KeyAttributes {
                enabled: record.enabled,
                not_before: record.not_before,
                expires: record.expires,
                created: record.created,
                updated: record.updated,
                recovery: Recovery {
                    days: vault_record.soft_delete_retention_days,
                    purge_protection: vault_record.purge_protection,
                },
            },
            release_policy: key_record.release_policy.clone(),
            tags: self.tags.clone(),
        }
    }
}
