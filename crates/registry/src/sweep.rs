use std::{collections::HashSet, ops::Bound};

use jiff::Timestamp;
use sealock_core::ObjectId;
use sealock_store::{Store, objects::ObjectSet};

use crate::{Error, Registries, content::CONTENTS};

/// The search for objects that no record mentions.
///
/// What exists is listed when the sweep is made, before the first request: whatever is published later
/// is none of its business, so it can [run](Self::run) in the background.
pub struct Sweep {
    store: Store,
    existing: Vec<ObjectId>,
    since: Timestamp,
}

impl Registries {
    /// Takes up the uploads that an earlier process kept, sets aside what is staged and belongs to none of them, and
    /// lists what a sweep may set aside. Only before requests are served.
    ///
    /// # Errors
    /// If the store fails.
    pub fn sweep(&self) -> Result<Sweep, Error> {
        let since = self.clock.now();
        let kept = self.uploads.restore(&self.store, &self.service_key)?;
        for object in self.store.blobs.list_staged()? {
            if !kept.contains(&object)
                && let Err(error) = self.store.blobs.set_staged_aside(object, since.as_second())
            {
                // The next start does it.
                tracing::warn!(%object, %error, "what no upload mentions could not be set aside");
            }
        }
        Ok(Sweep {
            existing: self.store.blobs.list()?,
            store: self.store.clone(),
            since,
        })
    }
}

impl Sweep {
    /// Moves the objects into quarantine that no content record mentions, and says how many. Nothing is removed: a
    /// record may be missing because it was lost. Blocks.
    ///
    /// # Errors
    /// If the store fails.
    pub fn run(self) -> Result<usize, Error> {
        let referenced = referenced(&self.store)?;
        let removals = self.store.removals(ObjectSet::Blobs)?;
        let mut set_aside = 0;
        for object in self.existing {
            if !referenced.contains(&object) && !removals.contains(&object) {
                let moved = self.store.blobs.set_aside(object, self.since.as_second())?;
                set_aside += usize::from(moved);
            }
        }
        Ok(set_aside)
    }
}

/// The objects of all registries' contents.
pub(crate) fn referenced(store: &Store) -> Result<HashSet<ObjectId>, Error> {
    let contents = store.scan(&CONTENTS, &[], Bound::Unbounded);
    contents.map(|entry| Ok(entry?.record.object)).collect()
}
