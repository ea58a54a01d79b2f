//! The deletion of a registry with its content.

use std::{iter, ops::Bound};

use futures_util::TryStreamExt as _;
use sealock_core::RegistryName;
use sealock_store::{Batch, Table, objects::ObjectSet};
use serde::de::DeserializeOwned;

use crate::{
    Error, Registries, Registry,
    access::{login::LOGINS, scope_map::SCOPE_MAPS, token::TOKENS},
    content::{
        blob::BLOBS,
        record::{CONTENTS, ContentRecord},
    },
    locks::await_publications,
    manifests::{
        index::{MANIFESTS_BY_TIME, TAGS_BY_MANIFEST, TAGS_BY_TIME},
        record::{MANIFESTS, TAGS},
        referrers::REFERRERS,
    },
    network::IP_RULES,
    registry::{REGISTRIES, RegistryRecord},
    repository::REPOSITORIES,
};

/// The deleted registries that still have records.
const DELETIONS: Table<RegistryRecord> = Table::content("registry-deletions");

/// The number of records that one commit removes.
const BATCH: usize = 500;

impl Registries {
    /// Deletes a registry for good, with its content, logins, role assignments and custody. Its key stays in its vault.
    ///
    /// One commit removes the registry and its DEK. The records of its content follow; if this process ends first, the
    /// next start removes them.
    ///
    /// # Errors
    /// [`Error::RegistryUnknown`] if there is none of this name.
    pub async fn delete(&self, name: &RegistryName) -> Result<(), Error> {
        self.finish_deletions_of(name).await?;
        let deleted = self.store.update(|| async {
            let existing = self.store.get(&REGISTRIES, &[name.as_str()]).await?;
            let existing = existing.ok_or_else(|| Error::RegistryUnknown(name.clone()))?;
            let id = existing.id;
            // The custody and its second copy must not change until the commit.
            let lock = self.custodian.lock(id).await?;
            self.custodian.remove_second_copy(id).await?;
            let batch = Batch::new()
                .expect(&REGISTRIES, &[name.as_str()], &existing)
                .delete(&REGISTRIES, &[name.as_str()])
                .put(&DELETIONS, &[&id.to_string()], &existing);
            let batch = self.custodian.remove_custody(id, batch).await?;
            let directory = self.entra.directory();
            let resource_id = existing.resource_id();
            let batch = directory.delete_roles_within(&resource_id, batch).await?;
            let batch = directory
                .plan_system_identity_removal(&resource_id, batch)
                .await?;
            let batch = self.plan_identities_removal(id, batch).await?;
            Ok::<_, Error>((batch, (existing.value, lock)))
        });
        let (record, lock) = match deleted.await {
            Ok(deleted) => deleted,
            Err(error) => {
                self.restore_second_copy(name).await;
                return Err(error);
            }
        };
        self.custodian.drop_gate(record.id);
        drop(lock);
        tracing::info!(registry = %name, "the registry was deleted");
        self.finish_deletion(record).await
    }

    /// Writes the second copy of a registry's custody again after a failed deletion.
    async fn restore_second_copy(&self, name: &RegistryName) {
        let Ok(Some(existing)) = self.store.get(&REGISTRIES, &[name.as_str()]).await else {
            return;
        };
        let Ok(_lock) = self.custodian.lock(existing.id).await else {
            return;
        };
        if let Err(error) = self.custodian.write_second_copy(existing.id).await {
            // The next start writes it.
            tracing::warn!(registry = %name, %error, "the custody record's second copy is missing");
        }
    }

    /// Finishes the failed deletions of registries of this name.
    async fn finish_deletions_of(&self, name: &RegistryName) -> Result<(), Error> {
        for record in self.deletions().await? {
            if record.name == *name {
                self.finish_deletion(record).await?;
            }
        }
        Ok(())
    }

    async fn deletions(&self) -> Result<Vec<RegistryRecord>, Error> {
        let deletions = self.store.scan(&DELETIONS, &[], Bound::Unbounded);
        let records = deletions.map_ok(|entry| entry.record.value);
        Ok(records.try_collect().await?)
    }

    /// Finishes the deletions that an earlier process began.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn finish_deletions(&self) -> Result<(), Error> {
        for record in self.deletions().await? {
            self.finish_deletion(record).await?;
        }
        Ok(())
    }

    async fn finish_deletion(&self, record: RegistryRecord) -> Result<(), Error> {
        let id = record.id;
        let registry = self.registry_with(record).await?;
        // Later publications find no registry.
        await_publications(&self.store).await?;
        self.uploads
            .end_all_of(id, &self.store, &self.service_key)
            .await;
        registry.remove_all(&TAGS).await?;
        registry.remove_all(&TAGS_BY_TIME).await?;
        registry.remove_all(&TAGS_BY_MANIFEST).await?;
        registry.remove_all(&REFERRERS).await?;
        registry.remove_all(&MANIFESTS).await?;
        registry.remove_all(&MANIFESTS_BY_TIME).await?;
        registry.remove_all(&BLOBS).await?;
        registry.remove_all(&REPOSITORIES).await?;
        registry.remove_all(&TOKENS).await?;
        registry.remove_all(&SCOPE_MAPS).await?;
        registry.remove_contents().await?;
        // A scan would not find the records whose key is the registry's id alone.
        let key = [&*id.to_string()];
        let batch = Batch::new()
            .delete(&LOGINS, &key)
            .delete(&IP_RULES, &key)
            .delete(&DELETIONS, &key);
        let _unconditional = self.store.commit(batch).await?;
        Ok(())
    }
}

impl Registry {
    /// Removes all records of the registry from a table.
    async fn remove_all<T: DeserializeOwned + Send + 'static>(
        &self,
        table: &Table<T>,
    ) -> Result<(), Error> {
        self.remove_all_with(table, |_, batch| batch).await
    }

    /// Removes the records of all contents, each with its object.
    async fn remove_contents(&self) -> Result<(), Error> {
        let with_object =
            |content: &ContentRecord, batch: Batch| batch.remove(ObjectSet::Blobs, content.object);
        self.remove_all_with(&CONTENTS, with_object).await
    }

    /// Removes all records of the registry from a table. For each record, `also` adds further changes to the batch.
    async fn remove_all_with<T: DeserializeOwned + Send + 'static>(
        &self,
        table: &Table<T>,
        also: impl Fn(&T, Batch) -> Batch,
    ) -> Result<(), Error> {
        loop {
            let mut batch = Batch::new();
            let mut removed = 0;
            let mut entries = self.store.scan(table, &[&self.id], Bound::Unbounded);
            while removed < BATCH
                && let Some(entry) = entries.try_next().await?
            {
                let segments = entry.key.iter().map(String::as_str);
                let key: Vec<_> = iter::once(&*self.id).chain(segments).collect();
                batch = also(&entry.record, batch.delete(table, &key));
                removed += 1;
            }
            if removed == 0 {
                return Ok(());
            }
            let _unconditional = self.store.commit(batch).await?;
        }
    }
}
