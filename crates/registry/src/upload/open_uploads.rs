use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use sealock_core::{Clock, ObjectId, RegistryId};
use sealock_envelope::ServiceKey;
use sealock_store::{Lock, Store};
use tokio::task::spawn_blocking;

use super::{
    session_file::Head,
    staging::{LockedUpload, Upload},
};
use crate::{Error, UploadId, content::record::referenced_objects};

/// Held by who continues an upload.
pub(super) const UPLOAD: Lock = Lock::new("upload");

/// How many uploads may be unfinished at a time.
pub(crate) const SESSION_LIMIT: usize = 4096;

/// How long an upload that nobody continues is kept.
const SESSION_EXPIRY: SignedDuration = SignedDuration::from_hours(24);

/// The unfinished uploads of all registries, as this node has them. Clones share them.
///
/// An upload's file says how far it is. Whoever continues it holds its lock, and goes on from the file if another node
/// wrote that.
#[derive(Clone)]
pub(crate) struct OpenUploads {
    entries: Arc<Mutex<HashMap<UploadId, Entry>>>,
    clock: Clock,
}

pub(crate) struct Entry {
    upload: Arc<tokio::sync::Mutex<Upload>>,
    touched: Timestamp,
}

impl Entry {
    fn new(upload: Upload, touched: Timestamp) -> Self {
        Self {
            upload: Arc::new(tokio::sync::Mutex::new(upload)),
            touched,
        }
    }
}

impl OpenUploads {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            entries: Arc::default(),
            clock,
        }
    }

    /// Takes up the sessions that an earlier process kept, and returns their staged objects. Removes the sessions of
    /// completed or expired uploads, and sets aside those that cannot be read. Blocks for their files.
    pub(crate) async fn restore(
        &self,
        store: &Store,
        service_key: &ServiceKey,
    ) -> Result<HashSet<ObjectId>, Error> {
        let now = self.clock.now();
        let mut objects = HashSet::new();
        for note in store.uploads.list()? {
            let lock = store.try_exclusive(&UPLOAD, &[&note.to_string()]).await?;
            let Some(file) = store.uploads.get(note)? else {
                continue;
            };
            let head = Head::open(&file, service_key);
            if lock.is_none() {
                // Another node continues it.
                objects.extend(head.map(|head| head.object));
                continue;
            }
            let Some(head) = head.filter(|head| head.upload.note() == note) else {
                tracing::warn!(upload = %note, "an upload's file is damaged, and is set aside");
                if let Err(error) = store.uploads.set_aside(note, now.as_second()) {
                    // The next start tries again.
                    tracing::warn!(upload = %note, %error, "it could not be set aside");
                }
                continue;
            };
            if now.duration_since(head.touched) >= SESSION_EXPIRY {
                store.uploads.remove(note)?;
                store.blobs.discard(head.object)?;
            } else if is_staged(store, head.object).await? {
                objects.insert(head.object);
                self.take_up(&head, head.touched);
            } else if is_referenced(store, head.object).await? {
                store.uploads.remove(note)?;
            } else {
                tracing::warn!(upload = %note, "an upload's segments are missing, and its file is set aside");
                store.uploads.set_aside(note, now.as_second())?;
            }
        }
        Ok(objects)
    }

    /// Adds an upload. Gives it back if there are too many.
    pub(crate) fn insert(&self, upload: Upload) -> Option<Upload> {
        let mut entries = self.lock();
        if entries.len() >= SESSION_LIMIT {
            return Some(upload);
        }
        entries.insert(upload.id, Entry::new(upload, self.clock.now()));
        None
    }

    /// Ends the uploads that nobody has continued for long.
    pub(crate) async fn expire(&self, store: &Store, service_key: &ServiceKey) {
        let now = self.clock.now();
        let is_over = |touched: Timestamp| now.duration_since(touched) >= SESSION_EXPIRY;
        let over: Vec<UploadId> = {
            let entries = self.lock();
            let over = entries.iter().filter(|(_, entry)| is_over(entry.touched));
            over.map(|(id, _)| *id).collect()
        };
        for id in over {
            if let Err(error) = self.expire_one(store, service_key, id, is_over).await {
                // A later one tries again.
                tracing::warn!(upload = %id, %error, "an upload that nobody continues could not be ended");
            }
        }
    }

    /// Ends the uploads to a registry that is deleted. Those that somebody is about to continue expire later.
    pub(crate) async fn end_of(
        &self,
        registry: RegistryId,
        store: &Store,
        service_key: &ServiceKey,
    ) {
        let ids: Vec<UploadId> = self.lock().keys().copied().collect();
        for id in ids {
            let ended = match read_head(store, service_key, id) {
                Ok(Some(head)) if head.registry == registry => {
                    self.expire_one(store, service_key, id, |_| true).await
                }
                Ok(_) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = ended {
                tracing::warn!(upload = %id, %error, "an upload to a deleted registry could not be ended");
            }
        }
    }

    async fn expire_one(
        &self,
        store: &Store,
        service_key: &ServiceKey,
        id: UploadId,
        is_over: impl Fn(Timestamp) -> bool,
    ) -> Result<(), Error> {
        // Whoever has its upload is about to continue it.
        let lock = store.try_exclusive(&UPLOAD, &[&id.to_string()]).await?;
        if let Some(lock) = lock {
            let head = read_head(store, service_key, id)?;
            if let Some(head) = head.as_ref().filter(|head| !is_over(head.touched)) {
                // Another node continued it.
                self.take_up(head, head.touched);
            } else if let Some(entry) = self.remove(id) {
                let mut upload = LockedUpload::new(entry.upload.lock_owned().await, Some(lock));
                if let Some(head) = &head {
                    upload.follow(head);
                }
                let store = store.clone();
                spawn_blocking(move || upload.end(&store)).await?;
            }
        }
        Ok(())
    }

    /// The upload that a file with this head belongs to.
    pub(crate) fn take_up(
        &self,
        head: &Head,
        touched: Timestamp,
    ) -> Arc<tokio::sync::Mutex<Upload>> {
        let mut entries = self.lock();
        let entry = entries.entry(head.upload);
        let kept = || Upload::kept(head.upload, head.object, head.received);
        let entry = entry.or_insert_with(|| Entry::new(kept(), touched));
        entry.touched = touched;
        Arc::clone(&entry.upload)
    }

    pub(crate) fn remove(&self, id: UploadId) -> Option<Entry> {
        self.lock().remove(&id)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UploadId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads how far an upload is, whichever node continued it last. `None` if it is over, or its file is damaged.
///
/// It blocks as long as it takes to read a few hundred bytes that were written just before.
pub(crate) fn read_head(
    store: &Store,
    service_key: &ServiceKey,
    upload: UploadId,
) -> Result<Option<Head>, Error> {
    let start = store.uploads.get_start(upload.note(), Head::LIMIT)?;
    let head = start.and_then(|start| Head::open(&start, service_key));
    Ok(head.filter(|head| head.upload == upload))
}

/// Returns true if an upload's content is staged. Stages content again that was published and never committed.
async fn is_staged(store: &Store, object: ObjectId) -> Result<bool, Error> {
    if store.blobs.open_staged(object)?.is_some() {
        return Ok(true);
    }
    Ok(!is_referenced(store, object).await? && store.blobs.unpublish(object)?)
}

/// Returns true if an object belongs to a content.
async fn is_referenced(store: &Store, object: ObjectId) -> Result<bool, Error> {
    Ok(referenced_objects(store).await?.contains(&object))
}
