use std::{collections::HashSet, ops::Bound};

use sealock_core::ObjectId;
use sealock_store::Store;

use crate::{Error, Registries, content::CONTENTS};

/// The removal of objects that an earlier process left behind.
///
/// What exists is listed when the sweep is made, before the first request: whatever is published later
/// is none of its business, so it can [run](Self::run) in the background.
pub struct Sweep {
    store: Store,
    existing: Vec<ObjectId>,
}

impl Registries {
    /// Takes up the uploads that an earlier process kept, removes what it had staged for others, and lists
    /// what a sweep may remove. Only before requests are served.
    ///
    /// # Errors
    /// If the store fails.
    pub fn sweep(&self) -> Result<Sweep, Error> {
        let kept = self.uploads.restore(&self.store)?;
        for object in self.store.blobs.list_staged()? {
            if !kept.contains(&object) {
                self.store.blobs.discard(object)?;
            }
        }
        Ok(Sweep {
            existing: self.store.blobs.list()?,
            store: self.store.clone(),
        })
    }
}

impl Sweep {
    /// Removes the objects that no content record refers to, and says how many. Blocks.
    ///
    /// # Errors
    /// If the store fails.
    pub fn run(self) -> Result<usize, Error> {
        let referenced = referenced(&self.store)?;
        let mut removed = 0;
        for object in self
            .existing
            .into_iter()
            .filter(|object| !referenced.contains(object))
        {
            removed += usize::from(self.store.blobs.remove(object)?);
        }
        Ok(removed)
    }
}

/// The objects of all registries' contents.
pub(crate) fn referenced(store: &Store) -> Result<HashSet<ObjectId>, Error> {
    let contents = store.scan(&CONTENTS, &[], Bound::Unbounded);
    contents.map(|entry| Ok(entry?.record.object)).collect()
}
