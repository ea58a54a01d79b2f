//! Content on its way to a client: read, opened, and handed over in batches.

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

/// How much is read and opened at once, under one lease.
const BATCH_BYTES: usize = 512 * 1024;

/// How many batches may wait for the client. Opening goes on while the network takes what is opened, so
/// each should seldom have to wake the other.
const BATCHES_AHEAD: usize = 6;

/// The parts of one batch.
type Opened = Result<Vec<Bytes>, Error>;

impl Content {
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

    /// All bytes of a small content.
    ///
    /// # Errors
    /// If it is revoked or damaged.
    pub async fn bytes(self) -> Result<Bytes, Error> {
        let (content, size) = (self.clone(), self.size());
        let parts: Vec<Bytes> = self.stream(0..size).try_collect().await?;
        content.check_read(parts.iter().map(Bytes::len).sum())?;
        match <[Bytes; 1]>::try_from(parts) {
            Ok([whole]) => Ok(whole),
            Err(parts) => Ok(parts.concat().into()),
        }
    }

    /// Checks that all of it was read: a stream that ends early looks like one that is whole.
    fn check_read(&self, read: usize) -> Result<(), Error> {
        if read as u64 == self.size() {
            return Ok(());
        }
        let size = self.size();
        Err(self.damaged(&format!("{read} of its {size} bytes were read")))
    }
}

/// Opens a content's batches ahead of the client that takes them. It ends with the client.
struct Download {
    content: Content,
    range: Range<u64>,
    batches: Box<dyn Iterator<Item = Segments> + Send>,
    buffers: Buffers,
}

/// The plaintext of `range`.
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
    // Nothing is opened for who never asks.
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
    async fn run(mut self, client: mpsc::Sender<Opened>) {
        while let Some(segments) = self.batches.next() {
            let Ok(place) = client.clone().reserve_owned().await else {
                return;
            };
            let opening = match self.content.lease().await {
                Ok(lease) => spawn_blocking(move || self.open(lease, segments, place)).await,
                Err(error) => {
                    place.send(Err(error));
                    return;
                }
            };
            self = match opening {
                Ok(Some(download)) => download,
                Ok(None) => return,
                Err(error) => {
                    // A stream that only ended would look whole.
                    let _gone = client.send(Err(error.into())).await;
                    return;
                }
            };
        }
    }

    /// Opens `segments` and all that follow, as long as the client keeps up: a thread is not held for a
    /// slow one. None after an error.
    fn open(
        mut self,
        mut lease: Lease,
        mut segments: Segments,
        mut place: OwnedPermit<Opened>,
    ) -> Option<Self> {
        loop {
            let opened = self.open_batch(&lease, &segments);
            let is_damaged = opened.is_err();
            let client = place.send(opened);
            if is_damaged {
                return None;
            }
            let (Ok(next_place), Some(Ok(next_lease))) = (
                client.try_reserve_owned(),
                self.content.lease().now_or_never(),
            ) else {
                return Some(self);
            };
            (place, lease, segments) = (next_place, next_lease, self.batches.next()?);
        }
    }

    fn open_batch(&self, lease: &Lease, segments: &Segments) -> Opened {
        let mut buffer = self.buffers.take();
        let (content, range) = (&self.content, &self.range);
        let parts = content.open_segments(lease, segments, range, &mut buffer.bytes)?;
        let buffer = Bytes::from_owner(buffer);
        Ok(parts.into_iter().map(|part| buffer.slice(part)).collect())
    }
}

/// The buffers of one download, used again once the client has taken what was in them: fresh ones cost
/// a twentieth of its time.
#[derive(Clone, Default)]
struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    fn take(&self) -> Buffer {
        Buffer {
            bytes: self.free().pop().unwrap_or_default(),
            home: self.clone(),
        }
    }

    fn free(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Buffer {
    bytes: Vec<u8>,
    home: Buffers,
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.home.free().push(mem::take(&mut self.bytes));
    }
}
