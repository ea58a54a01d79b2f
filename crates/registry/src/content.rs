use std::{
    fmt,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _};
use sealock_cmk::{Custody, Lease};
use sealock_core::{Algorithm, Digest, ObjectId};
use sealock_envelope::{BINDING_LEN, HEADER_LEN, Header, Layout, Sealed, Segments};
use sealock_store::{
    Batch, Record, Store, Table,
    objects::{Object, ObjectSet, Staged},
};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use crate::{
    Error, Registry,
    download::{Buffer, download},
    hasher::Hasher,
};

pub(crate) const CONTENTS: Table<ContentRecord> = Table::content("contents");

/// Where the content of a digest lies. One record a registry, whatever the number of links to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ContentRecord {
    pub(crate) object: ObjectId,
    pub(crate) header: Header,
    /// The plaintext's length in bytes.
    pub(crate) size: u64,
    /// How many repositories refer to it, as a blob or as a manifest. The last one to go frees it.
    pub(crate) links: u64,
}

/// Stored content, found to belong to its digest.
#[derive(Clone)]
pub struct Content {
    object: Arc<dyn Object>,
    header: Header,
    layout: Layout,
    custody: Custody,
    digest: Digest,
    size: u64,
}

impl Content {
    fn check(
        object: Arc<dyn Object>,
        record: &ContentRecord,
        digest: Digest,
        custody: Custody,
        lease: &Lease,
    ) -> Result<Self, Error> {
        let content = Self {
            layout: Layout::new(&record.header, record.size),
            header: record.header,
            size: record.size,
            object,
            custody,
            digest,
        };
        let damaged = |error| content.damaged(&error);
        content
            .layout
            .check_len(content.object.len())
            .map_err(damaged)?;
        let mut header = [0; HEADER_LEN];
        content.object.read_at(0, &mut header)?;
        if header != record.header.to_bytes() {
            return Err(content.damaged(&"its object has another header"));
        }
        let keys = lease.keys().object(&record.header).map_err(damaged)?;
        let mut binding = [0; BINDING_LEN];
        let at = content.layout.binding_offset();
        content.object.read_at(at, &mut binding)?;
        keys.verify_binding(&binding, record.size, &digest)
            .map_err(damaged)?;
        Ok(content)
    }

    /// The digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The length in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The bytes of `range`, decrypted as they are read, in constant memory. The registry's key is
    /// asked for anew before each batch, so a revocation cuts the stream short.
    pub fn stream(
        self,
        range: Range<u64>,
    ) -> impl Stream<Item = Result<Bytes, Error>> + Send + use<> {
        download(self, range)
    }

    /// The digest that its bytes really have.
    ///
    /// # Errors
    /// If it is revoked or damaged.
    pub(crate) async fn hash(self, algorithm: Algorithm) -> Result<Digest, Error> {
        let (content, size) = (self.clone(), self.size);
        let read = (Hasher::new(algorithm), 0);
        let read = self
            .stream(0..size)
            .try_fold(read, |(mut hasher, read), bytes| async move {
                hasher.update(&bytes);
                Ok((hasher, read + bytes.len()))
            });
        let (hasher, read) = read.await?;
        content.check_read(read)?;
        Ok(hasher.finish())
    }

    /// All bytes of a small content.
    ///
    /// # Errors
    /// If it is revoked or damaged.
    pub async fn bytes(self) -> Result<Bytes, Error> {
        let (content, size) = (self.clone(), self.size);
        let parts: Vec<Bytes> = self.stream(0..size).try_collect().await?;
        content.check_read(parts.iter().map(Bytes::len).sum())?;
        match <[Bytes; 1]>::try_from(parts) {
            Ok([whole]) => Ok(whole),
            Err(parts) => Ok(parts.concat().into()),
        }
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) async fn lease(&self) -> Result<Lease, Error> {
        Ok(self.custody.lease().await?)
    }

