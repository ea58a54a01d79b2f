//! The download of content, which is read, opened and sent in batches.

use std::{
    mem,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use futures_util::{FutureExt as _, Stream, TryStreamExt as _, stream};
use sealock_cmk::Lease;
use sealock_core::{Algorithm, Digest};
use sealock_envelope::Segments;
use tokio::{
    sync::mpsc::{self, OwnedPermit},
    task::spawn_blocking,
};

use super::{hasher::Hasher, object::Content};
use crate::Error;

/// The number of bytes that are read and opened at once, under one lease.
const BATCH_BYTES: usize = 512 * 1024;

/// The number of opened batches that may wait for the client. Opening continues while the network sends, so that
/// neither has to wake the other often.
const BATCHES_AHEAD: usize = 6;

/// The plaintext of one batch, in pieces.
type OpenedBatch = Result<Vec<Bytes>, Error>;

impl Content {
    /// Streams the bytes of `range`, decrypted as they are read, in constant memory. Each batch takes a lease of its
    /// own, so a revocation cuts the stream short.
    pub fn stream(
        self,
        range: Range<u64>,
    ) -> impl Stream<Item = Result<Bytes, Error>> + Send + use<> {
        download(self, range)
    }

    /// Computes the digest of the bytes.
    ///
    /// # Errors
    /// If the registry is revoked or the content is damaged.
    pub(crate) async fn hash(self, algorithm: Algorithm) -> Result<Digest, Error> {
        let (content, size) = (self.clone(), self.size());
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

    /// Reads all bytes of small content.
    ///
    /// # Errors
    /// If the registry is revoked or the content is damaged.
    pub async fn bytes(self) -> Result<Bytes, Error> {
        let (content, size) = (self.clone(), self.size());
        let parts: Vec<Bytes> = self.stream(0..size).try_collect().await?;
        content.check_read(parts.iter().map(Bytes::len).sum())?;
        match <[Bytes; 1]>::try_from(parts) {
            Ok([whole]) => Ok(whole),
            Err(parts) => Ok(parts.concat().into()),
        }
    }

    /// Checks that all bytes were read. A stream that ends early looks complete.
    fn check_read(&self, read: usize) -> Result<(), Error> {
        if read as u64 == self.size() {
            return Ok(());
        }
        let size = self.size();
        Err(self.damaged(&format!("{read} of its {size} bytes were read")))
    }
}

/// Opens batches ahead of the client that takes them. Ends when the client leaves.
struct Download {
    content: Content,
    range: Range<u64>,
    batches: Box<dyn Iterator<Item = Segments> + Send>,
    buffers: Buffers,
}

/// Streams the plaintext of `range`.
fn download(
    content: Content,
    range: Range<u64>,
) -> impl Stream<Item = Result<Bytes, Error>> + Send + use<> {
    let (client, mut opened) = mpsc::channel(BATCHES_AHEAD);
    let batches = content.layout().batches(&range, BATCH_BYTES);
    let download = Download {
        content,
        range,
        batches: Box::new(batches),
        buffers: Buffers::default(),
    };
    // Nothing is opened before the client polls.
    let start = async move {
        tokio::spawn(download.run(client));
        stream::poll_fn(move |context| opened.poll_recv(context))
    };
    start
        .flatten_stream()
        .map_ok(|parts| stream::iter(parts.into_iter().map(Ok)))
        .try_flatten()
}

impl Download {
    async fn run(mut self, client: mpsc::Sender<OpenedBatch>) {
        while let Some(segments) = self.batches.next() {
            let Ok(slot) = client.clone().reserve_owned().await else {
                return;
            };
            let opening = match self.content.lease().await {
                Ok(lease) => spawn_blocking(move || self.open_ahead(lease, segments, slot)).await,
                Err(error) => {
                    slot.send(Err(error));
                    return;
                }
            };
            self = match opening {
                Ok(Some(download)) => download,
                Ok(None) => return,
                Err(error) => {
                    // Without the error, the stream would look complete.
                    let _gone = client.send(Err(error.into())).await;
                    return;
                }
            };
        }
    }

    /// Opens `segments` and the following ones while the client keeps up. A slow client holds no thread. Returns `None`
    /// after an error.
    fn open_ahead(
        mut self,
        mut lease: Lease,
        mut segments: Segments,
        mut slot: OwnedPermit<OpenedBatch>,
    ) -> Option<Self> {
        loop {
            let opened = self.open_batch(&lease, &segments);
            let is_damaged = opened.is_err();
            let client = slot.send(opened);
            if is_damaged {
                return None;
            }
            let (Ok(next_slot), Some(Ok(next_lease))) = (
                client.try_reserve_owned(),
                self.content.lease().now_or_never(),
            ) else {
                return Some(self);
            };
            (slot, lease, segments) = (next_slot, next_lease, self.batches.next()?);
        }
    }

    fn open_batch(&self, lease: &Lease, segments: &Segments) -> OpenedBatch {
        let mut buffer = self.buffers.take();
        let (content, range) = (&self.content, &self.range);
        let parts = content.open_segments(lease, segments, range, &mut buffer.bytes)?;
        let buffer = Bytes::from_owner(buffer);
        Ok(parts.into_iter().map(|part| buffer.slice(part)).collect())
    }
}

/// The buffers of one download. A buffer is reused once the client has taken its content: fresh ones would cost a
/// twentieth of the time.
#[derive(Clone, Default)]
struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    fn take(&self) -> Buffer {
        Buffer {
            bytes: self.free().pop().unwrap_or_default(),
            pool: self.clone(),
        }
    }

    fn free(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Buffer {
    bytes: Vec<u8>,
    pool: Buffers,
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.pool.free().push(mem::take(&mut self.bytes));
    }
}
