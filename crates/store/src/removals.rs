//! The removal of objects. A commit names the objects that lose their owner, so that they are removed even after a
//! crash. The lack of a mention alone is no reason to remove an object: its record may be lost.

use std::{collections::HashSet, ops::Bound, sync::PoisonError};

use futures_util::{StreamExt as _, TryStreamExt as _};
use sealock_core::ObjectId;

use crate::{
    Batch, Error, Result, Store, Table,
    objects::{ObjectSet, Objects},
};

/// The objects to remove.
const REMOVALS: Table<()> = Table::content("removals");

/// An object to remove.
pub(crate) type Removal = (ObjectSet, ObjectId);

impl Batch {
    /// Removes an object once the batch is committed.
    #[must_use]
    pub fn remove(self, set: ObjectSet, object: ObjectId) -> Self {
        let mut batch = self.put(&REMOVALS, &[set.name(), &object.to_string()], &());
        batch.removals.push((set, object));
        batch
    }
}

impl Store {
    /// Returns the objects of `set` that are being removed.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn removals(&self, set: ObjectSet) -> Result<HashSet<ObjectId>> {
        let found = self.scan(&REMOVALS, &[set.name()], Bound::Unbounded);
        let objects = found.map(|entry| {
            let id = entry?.key.concat();
            id.parse::<ObjectId>().map_err(|_| Error::Damaged {
                key: format!("removals/{}/{id}", set.name()),
                why: "it names no object".to_owned(),
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
            removals.extend(
                self.removals(set)
                    .await?
                    .into_iter()
                    .map(|object| (set, object)),
            );
        }
        if removals.is_empty() {
            return Ok(());
        }
        self.carry_out(removals).await?;
        let _unconditional = self.commit(Batch::new()).await?;
        Ok(())
    }

    pub(crate) async fn carry_out(&self, removals: Vec<Removal>) -> Result<()> {
        let store = self.clone();
        let removed = tokio::task::spawn_blocking(move || {
            let mut result = Ok(());
            let mut carried_out = Vec::new();
            for (set, object) in removals {
                match store.objects(set).remove(object) {
                    Ok(_) => carried_out.push(REMOVALS.key(&[set.name(), &object.to_string()])),
                    Err(error) => result = Err(error),
                }
            }
            store.note_carried_out(carried_out);
            result
        });
        removed.await.map_err(std::io::Error::from)?
    }

    pub(crate) fn take_carried_out(&self) -> Vec<Vec<u8>> {
        let mut carried_out = self
            .carried_out
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *carried_out)
    }

    pub(crate) fn note_carried_out(&self, keys: Vec<Vec<u8>>) {
        let mut carried_out = self
            .carried_out
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        carried_out.extend(keys);
    }

    fn objects(&self, set: ObjectSet) -> &dyn Objects {
        match set {
            ObjectSet::Blobs => &*self.blobs,
            ObjectSet::VaultKeys => &*self.vault_keys,
        }
    }
}
