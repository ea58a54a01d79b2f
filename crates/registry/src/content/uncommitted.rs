use std::sync::atomic::{AtomicBool, Ordering};

use sealock_core::Digest;
use sealock_envelope::{Header, RegistryKeys, Sealed, Sealer, SegmentSize};
use sealock_store::{Store, objects::Staged};

use super::record::ContentRecord;
use crate::Error;

/// Content that is published but not committed yet. Dropped while no record may refer to it, its object
/// is removed: another's was committed first, or the request was refused after all.
pub(crate) struct UncommittedContent {
    pub(crate) record: ContentRecord,
    /// True if a record may refer to the object. Whatever becomes of the commit then, the object stays, and the next
    /// start sets it aside if no record refers to it.
    is_referred_to: AtomicBool,
    store: Store,
}

impl UncommittedContent {
    /// Publishes a complete object. Blocks.
    pub(crate) fn publish(
        store: &Store,
        staged: Box<dyn Staged>,
        sealed: &Sealed,
    ) -> Result<Self, Error> {
        let object = staged.id();
        let fresh = Self {
            record: ContentRecord {
                object,
                header: sealed.header,
                size: sealed.plaintext_len,
                links: 0,
            },
            is_referred_to: AtomicBool::new(false),
            store: store.clone(),
        };
        staged.publish()?;
        Ok(fresh)
    }

    /// Seals and publishes a small content in one step. Blocks.
    pub(crate) fn seal(
        store: &Store,
        keys: &RegistryKeys<'_>,
        digest: &Digest,
        bytes: &[u8],
    ) -> Result<Self, Error> {
        let header = Header::new(keys.layers(), SegmentSize::default());
        let keys = keys.object(&header).map_err(Error::internal)?;
        let mut sealer = Sealer::new(header);
        let mut object = header.to_bytes().to_vec();
        sealer
            .update(&keys, bytes, &mut object)
            .map_err(Error::internal)?;
        let sealed = sealer
            .finish(&keys, digest, &mut object)
            .map_err(Error::internal)?;
        let mut staged = store.blobs.stage()?;
        staged.append(&object)?;
        Self::publish(store, staged, &sealed)
    }

    /// Notes whether the commit that comes next refers to the object. A plan notes first that none does yet.
    pub(crate) fn note_reference(&self, is_referred_to: bool) {
        self.is_referred_to.store(is_referred_to, Ordering::SeqCst);
    }

    /// Notes the result of the update whose last commit may have referred to the object.
    ///
    /// A disk that took nothing has no record of the object. A disk that failed may have one.
    pub(crate) fn note_update<T>(&self, updated: &Result<T, Error>) {
        let may_be_written = match updated {
            Ok(_) => true,
            Err(Error::Store(error)) => error.may_be_written(),
            Err(_) => false,
        };
        if !may_be_written {
            self.note_reference(false);
        }
    }
}

impl Drop for UncommittedContent {
    fn drop(&mut self) {
        // It blocks for the time of an unlink, and only where two pushed the same at once.
        let object = self.record.object;
        if !*self.is_referred_to.get_mut()
            && let Err(error) = self.store.blobs.remove(object)
        {
            tracing::warn!(%object, %error, "an unneeded object could not be removed; the next start sets it aside");
        }
    }
}
