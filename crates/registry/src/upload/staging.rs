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

/// A blob on its way in: a session, and where it writes.
pub(crate) struct Upload {
    pub(crate) id: UploadId,
    /// What is staged for it.
    pub(crate) object: ObjectId,
    pub(super) state: State,
    /// How many bytes it has as its file says. `None` if it has no file, because it ends with its request.
    pub(super) in_file: Option<u64>,
}

pub(super) enum State {
    /// Its file has it: of an earlier process, of another node, or before a chunk that was taken back.
    Kept,
    Open(Box<Open>),
    /// It is complete, or a write failed and what is staged may not be whole.
    Over,
}

/// An upload that takes bytes.
pub(crate) struct Open {
    pub(crate) session: Session,
    pub(crate) staged: Box<dyn Staged>,
}

/// An upload that nobody else can touch, on this node or another.
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
    /// A new upload. It has no file yet. Blocks.
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
            in_file: None,
        })
    }

    /// An upload that goes on from its file.
    pub(crate) fn kept(id: UploadId, object: ObjectId, received: u64) -> Self {
        Self {
            id,
            object,
            state: State::Kept,
            in_file: Some(received),
        }
    }

    /// Goes on from the file with this head if another node wrote that.
    pub(crate) fn follow(&mut self, head: &Head) {
        if self.object != head.object || self.in_file != Some(head.received) {
            *self = Self::kept(head.upload, head.object, head.received);
        }
    }

    /// Goes on with a kept upload in a new object. Its file does not say so yet.
    pub(crate) fn reopen(&mut self, open: Open) {
        self.object = open.staged.id();
        self.state = State::Open(Box::new(open));
    }

    /// Takes back what came since its file was written: a chunk that is refused after all. Some of it may be
    /// sealed under the object's keys, so that it goes on in another object, as after a restart.
    pub(crate) fn take_back(&mut self) {
        if let Some(received) = self.in_file {
            *self = Self::kept(self.id, self.object, received);
        }
    }

    /// How many bytes have arrived.
    pub(crate) fn received(&self) -> u64 {
        self.session().map_or(0, Session::received)
    }

    /// Whether a chunk that begins at this byte continues it.
    pub(crate) fn is_continued_at(&self, begins: u64) -> bool {
        self.session()
            .is_some_and(|session| session.is_continued_at(begins))
    }

    pub(super) fn session(&self) -> Option<&Session> {
        match &self.state {
            State::Open(open) => Some(&open.session),
            State::Kept | State::Over => None,
        }
    }

    /// What it has, to be given back when a step has succeeded.
    fn take_open(&mut self) -> Result<Box<Open>, Error> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Open(open) => Ok(open),
            State::Kept | State::Over => Err(Error::BlobUploadInvalid),
        }
    }

    pub(super) fn append(&mut self, keys: &RegistryKeys<'_>, batch: &[Bytes]) -> Result<(), Error> {
        let Open {
            session,
            mut staged,
        } = *self.take_open()?;
        let keys = keys.object(session.header()).map_err(Error::internal)?;
        let session = session.append(&keys, batch, |sealed| Ok(staged.append(sealed)?))?;
        self.state = State::Open(Box::new(Open { session, staged }));
        Ok(())
    }

    /// Syncs what was written so far.
    pub(super) fn sync(&mut self) -> Result<(), Error> {
        let open = self.take_open()?;
        open.staged.sync()?;
        self.state = State::Open(open);
        Ok(())
    }

    /// Has its file say what it has. Blocks.
    pub(crate) fn keep(
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
            open.staged.keep()?;
        }
        store.uploads.put(self.id.note(), &file)?;
        self.in_file = Some(received);
        Ok(())
    }

    /// Seals the last segment, binds the object to `digest` and publishes it. The session is over then, whatever
    /// happens: the object's keys never seal this segment again.
    pub(super) fn publish(
        &mut self,
        store: &Store,
        keys: &RegistryKeys<'_>,
        digest: &Digest,
    ) -> Result<UncommittedContent, Error> {
        let Open {
            session,
            mut staged,
        } = *self.take_open()?;
        let keys = keys.object(session.header()).map_err(Error::internal)?;
        let sealed = session.finish(&keys, digest, |end| Ok(staged.append(end)?))?;
        UncommittedContent::publish(store, staged, &sealed)
    }

    /// Removes what it leaves behind. Blocks.
    pub(crate) fn end(&mut self, store: &Store) {
        // What is staged is closed before it is discarded.
        self.state = State::Over;
        if self.in_file.take().is_some() {
            self.abandon(store);
        }
    }

    /// Moves the upload's files into quarantine. Blocks.
    pub(crate) fn set_aside(&mut self, store: &Store, now: Timestamp) {
        self.state = State::Over;
        self.in_file = None;
        let since = now.as_second();
        let file = store.uploads.set_aside(self.id.note(), since);
        let staged = store.blobs.set_staged_aside(self.object, since);
        if let Err(error) = file.and(staged) {
            let upload = self.id;
            tracing::warn!(%upload, %error, "an upload's files could not be set aside; a later start does it");
        }
    }

    /// Removes the upload's files.
    pub(super) fn abandon(&self, store: &Store) {
        let file = store.uploads.remove(self.id.note());
        let staged = store.blobs.discard(self.object);
        if let Err(error) = file.and(staged) {
            let upload = self.id;
            tracing::warn!(%upload, %error, "an upload's files could not be removed; a later start sweeps them");
        }
    }
}
