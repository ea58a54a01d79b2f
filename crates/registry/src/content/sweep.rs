use jiff::Timestamp;
use sealock_core::ObjectId;
use sealock_store::{Store, objects::ObjectSet};
use tokio::task::spawn_blocking;

use super::record::referenced_objects;
use crate::{Error, Registries, locks::await_publications};

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
    /// Restores the uploads that an earlier process saved, quarantines the staged objects of no upload, and lists the
    /// objects that the sweep may quarantine. Call it before this node serves requests.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn sweep(&self) -> Result<Sweep, Error> {
        let since = self.clock.now();
        let (staged, existing) = (self.store.blobs.list_staged()?, self.store.blobs.list()?);
        await_publications(&self.store).await?;
        let restored = self.uploads.restore(&self.store, &self.service_key).await?;
        for object in staged {
            if !restored.contains(&object)
                && let Err(error) = self
                    .store
                    .blobs
                    .quarantine_staged(object, since.as_second())
            {
                // The next start tries again.
                tracing::warn!(%object, %error, "a staged object of no upload could not be moved into quarantine");
            }
        }
        Ok(Sweep {
            existing,
            store: self.store.clone(),
            since,
        })
    }
}

impl Sweep {
    /// Moves the objects that no content record mentions into quarantine, and returns their number. Removes nothing: a
    /// record may be missing because it was lost.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn run(self) -> Result<usize, Error> {
        let unmentioned = unmentioned(&self.store, self.existing).await?;
        let set_aside = spawn_blocking(move || {
            let mut set_aside = 0;
            for object in unmentioned {
                let moved = self
                    .store
                    .blobs
                    .quarantine(object, self.since.as_second())?;
                set_aside += usize::from(moved);
            }
            Ok(set_aside)
        });
        set_aside.await?
    }
}

/// Returns the objects that neither a content record nor a removal mentions. They must have been listed before the
/// call.
pub(crate) async fn unmentioned(
    store: &Store,
    mut objects: Vec<ObjectId>,
) -> Result<Vec<ObjectId>, Error> {
    await_publications(store).await?;
    // In this order: content deleted in between is among the removals.
    let referenced = referenced_objects(store).await?;
    let removals = store.removals(ObjectSet::Blobs).await?;
    objects.retain(|object| !referenced.contains(object) && !removals.contains(object));
    Ok(objects)
}
