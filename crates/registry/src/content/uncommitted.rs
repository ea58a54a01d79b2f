use std::sync::atomic::{AtomicBool, Ordering};

use sealock_core::Digest;
use sealock_envelope::{Header, RegistryKeys, Sealed, Sealer, SegmentSize};
use sealock_store::{Store, objects::Staged};

use super::record::ContentRecord;
use crate::Error;

/// Content that is published but not committed yet. Dropping it removes the object, unless a record may refer to it:
/// another request committed the same content first, or the request was refused.
pub(crate) struct UncommittedContent {
    pub(crate) record: ContentRecord,
    /// True if a record may refer to the object. The object then stays whatever becomes of the commit, and the next
    /// start quarantines it if no record refers to it.
    may_be_referenced: AtomicBool,
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
            may_be_referenced: AtomicBool::new(false),
            store: store.clone(),
        };
        staged.publish()?;
        Ok(fresh)
    }

    /// Seals and publishes small content in one step. Blocks.
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

    /// Sets whether the next commit makes a record refer to the object. Each attempt of an update starts with false.
    pub(crate) fn set_may_be_referenced(&self, may_be_referenced: bool) {
        self.may_be_referenced
            .store(may_be_referenced, Ordering::SeqCst);
    }

    /// Takes the result of the update, whose last commit may have made a record refer to the object.
    ///
    /// After a refusal, or an error of a disk that took nothing, no record refers to it. A disk that failed may have
    /// taken the record.
    pub(crate) fn settle<T>(&self, updated: &Result<T, Error>) {
        let may_be_written = match updated {
            Ok(_) => true,
            Err(Error::Store(error)) => error.may_be_written(),
            Err(_) => false,
        };
        if !may_be_written {
            self.set_may_be_referenced(false);
        }
    }
}

impl Drop for UncommittedContent {
    fn drop(&mut self) {
        // Blocks for one unlink, and only if two requests pushed the same content at once.
        let object = self.record.object;
        if !*self.may_be_referenced.get_mut()
            && let Err(error) = self.store.blobs.remove(object)
        {
            tracing::warn!(%object, %error, "an unneeded object could not be removed; the next start sets it aside");
        }
    }
}
