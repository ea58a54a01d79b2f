use std::sync::Arc;

use sealock_envelope::{ObjectKeys, RegistryKeys, Segments};
use sealock_store::objects::{Object, Staged};

use super::{
    session::{Reseal, Session},
    session_file::{self, Head},
    staging::{LockedUpload, Open, Upload},
};
use crate::{Error, Registry, RepositoryName};

/// The number of bytes that are opened and sealed again at once, under one lease.
const BATCH_BYTES: usize = 1024 * 1024;

/// The resumption of an upload from its file: its segments are sealed again in a new object. All methods block.
///
/// Nothing changes until it is [finished](Self::finish). If a revocation or the end of the process stops it, the
/// session's file is intact, and the next request starts again.
pub(crate) struct Resumption {
    registry: Registry,
    upload: LockedUpload,
    reseal: Reseal,
    old: Arc<dyn Object>,
    new: Box<dyn Staged>,
    batches: Box<dyn Iterator<Item = Segments> + Send>,
}

impl Resumption {
    /// Reads the session's file and stages the new object.
    ///
    /// # Errors
    /// [`Error::BlobUploadUnknown`] if file and object do not agree; the session is over then.
    pub(crate) fn begin(
        registry: Registry,
        repository: &RepositoryName,
        upload: LockedUpload,
        keys: &RegistryKeys<'_>,
    ) -> Result<Self, Error> {
        let store = &registry.store;
        let Some(bytes) = store.uploads.get(upload.id.file_name())? else {
            return Err(quarantine(&registry, upload, "its file is missing"));
        };
        let opened = session_file::open(&bytes, keys).filter(|(head, _)| {
            head.upload == upload.id
                && head.object == upload.object
                && head.registry == registry.record.id
                && head.repository == *repository
        });
        let Some((_, saved)) = opened else {
            return Err(quarantine(&registry, upload, "its file does not open"));
        };
        let old = store.blobs.open_staged(upload.object)?;
        let Some(old) = old.filter(|old| old.len() >= saved.stored_len()) else {
            return Err(quarantine(&registry, upload, "its segments are missing"));
        };
        let batches = Box::new(saved.segments(BATCH_BYTES));
        let reseal = Reseal::new(saved);
        let mut new = store.blobs.stage()?;
        new.append(&reseal.new_header().to_bytes())?;
        Ok(Self {
            registry,
            upload,
            reseal,
            old,
            new,
            batches,
        })
    }

    /// Returns the next segments to seal again.
    pub(crate) fn next(&mut self) -> Option<Segments> {
        self.batches.next()
    }

    /// Seals `segments` again, in the new object.
    ///
    /// # Errors
    /// [`Error::BlobUploadUnknown`] if they do not open; the session is over then.
    pub(crate) fn step(
        mut self,
        keys: &RegistryKeys<'_>,
        segments: &Segments,
    ) -> Result<Self, Error> {
        let mut stored = vec![0; segments.stored_len];
        self.old.read_at(segments.offset, &mut stored)?;
        let resealed = keys.object(self.reseal.old_header()).and_then(|old| {
            let new = keys.object(self.reseal.new_header())?;
            self.reseal.step(&old, &new, segments, &mut stored)
        });
        match resealed {
            Ok(sealed) => {
                self.new.append(&sealed)?;
                Ok(self)
            }
            Err(error) => Err(quarantine(&self.registry, self.upload, &error.to_string())),
        }
    }

    /// Saves the session with its new object, and discards the old one.
    pub(crate) fn finish(
        self,
        keys: &RegistryKeys<'_>,
        head: impl FnOnce(&Upload, &Session) -> Head,
    ) -> Result<LockedUpload, Error> {
        let Self {
            registry,
            mut upload,
            reseal,
            new: mut staged,
            ..
        } = self;
        let keys_of_new: ObjectKeys = keys.object(reseal.new_header()).map_err(Error::internal)?;
        let (sealed, session) = reseal.finish(&keys_of_new).map_err(Error::internal)?;
        staged.append(&sealed)?;
        let before = Upload::saved(upload.id, upload.object, session.received());
        upload.reopen(Open { session, staged });
        if let Err(error) = upload.save(&registry.store, keys, head) {
            // The file still names the old object.
            *upload = before;
            return Err(error);
        }
        if let Err(error) = registry.store.blobs.discard(before.object) {
            let object = before.object;
            tracing::warn!(%object, %error, "a staged object could not be removed; the next start sweeps it");
        }
        Ok(upload)
    }
}

/// Ends a session that cannot be read back, and moves its files into quarantine: an expert may repair them.
fn quarantine(registry: &Registry, mut upload: LockedUpload, why: &str) -> Error {
    let id = upload.id;
    tracing::warn!(upload = %id, why, "a saved upload is lost; its files are in quarantine");
    upload.set_aside(&registry.store, registry.clock.now());
    registry.uploads.remove(id);
    Error::BlobUploadUnknown
}