    /// The plaintext of `range` in `segments`, opened in `buffer`. Blocks.
    pub(crate) fn open_batch(
        &self,
        lease: &Lease,
        segments: &Segments,
        range: &Range<u64>,
        mut buffer: Buffer,
    ) -> Result<Vec<Bytes>, Error> {
        let damaged = |error| self.damaged(&error);
        let keys = lease.keys().object(&self.header).map_err(damaged)?;
        let bytes = &mut buffer.bytes;
        bytes.resize(segments.stored_len, 0);
        self.object.read_at(segments.offset, bytes)?;
        let parts = self
            .layout
            .open(&keys, segments, range, bytes)
            .map_err(damaged)?;
        let buffer = Bytes::from_owner(buffer);
        Ok(parts.into_iter().map(|part| buffer.slice(part)).collect())
    }

    /// Checks that all of it was read: a stream that ends early looks like one that is whole.
    fn check_read(&self, read: usize) -> Result<(), Error> {
        if read as u64 == self.size {
            return Ok(());
        }
        let size = self.size;
        Err(self.damaged(&format!("{read} of its {size} bytes were read")))
    }

    fn damaged(&self, why: &dyn fmt::Display) -> Error {
        Error::Damaged {
            digest: self.digest,
            why: why.to_string(),
        }
    }
}

impl Registry {
    /// Opens the content of `digest` and checks, before any byte is served, that the object is the
    /// one that was written for it. `None` if it was deleted since `record` was read.
    pub(crate) async fn open(
        &self,
        digest: Digest,
        record: &ContentRecord,
    ) -> Result<Option<Content>, Error> {
        let lease = self.lease().await?;
        let (store, custody) = (self.store.clone(), self.custody.clone());
        let record = record.clone();
        let object = record.object;
        let opened = spawn_blocking(move || match store.blobs.open(object)? {
            Some(object) => Content::check(object, &record, digest, custody, &lease).map(Some),
            None => Ok(None),
        });
        if let Some(content) = opened.await?? {
            return Ok(Some(content));
        }
        match self.content(&digest).await? {
            Some(now) if now.object == object => Err(Error::Damaged {
                digest,
                why: format!("its object {object} is missing"),
            }),
            _ => Ok(None),
        }
    }

    pub(crate) async fn content(
        &self,
        digest: &Digest,
    ) -> Result<Option<Record<ContentRecord>>, Error> {
        Ok(self
            .store
            .get(&CONTENTS, &[&self.id, &digest.to_string()])
            .await?)
    }

    /// Adds to `batch` one more link to the content of `digest`: to what is `existing`, or else to what
    /// is `fresh`. One of them there must be.
    pub(crate) fn link(
        &self,
        digest: &Digest,
        existing: Option<&Record<ContentRecord>>,
        fresh: Option<&ContentRecord>,
        batch: Batch,
    ) -> Batch {
        let Some(mut linked) = existing.map(|record| &record.value).or(fresh).cloned() else {
            debug_assert!(false, "a link to nothing");
            return batch;
        };
        linked.links += 1;
        let key = digest.to_string();
        batch
            .expect_same(&CONTENTS, &[&self.id, &key], existing)
            .put(&CONTENTS, &[&self.id, &key], &linked)
    }

    /// Adds to `batch` the removal of one link to the content of `digest`. The last link takes the object with it; the
    /// returned flag is true then.
    pub(crate) async fn unlink(
        &self,
        digest: &Digest,
        batch: Batch,
    ) -> Result<(Batch, bool), Error> {
        let key = digest.to_string();
        let key = [&*self.id, &key];
        let Some(existing) = self.content(digest).await? else {
            return Ok((batch, false));
        };
        let batch = batch.expect(&CONTENTS, &key, &existing);
        if existing.links > 1 {
            let mut unlinked = existing.value.clone();
            unlinked.links -= 1;
            Ok((batch.put(&CONTENTS, &key, &unlinked), false))
        } else {
            let batch = batch.remove(ObjectSet::Blobs, existing.object);
            Ok((batch.delete(&CONTENTS, &key), true))
        }
    }
}

/// Content that is published but not committed yet. Dropped while no record may refer to it, its object
/// is removed: another's was committed first, or the request was refused after all.
pub(crate) struct Fresh {
    pub(crate) record: ContentRecord,
    /// True if a record may refer to the object. Whatever becomes of the commit then, the object stays, and the next
    /// start sets it aside if no record refers to it.
    is_referred_to: AtomicBool,
    store: Store,
}

impl Fresh {
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
}

impl Fresh {
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

impl Drop for Fresh {
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
