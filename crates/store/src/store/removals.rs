//! The removal of objects. The commit that takes an object's owner away names the object, so that it is removed even
//! after a crash. An object without a record is not reason enough: its record may be lost.

use std::{collections::HashSet, ops::Bound, sync::PoisonError};

use futures_util::{StreamExt as _, TryStreamExt as _};
use sealock_core::ObjectId;

use super::Store;
use crate::{
    Error, Result,
    batch::{Batch, REMOVALS, Removal},
    objects::{ObjectSet, Objects},
};

impl Store {
    /// Returns the objects of `set` whose removal is not complete.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn removals(&self, set: ObjectSet) -> Result<HashSet<ObjectId>> {
        let found = self.scan(&REMOVALS, &[set.name()], Bound::Unbounded);
        let objects = found.map(|entry| {
            let id = entry?.key.concat();
            id.parse::<ObjectId>().map_err(|_| Error::Damaged {
                key: format!("removals/{}/{id}", set.name()),
                why: "its key is not the id of an object".to_owned(),
            })
        });
        objects.try_collect().await
    }

    /// Completes the removals that an earlier process left unfinished.
    ///
    /// # Errors
    /// If the store or the disk fails.
    pub async fn finish_removals(&self) -> Result<()> {
        let mut removals = Vec::new();
        for set in [ObjectSet::Blobs, ObjectSet::VaultKeys] {
            let objects = self.removals(set).await?.into_iter();
            removals.extend(objects.map(|object| (set, object)));
        }
        if removals.is_empty() {
            return Ok(());
        }
        self.remove_objects(removals).await?;
        let _unconditional = self.commit(Batch::new()).await?;
        Ok(())
    }

    /// Removes objects. Their records are deleted by the next commit.
    pub(super) async fn remove_objects(&self, removals: Vec<Removal>) -> Result<()> {
        let store = self.clone();
        let removed = tokio::task::spawn_blocking(move || {
            let mut result = Ok(());
            let mut completed = Vec::new();
            for (set, object) in removals {
                match store.objects(set).remove(object) {
                    Ok(_) => completed.push(REMOVALS.key(&[set.name(), &object.to_string()])),
                    Err(error) => result = Err(error),
                }
            }
            store.add_completed_removals(completed);
            result
        });
        removed.await.map_err(std::io::Error::from)?
    }

    pub(super) fn take_completed_removals(&self) -> Vec<Vec<u8>> {
        let completed = self.completed_removals.lock();
        std::mem::take(&mut *completed.unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn add_completed_removals(&self, keys: Vec<Vec<u8>>) {
        let completed = self.completed_removals.lock();
        completed
            .unwrap_or_else(PoisonError::into_inner)
            .extend(keys);
    }

    fn objects(&self, set: ObjectSet) -> &dyn Objects {
        match set {
            ObjectSet::Blobs => &*self.blobs,
            ObjectSet::VaultKeys => &*self.vault_keys,
        }
    }
}
