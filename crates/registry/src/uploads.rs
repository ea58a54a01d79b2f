use std::{
    collections::{HashMap, HashSet},
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use sealock_core::{Clock, ObjectId, RegistryId, excerpt};
use sealock_envelope::ServiceKey;
use sealock_store::Store;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Error, RepositoryName,
    session::file::Head,
    sweep,
    upload::{Turn, Upload},
};

/// How many uploads may be unfinished at a time.
const SESSION_LIMIT: usize = 4096;

/// How long an upload that nobody continues is kept.
const SESSION_EXPIRY: SignedDuration = SignedDuration::from_hours(24);

/// An upload session's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UploadId(Uuid);

impl UploadId {
    pub(crate) fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The name of its session's file.
    pub(crate) fn note(self) -> Uuid {
        self.0
    }
}

impl FromStr for UploadId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let unknown = || Error::BlobUploadUnknown(excerpt(text).to_owned());
        Ok(Self(text.parse().map_err(|_| unknown())?))
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The unfinished uploads of all registries. Clones share them.
#[derive(Clone)]
pub struct Uploads {
    entries: Arc<Mutex<HashMap<UploadId, Entry>>>,
    clock: Clock,
}

struct Entry {
    registry: RegistryId,
    repository: RepositoryName,
    upload: Arc<tokio::sync::Mutex<Upload>>,
    touched: Timestamp,
}

impl Entry {
    fn new(
        registry: RegistryId,
        repository: RepositoryName,
        upload: Upload,
        touched: Timestamp,
    ) -> Self {
        Self {
            registry,
            repository,
            upload: Arc::new(tokio::sync::Mutex::new(upload)),
            touched,
        }
    }
}

impl Uploads {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            entries: Arc::default(),
            clock,
        }
    }

    /// Takes up the sessions that an earlier process kept, and returns their staged objects. Removes the sessions of
    /// completed or expired uploads, and sets aside those that cannot be read. Blocks.
    pub(crate) fn restore(
        &self,
        store: &Store,
        service_key: &ServiceKey,
    ) -> Result<HashSet<ObjectId>, Error> {
        let now = self.clock.now();
        let mut objects = HashSet::new();
        let mut referenced = None;
        for note in store.uploads.list()? {
            let file = store.uploads.get(note)?;
            let head = file.and_then(|file| Head::open(&file, service_key));
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
            } else if is_staged(store, head.object, &mut referenced)? {
                objects.insert(head.object);
                let upload = Upload::kept(head.upload, head.object, head.received);
                let entry = Entry::new(head.registry, head.repository, upload, head.touched);
                self.lock().insert(head.upload, entry);
            } else if is_referenced(store, head.object, &mut referenced)? {
                store.uploads.remove(note)?;
            } else {
                tracing::warn!(upload = %note, "an upload's segments are missing, and its file is set aside");
                store.uploads.set_aside(note, now.as_second())?;
            }
        }
        Ok(objects)
    }

    /// Adds an upload, unless there are too many. Returned are those that are over now, this one perhaps
    /// among them: they are to be [ended](Upload::end).
    pub(crate) fn insert(
        &self,
        registry: RegistryId,
        repository: &RepositoryName,
        upload: Upload,
    ) -> (Vec<Turn>, Result<(), Error>) {
        let now = self.clock.now();
        let id = upload.id;
        let entry = Entry::new(registry, repository.clone(), upload, now);
        let mut entries = self.lock();
        let mut over = Vec::new();
        entries.retain(|_, entry| {
            if now.duration_since(entry.touched) < SESSION_EXPIRY {
                return true;
            }
            // Whoever has its turn is about to continue it.
            let turn = Arc::clone(&entry.upload).try_lock_owned();
            turn.map(|turn| over.push(turn)).is_err()
        });
        let count = entries.len();
        if count >= SESSION_LIMIT {
            over.extend(entry.upload.try_lock_owned());
            return (over, Err(Error::TooManyUploads(count)));
        }
        entries.insert(id, entry);
        (over, Ok(()))
    }

    pub(crate) fn find(
        &self,
        registry: RegistryId,
        repository: &RepositoryName,
        id: UploadId,
    ) -> Option<Arc<tokio::sync::Mutex<Upload>>> {
        let mut entries = self.lock();
        let entry = entries.get_mut(&id)?;
        (entry.registry == registry && entry.repository == *repository).then(|| {
            entry.touched = self.clock.now();
            Arc::clone(&entry.upload)
        })
    }

    pub(crate) fn remove(&self, id: UploadId) {
        self.lock().remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UploadId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns true if an upload's content is staged. Stages content again that was published and never committed.
fn is_staged(
    store: &Store,
    object: ObjectId,
    referenced: &mut Option<HashSet<ObjectId>>,
) -> Result<bool, Error> {
    if store.blobs.open_staged(object)?.is_some() {
        return Ok(true);
    }
    Ok(!is_referenced(store, object, referenced)? && store.blobs.unpublish(object)?)
}

/// Returns true if an object belongs to a content. Reads the referenced objects only once.
fn is_referenced(
    store: &Store,
    object: ObjectId,
    referenced: &mut Option<HashSet<ObjectId>>,
) -> Result<bool, Error> {
    let referenced = match referenced {
        Some(referenced) => referenced,
        None => referenced.insert(sweep::referenced(store)?),
    };
    Ok(referenced.contains(&object))
}
