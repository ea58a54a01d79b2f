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

/// The lock of an upload. A request that continues or ends the upload holds it.
pub(super) const UPLOAD: Lock = Lock::new("upload");

/// The limit of unfinished uploads.
pub(crate) const SESSION_LIMIT: usize = 4096;

/// The time after which an upload that nobody continues expires.
const SESSION_EXPIRY: SignedDuration = SignedDuration::from_hours(24);

/// The unfinished uploads of all registries, as this node knows them. Clones share them.
///
/// The file of an upload records its progress. A request that continues an upload holds its lock, and starts from the
/// file if another node wrote it.
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

    /// Restores the sessions that an earlier process saved, and returns their staged objects. Removes the sessions of
    /// completed or expired uploads, and quarantines those that cannot be read. Blocks for their files.
    pub(crate) async fn restore(
        &self,
        store: &Store,
        service_key: &ServiceKey,
    ) -> Result<HashSet<ObjectId>, Error> {
        let now = self.clock.now();
        let mut objects = HashSet::new();
        for file_name in store.uploads.list()? {
            let lock = store
                .try_lock_exclusive(&UPLOAD, &[&file_name.to_string()])
                .await?;
            let Some(file) = store.uploads.get(file_name)? else {
                continue;
            };
            let head = Head::open(&file, service_key);
            if lock.is_none() {
                // Another node continues it.
                objects.extend(head.map(|head| head.object));
                continue;
            }
            let Some(head) = head.filter(|head| head.upload.file_name() == file_name) else {
                tracing::warn!(upload = %file_name, "an upload's file is damaged and goes into quarantine");
                if let Err(error) = store.uploads.quarantine(file_name, now.as_second()) {
                    // The next start tries again.
                    tracing::warn!(upload = %file_name, %error, "the file could not be moved into quarantine");
                }
                continue;
            };
            if now.duration_since(head.touched) >= SESSION_EXPIRY {
                store.uploads.remove(file_name)?;
                store.blobs.discard(head.object)?;
            } else if is_staged(store, head.object).await? {
                objects.insert(head.object);
                self.register(&head, head.touched);
            } else if is_referenced(store, head.object).await? {
                store.uploads.remove(file_name)?;
            } else {
                tracing::warn!(upload = %file_name, "an upload's segments are missing; its file goes into quarantine");
                store.uploads.quarantine(file_name, now.as_second())?;
            }
        }
        Ok(objects)
    }

    /// Adds an upload. Returns it if the limit is reached.
    pub(crate) fn insert(&self, upload: Upload) -> Option<Upload> {
        let mut entries = self.lock();
        if entries.len() >= SESSION_LIMIT {
            return Some(upload);
        }
        entries.insert(upload.id, Entry::new(upload, self.clock.now()));
        None
    }

    /// Ends the expired uploads.
    pub(crate) async fn expire(&self, store: &Store, service_key: &ServiceKey) {
        let now = self.clock.now();
        let is_expired = |touched: Timestamp| now.duration_since(touched) >= SESSION_EXPIRY;
        let expired: Vec<UploadId> = {
            let entries = self.lock();
            let expired = entries
                .iter()
                .filter(|(_, entry)| is_expired(entry.touched));
            expired.map(|(id, _)| *id).collect()
        };
        for id in expired {
            if let Err(error) = self.end_if(store, service_key, id, is_expired).await {
                // A later call tries again.
                tracing::warn!(upload = %id, %error, "an expired upload could not be ended");
            }
        }
    }

    /// Ends the uploads to a deleted registry. An upload that a request is about to continue expires later.
    pub(crate) async fn end_all_of(
        &self,
        registry: RegistryId,
        store: &Store,
        service_key: &ServiceKey,
    ) {
        let ids: Vec<UploadId> = self.lock().keys().copied().collect();
        for id in ids {
            let ended = match read_head(store, service_key, id) {
                Ok(Some(head)) if head.registry == registry => {
                    self.end_if(store, service_key, id, |_| true).await
                }
                Ok(_) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = ended {
                tracing::warn!(upload = %id, %error, "an upload to a deleted registry could not be ended");
            }
        }
    }

    async fn end_if(
        &self,
        store: &Store,
        service_key: &ServiceKey,
        id: UploadId,
        is_expired: impl Fn(Timestamp) -> bool,
    ) -> Result<(), Error> {
        // If another request has the lock, it is about to continue the upload.
        let lock = store
            .try_lock_exclusive(&UPLOAD, &[&id.to_string()])
            .await?;
        if let Some(lock) = lock {
            let head = read_head(store, service_key, id)?;
            if let Some(head) = head.as_ref().filter(|head| !is_expired(head.touched)) {
                // Another node continued it.
                self.register(head, head.touched);
            } else if let Some(entry) = self.remove(id) {
                let mut upload = LockedUpload::new(entry.upload.lock_owned().await, Some(lock));
                if let Some(head) = &head {
                    upload.catch_up_with(head);
                }
                let store = store.clone();
                spawn_blocking(move || upload.end(&store)).await?;
            }
        }
        Ok(())
    }

    /// Returns the upload whose file has this head, and adds it if this node does not know it.
    pub(crate) fn register(
        &self,
        head: &Head,
        touched: Timestamp,
    ) -> Arc<tokio::sync::Mutex<Upload>> {
        let mut entries = self.lock();
        let entry = entries.entry(head.upload);
        let saved = || Upload::saved(head.upload, head.object, head.received);
        let entry = entry.or_insert_with(|| Entry::new(saved(), touched));
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

/// Reads the head of an upload's file, whichever node wrote it. `None` if the upload is over or its file is damaged.
///
/// Blocks to read a few hundred bytes that were written just before.
pub(crate) fn read_head(
    store: &Store,
    service_key: &ServiceKey,
    upload: UploadId,
) -> Result<Option<Head>, Error> {
    let start = store.uploads.get_start(upload.file_name(), Head::LIMIT)?;
    let head = start.and_then(|start| Head::open(&start, service_key));
    Ok(head.filter(|head| head.upload == upload))
}

/// Returns true if an upload's object is staged. Stages an object again that was published and never committed.
async fn is_staged(store: &Store, object: ObjectId) -> Result<bool, Error> {
    if store.blobs.open_staged(object)?.is_some() {
        return Ok(true);
    }
    Ok(!is_referenced(store, object).await? && store.blobs.unpublish(object)?)
}

/// Returns true if a content record refers to the object.
async fn is_referenced(store: &Store, object: ObjectId) -> Result<bool, Error> {
    Ok(referenced_objects(store).await?.contains(&object))
}
