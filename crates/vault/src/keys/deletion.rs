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
    /// Soft-deletes the key with all its versions.
    pub async fn run(self) -> Result<Key> {
        self.run_change(|permit, found| async move {
            let service = &permit.service;
            let retention_days = found.vault.soft_delete_retention_days;
            let deleted = KeyRecord {
                deletion: Some(Deletion {
                    under_way_until: service.transition_end(),
                    ..service.new_deletion(retention_days)
                }),
                recovering_until: None,
                revision: ObjectId::random(),
                ..found.key.value.clone()
            };
            service
                .plan_key_replacement(&permit.target.vault, &found, &deleted)
                .await
        })
        .await
    }
}

impl Permit<RecoverKey> {
    /// Recovers the key with its versions unchanged.
    pub async fn run(self) -> Result<Key> {
        self.run_change(|permit, found| async move {
            let service = &permit.service;
            let recovered = KeyRecord {
                deletion: None,
                recovering_until: service.transition_end(),
                revision: ObjectId::random(),
                ..found.key.value.clone()
            };
            service
                .plan_key_replacement(&permit.target.vault, &found, &recovered)
                .await
        })
        .await
    }
}

impl Permit<PurgeKey> {
    /// Purges the key. Removes its files before it returns.
    pub async fn run(self) -> Result<()> {
        self.run_change(|permit, KeyInVault { vault, key }| async move {
            let name = &permit.target.vault;
            let batch = permit.service.plan_key_removal(name, &key).await?;
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
        let segments = [vault.as_str(), key.folded()];
        self.commit_with_retries(|| async {
            match self.store.get(&KEYS, &segments).await? {
                Some(record) if self.retention_has_passed(record.deletion) => {
                    Ok((self.plan_key_removal(vault, &record).await?, true))
                }
                _ => Ok((Batch::new(), false)),
            }
        })
        .await
    }

    /// Plans the replacement of a key's record.
    async fn plan_key_replacement(
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

    async fn plan_key_removal(
        &self,
        vault: &VaultName,
        record: &Record<KeyRecord>,
    ) -> Result<Batch> {
        let key = &record.name;
        let segments = [vault.as_str(), key.folded()];
        let mut batch = Batch::new()
            .expect(&KEYS, &segments, record)
            .delete(&KEYS, &segments)
            .delete(&ROTATION_POLICIES, &segments);
        for stored in self.versions_of(vault, key).await? {
            batch = stored.record.private_key.remove_objects(batch);
            let kid = Kid::new(vault, key, stored.version);
            batch = batch.delete(&VERSIONS, &[segments[0], segments[1], kid.version.as_str()]);
            batch = Self::put_tags(&kid, &Tags::new(), batch);
        }
        Ok(batch)
    }
}
