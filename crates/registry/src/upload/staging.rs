use std::ops::{Deref, DerefMut};

use bytes::Bytes;
use jiff::Timestamp;
use sealock_core::{Algorithm, Digest, ObjectId};
use sealock_envelope::{Header, RegistryKeys, SegmentSize};
use sealock_store::{LockGuard, Store, objects::Staged};
use tokio::sync::OwnedMutexGuard;

use super::{
    session::Session,
    session_file::{self, Head},
};
use crate::{Error, UploadId, content::uncommitted::UncommittedContent};

/// An upload: a session, and the object that it writes.
pub(crate) struct Upload {
    pub(crate) id: UploadId,
    /// The staged object.
    pub(crate) object: ObjectId,
    pub(super) state: State,
    /// The number of bytes recorded in its file. `None` if it has no file, because it ends with its request.
    pub(super) saved_bytes: Option<u64>,
}

pub(super) enum State {
    /// Only its file has the session: an earlier process or another node wrote it, or a chunk was discarded.
    Saved,
    Open(Box<Open>),
    /// It is complete, or a write failed and the staged object may be incomplete.
    Ended,
}

/// An open session with its staged object.
pub(crate) struct Open {
    pub(crate) session: Session,
    pub(crate) staged: Box<dyn Staged>,
}

/// An upload that no other request can touch, on this node or another.
pub(crate) struct LockedUpload {
    upload: OwnedMutexGuard<Upload>,
    /// `None` if no other request can find it.
    _lock: Option<LockGuard>,
}

impl LockedUpload {
    pub(crate) fn new(upload: OwnedMutexGuard<Upload>, lock: Option<LockGuard>) -> Self {
        Self {
            upload,
            _lock: lock,
        }
    }
}

impl Deref for LockedUpload {
    type Target = Upload;

    fn deref(&self) -> &Upload {
        &self.upload
    }
}

impl DerefMut for LockedUpload {
    fn deref_mut(&mut self) -> &mut Upload {
        &mut self.upload
    }
}

impl Upload {
    /// Creates an upload. It has no file yet. Blocks.
    pub(super) fn new(
        store: &Store,
        keys: &RegistryKeys<'_>,
        algorithm: Algorithm,
    ) -> Result<Self, Error> {
        let header = Header::new(keys.layers(), SegmentSize::default());
        let mut staged = store.blobs.stage()?;
        staged.append(&header.to_bytes())?;
        Ok(Self {
            id: UploadId::random(),
            object: staged.id(),
            state: State::Open(Box::new(Open {
                session: Session::new(header, algorithm),
                staged,
            })),
            saved_bytes: None,
        })
    }

    /// Creates an upload that continues from its file.
    pub(crate) fn saved(id: UploadId, object: ObjectId, received: u64) -> Self {
        Self {
            id,
            object,
            state: State::Saved,
            saved_bytes: Some(received),
        }
    }

    /// Continues from the file with this head if another node wrote it.
    pub(crate) fn catch_up_with(&mut self, head: &Head) {
        if self.object != head.object || self.saved_bytes != Some(head.received) {
            *self = Self::saved(head.upload, head.object, head.received);
        }
    }

    /// Opens an upload with an object, which its file need not name yet.
    pub(crate) fn reopen(&mut self, open: Open) {
        self.object = open.staged.id();
        self.state = State::Open(Box::new(open));
    }

    /// Discards the content that arrived since the file was written: a chunk that is refused. Some of it may be sealed
    /// under the object's keys, so the upload continues in a new object, as after a restart.
    pub(crate) fn discard_unsaved(&mut self) {
        if let Some(received) = self.saved_bytes {
            *self = Self::saved(self.id, self.object, received);
        }
    }

    /// Returns the number of bytes that have arrived.
    pub(crate) fn received(&self) -> u64 {
        self.session().map_or(0, Session::received)
    }

    /// Returns true if a chunk that starts at this byte continues the upload.
    pub(crate) fn continues_at(&self, start: u64) -> bool {
        self.session()
            .is_some_and(|session| session.continues_at(start))
    }

