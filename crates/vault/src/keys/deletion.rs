use sealock_core::{KeyName, Kid, ObjectId, VaultName};
use sealock_store::{Batch, Record};

use crate::{
    Key, Result,
    lookup::Tags,
    operation::{DeleteKey, KeyInVault, Permit, PurgeKey, RecoverKey},
    records::{Deletion, KEYS, KeyRecord, ROTATION_POLICIES, VAULTS, VERSIONS},
    service::Service,
};

impl Permit<DeleteKey> {
    /// Deletes the key with all its versions, softly.
    pub async fn run(self) -> Result<Key> {
        self.commit(|permit, found| async move {
            let service = &permit.service;
            let retention_days = found.vault.soft_delete_retention_days;
            let deleted = KeyRecord {
                deletion: Some(Deletion {
                    under_way_until: service.end_of_delay(),
                    ..service.deletion(retention_days)
                }),
                recovering_until: None,
                revision: ObjectId::random(),
                ..found.key.value.clone()
            };
            service
                .replacement_of_key(&permit.target.vault, &found, &deleted)
                .await
        })
        .await
    }
}

impl Permit<RecoverKey> {
    /// Recovers the key, each version as it was.
    pub async fn run(self) -> Result<Key> {
        self.commit(|permit, found| async move {
            let service = &permit.service;
            let recovered = KeyRecord {
                deletion: None,
                recovering_until: service.end_of_delay(),
                revision: ObjectId::random(),
                ..found.key.value.clone()
            };
            service
                .replacement_of_key(&permit.target.vault, &found, &recovered)
                .await
        })
        .await
    }
}

impl Permit<PurgeKey> {
    /// Purges the key. Its files are gone when this returns.
    pub async fn run(self) -> Result<()> {
        self.commit(|permit, KeyInVault { vault, key }| async move {
            let name = &permit.target.vault;
            let batch = permit.service.removal_of_key(name, &key).await?;
            Ok((batch.expect(&VAULTS, &[name.as_str()], &vault), ()))
        })
        .await
    }
}

impl Service {
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

    /// The key with another record.
    async fn replacement_of_key(
        &self,
        vault: &VaultName,
        found: &KeyInVault,
        new: &KeyRecord,
    ) -> Result<(Batch, Key)> {
        let versions = self.versions_of(vault, &found.key.name).await?;
        let key = [vault.as_str(), found.key.name.folded()];
        let batch = Batch::new()
            .expect(&VAULTS, &[vault.as_str()], &found.vault)
            .expect(&KEYS, &key, &found.key)
            .put(&KEYS, &key, new);
        let view = self.view_of_key(&found.vault, vault, new, versions)?;
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
}
