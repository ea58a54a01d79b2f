use std::{collections::HashSet, ops::Bound};

use jiff::Timestamp;
use sealock_core::ObjectId;
use sealock_store::{Store, objects::ObjectSet};

use crate::{Error, Registries, content::CONTENTS};

/// The search for objects that no record mentions.
///
/// The existing objects are listed when the sweep is made, before the first request. The sweep ignores objects that are
/// published later, so it can [run](Self::run) in the background.
pub struct Sweep {
    store: Store,
    existing: Vec<ObjectId>,
    since: Timestamp,
}

impl Registries {
    /// Takes up the uploads that an earlier process kept, sets aside staged objects of no such upload, and lists the
    /// objects that a sweep may set aside. Call it only before requests are served.
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
                // The next start tries again.
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
    /// Moves the objects that no content record mentions into quarantine, and returns their number. Removes nothing: a
    /// record may be missing because it was lost. Blocks.
    ///
    /// # Errors
    /// If the store fails.
    pub fn run(self) -> Result<usize, Error> {
        let mut set_aside = 0;
        for object in unmentioned(&self.store, self.existing)? {
            let moved = self.store.blobs.set_aside(object, self.since.as_second())?;
            set_aside += usize::from(moved);
        }
        Ok(set_aside)
    }
}

/// Leaves those objects that neither a content record nor a removal mentions. They must have been listed before.
pub(crate) fn unmentioned(
    store: &Store,
    mut objects: Vec<ObjectId>,
) -> Result<Vec<ObjectId>, Error> {
    // In this order: a content that goes in between is among the removals.
    let referenced = referenced(store)?;
    let removals = store.removals(ObjectSet::Blobs)?;
    objects.retain(|object| !referenced.contains(object) && !removals.contains(object));
    Ok(objects)
}

/// The objects of all registries' contents.
pub(crate) fn referenced(store: &Store) -> Result<HashSet<ObjectId>, Error> {
    let contents = store.scan(&CONTENTS, &[], Bound::Unbounded);
    contents.map(|entry| Ok(entry?.record.object)).collect()
}