    pub(super) fn session(&self) -> Option<&Session> {
        match &self.state {
            State::Open(open) => Some(&open.session),
            State::Saved | State::Ended => None,
        }
    }

    /// Takes the open session out. A successful step puts it back.
    pub(super) fn take_open(&mut self) -> Result<Open, Error> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Open(open) => Ok(*open),
            State::Saved | State::Ended => Err(Error::BlobUploadInvalid),
        }
    }

    /// Returns true if `additional` bytes complete no segment.
    pub(super) fn can_hold_back(&self, additional: usize) -> bool {
        self.session()
            .is_some_and(|session| session.can_hold_back(additional))
    }

    /// Takes bytes that complete no segment, so that nothing has to be written.
    pub(super) fn hold_back(
        &mut self,
        keys: &RegistryKeys<'_>,
        frames: &[Bytes],
    ) -> Result<(), Error> {
        let Open { session, staged } = self.take_open()?;
        let keys = keys.object(session.header()).map_err(Error::internal)?;
        let session = session.hold_back(&keys, frames)?;
        self.reopen(Open { session, staged });
        Ok(())
    }

    /// Syncs the bytes written so far.
    pub(super) fn sync(&mut self) -> Result<(), Error> {
        let open = self.take_open()?;
        open.staged.sync()?;
        self.state = State::Open(Box::new(open));
        Ok(())
    }

    /// Saves the session in its file. Blocks.
    pub(crate) fn save(
        &mut self,
        store: &Store,
        keys: &RegistryKeys<'_>,
        head: impl FnOnce(&Self, &Session) -> Head,
    ) -> Result<(), Error> {
        let Some(session) = self.session() else {
            return Err(Error::BlobUploadInvalid);
        };
        let received = session.received();
        let file = session_file::seal(&head(self, session), keys, session)?;
        if let State::Open(open) = &mut self.state {
            open.staged.retain()?;
        }
        store.uploads.put(self.id.file_name(), &file)?;
        self.saved_bytes = Some(received);
        Ok(())
    }

    /// Seals the last segment, binds the object to `digest` and publishes it. The session ends even if that fails: the
    /// object's keys must never seal this segment again.
    pub(super) fn publish(
        &mut self,
        store: &Store,
        keys: &RegistryKeys<'_>,
        digest: &Digest,
    ) -> Result<UncommittedContent, Error> {
        let Open {
            session,
            mut staged,
        } = self.take_open()?;
        let keys = keys.object(session.header()).map_err(Error::internal)?;
        let sealed = session.finish(&keys, digest, |end| Ok(staged.append(end)?))?;
        UncommittedContent::publish(store, staged, &sealed)
    }

    /// Ends the upload and removes its files. Blocks.
    pub(crate) fn end(&mut self, store: &Store) {
        // The staged object is closed before it is discarded.
        self.state = State::Ended;
        if self.saved_bytes.take().is_some() {
            self.remove_files(store);
        }
    }

    /// Moves the upload's files into quarantine. Blocks.
    pub(crate) fn set_aside(&mut self, store: &Store, now: Timestamp) {
        self.state = State::Ended;
        self.saved_bytes = None;
        let since = now.as_second();
        let file = store.uploads.quarantine(self.id.file_name(), since);
        let staged = store.blobs.quarantine_staged(self.object, since);
        if let Err(error) = file.and(staged) {
            let upload = self.id;
            tracing::warn!(%upload, %error, "an upload's files could not be moved into quarantine; a later start tries again");
        }
    }

    /// Removes the upload's files.
    pub(super) fn remove_files(&self, store: &Store) {
        let file = store.uploads.remove(self.id.file_name());
        let staged = store.blobs.discard(self.object);
        if let Err(error) = file.and(staged) {
            let upload = self.id;
            tracing::warn!(%upload, %error, "an upload's files could not be removed; a later start sweeps them");
        }
    }
}
