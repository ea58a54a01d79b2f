//! The second copy of each custody record, in a file beside the metadata. If the metadata is lost, the copy still
//! connects the content with the vault's keys.

use std::ops::Bound;

use futures_util::TryStreamExt as _;
use sealock_core::{RegistryId, RegistryName};
use sealock_store::Batch;

use crate::{
    Custodian, Error,
    context::Context,
    record::{CUSTODIES, CustodyRecord},
};

impl Context {
    /// Writes the second copy of a custody record.
    pub(crate) async fn write_second_copy(&self, registry: RegistryId, record: &CustodyRecord) {
        let name = &record.name;
        let (store, id, text) = (self.store.clone(), registry.as_uuid(), record.to_json());
        let written = tokio::task::spawn_blocking(move || {
            if store.custodies.get(id)?.as_deref() == Some(&*text) {
                return Ok(());
            }
            store.custodies.put(id, &text)
        });
        match written.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(registry = %name, %error, "the custody record's second copy could not be written; the next start tries again");
            }
            Err(error) => {
                tracing::warn!(registry = %name, %error, "the custody record's second copy was not written");
            }
        }
    }
}

impl Custodian {
    /// Writes the second copy of a registry's custody record. The creator of a registry calls this after the commit.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn write_second_copy(&self, registry: RegistryId) -> Result<(), Error> {
        if let Some(record) = self.context.custody_record(registry).await? {
            self.context.write_second_copy(registry, &record).await;
        }
        Ok(())
    }

    /// Writes the second copy of every custody record. Call it at start.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn write_second_copies(&self) -> Result<(), Error> {
        let mut entries = self.context.store.scan(&CUSTODIES, &[], Bound::Unbounded);
        while let Some(entry) = entries.try_next().await? {
            if let Some(Ok(registry)) = entry.key.first().map(|id| id.parse::<RegistryId>()) {
                // The registry may follow its key meanwhile, and an older record must not replace a newer copy.
                let _lock = self.lock(registry).await?;
                self.write_second_copy(registry).await?;
            }
        }
        Ok(())
    }

    /// Removes the second copy of the custody record of a registry that is about to be deleted. The caller holds the
    /// custody's [lock](Self::lock).
    ///
    /// # Errors
    /// If the store fails.
    pub async fn remove_second_copy(&self, registry: RegistryId) -> Result<(), Error> {
        let store = self.context.store.clone();
        let removed =
            tokio::task::spawn_blocking(move || store.custodies.remove(registry.as_uuid()));
        match removed.await {
            Ok(removed) => Ok(removed.map(drop)?),
            Err(_) => Err(Error::Missing(registry)),
        }
    }

    /// Restores missing custody records from their second copies, and returns the registries restored. `now` is in
    /// seconds since 1970. Blocks between its commits.
    ///
    /// Sets aside a second copy that differs from its record: the copy may be the later one, and the next start would
    /// replace it.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn restore(
        &self,
        registries: &[(RegistryId, RegistryName)],
        now: i64,
    ) -> Result<Vec<RegistryName>, Error> {
        let (store, service_key) = (&self.context.store, &*self.context.service_key);
        let mut restored = Vec::new();
        for (registry, name) in registries {
            let registry = *registry;
            let (key, id) = (registry.to_string(), registry.as_uuid());
            let Some(text) = store.custodies.get(id)? else {
                continue;
            };
            if let Some(record) = store.get(&CUSTODIES, &[&key]).await? {
                if record.to_json() != text {
                    store.custodies.quarantine(id, now)?;
                }
                continue;
            }
            let copy: Option<CustodyRecord> = serde_json::from_slice(&text).ok();
            let Some(mut copy) = copy.filter(|copy| copy.wrapped(registry, service_key).is_ok())
            else {
                store.custodies.quarantine(id, now)?;
                continue;
            };
            // Nothing authenticates the copy's name.
            copy.name = name.clone();
            let batch =
                Batch::new()
                    .expect_absent(&CUSTODIES, &[&key])
                    .put(&CUSTODIES, &[&key], &copy);
            // Nobody else has the store open.
            let _done = store.commit(batch).await?;
            restored.push(name.clone());
        }
        Ok(restored)
    }
}
