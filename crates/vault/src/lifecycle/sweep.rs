use std::{collections::HashSet, ops::Bound, sync::Arc};

use futures_util::TryStreamExt as _;
use sealock_core::ObjectId;
use sealock_store::{Store, objects::ObjectSet};

use crate::{
    Result,
    lookup::parse_segment,
    records::{KEYS, VAULTS, VERSIONS},
    service::{CREATIONS, Service},
};

/// The numbers of vaults, keys and files that a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Vaults whose retention had passed.
    pub vaults: usize,
    /// Keys whose retention had passed, not counting those of removed vaults.
    pub keys: usize,
    /// Quarantined files, which no key version refers to.
    pub files: usize,
}

impl Service {
    pub(crate) async fn sweep(&self) -> Result<Swept> {
        let mut swept = self.remove_expired().await?;
        let orphans = self.orphans().await?;
        let (objects, since) = (Arc::clone(&self.store.vault_keys), self.clock.now());
        let moved = tokio::task::spawn_blocking(move || {
            let moved = orphans
                .into_iter()
                .map(|id| objects.quarantine(id, since.as_second()));
            moved.collect::<sealock_store::Result<Vec<bool>>>()
        });
        swept.files = moved.await??.into_iter().filter(|moved| *moved).count();
        Ok(swept)
    }

    /// Removes the vaults and keys whose retention has passed.
    pub(crate) async fn remove_expired(&self) -> Result<Swept> {
        let mut swept = Swept::default();
        let mut vaults = self.store.scan(&VAULTS, &[], Bound::Unbounded);
        while let Some(entry) = vaults.try_next().await? {
            if self.retention_has_passed(entry.record.deletion) {
                let removed = self
                    .remove_expired_vault(&parse_segment(&entry.key, 0)?)
                    .await?;
                swept.vaults += usize::from(removed);
            }
        }
        let mut keys = self.store.scan(&KEYS, &[], Bound::Unbounded);
        while let Some(entry) = keys.try_next().await? {
            if self.retention_has_passed(entry.record.deletion) {
                let (vault, key) = (parse_segment(&entry.key, 0)?, entry.record.value.name);
                let removed = self.remove_expired_key(&vault, &key).await?;
                swept.keys += usize::from(removed);
            }
        }
        Ok(swept)
    }

    /// Lists the files that no key version refers to, now or later.
    ///
    /// A version's files are written before its record, so a file without a record may be about to get one. Each creation
    /// therefore holds [`CREATIONS`] shared from the first file to the commit, and this takes it exclusively: then a file
    /// without a record never gets one, since ids are not reused, and can be removed after the lock is released.
    async fn orphans(&self) -> Result<Vec<ObjectId>> {
        let _no_creations = self.store.lock_exclusive(&CREATIONS, &[]).await?;
        unmentioned_private_keys(&self.store).await
    }
}

/// Lists the objects that neither a key version nor a removal mentions.
///
/// # Errors
/// The store cannot be read.
pub async fn unmentioned_private_keys(store: &Store) -> Result<Vec<ObjectId>> {
    // Removals are read last: they include a key that is purged in the meantime.
    let files = Arc::clone(&store.vault_keys);
    let mut objects = tokio::task::spawn_blocking(move || files.list()).await??;
    let mut mentioned = HashSet::new();
    let mut versions = store.scan(&VERSIONS, &[], Bound::Unbounded);
    while let Some(entry) = versions.try_next().await? {
        mentioned.extend(entry.record.private_key.objects());
    }
    mentioned.extend(store.removals(ObjectSet::VaultKeys).await?);
    objects.retain(|object| !mentioned.contains(object));
    Ok(objects)
}
