//! The download of content, which is read, opened and sent in batches.

use std::ops::Range;

use bytes::Bytes;
use futures_util::{FutureExt as _, Stream, TryStreamExt as _, stream};
use sealock_cmk::Lease;
use sealock_core::{Algorithm, Digest};
use sealock_envelope::{Batches, Segments};
use tokio::{
    sync::mpsc::{self, UnboundedSender},
    task::spawn_blocking,
};

use super::{
    hasher::Hasher,
    object::Content,
    read_ahead::{BATCH_BYTES, Buffer, Buffers},
};
use crate::Error;

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
        let read = self
            .stream(0..size)
            .try_fold(Vec::new(), |mut read, part| async move {
                read.extend_from_slice(&part);
                Ok(read)
            });
        let read = read.await?;
        content.check_read(read.len())?;
        Ok(read.into())
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
    batches: Batches,
    buffers: Buffers,
    client: UnboundedSender<OpenedBatch>,
}

/// Streams the plaintext of `range`.
fn download(
    content: Content,
    range: Range<u64>,
) -> impl Stream<Item = Result<Bytes, Error>> + Send + use<> {
    // The buffers bound the channel.
    let (client, mut opened) = mpsc::unbounded_channel();
    let batches = content.layout().batches(&range, BATCH_BYTES);
    let download = Download {
        buffers: content.buffers(),
        content,
        range,
        batches,
        client,
    };
    // Nothing is opened before the client polls.
    let start = async move {
        tokio::spawn(download.run());
        stream::poll_fn(move |context| opened.poll_recv(context))
    };
    start
        .flatten_stream()
        .map_ok(|parts| stream::iter(parts.into_iter().map(Ok)))
        .try_flatten()
}

impl Download {
    async fn run(mut self) {
        let client = self.client.clone();
        while !self.batches.is_finished() {
            let buffer = self.buffers.take().await;
            let lease = match self.content.lease().await {
                Ok(lease) => lease,
                Err(error) => {
                    let _left = client.send(Err(error));
                    return;
                }
            };
            self = match spawn_blocking(move || self.open_ahead(lease, buffer)).await {
                Ok(Some(download)) => download,
                Ok(None) => return,
                Err(error) => {
                    // Without the error, the stream would look complete.
                    let _left = client.send(Err(error.into()));
                    return;
                }
            };
        }
    }

    /// Opens batches while there are buffers. A slow client holds no thread. Returns `None` after the last batch or an
    /// error, or if the client has left.
    fn open_ahead(mut self, mut lease: Lease, mut buffer: Buffer) -> Option<Self> {
        loop {
            let segments = self.batches.next_of(buffer.batch_bytes())?;
            let opened = self.open_batch(&lease, &segments, buffer);
            let is_damaged = opened.is_err();
            if self.client.send(opened).is_err() || is_damaged {
                return None;
            }
            let (Some(next_buffer), Some(Ok(next_lease))) =
                (self.buffers.try_take(), self.content.lease().now_or_never())
            else {
                return Some(self);
            };
            (buffer, lease) = (next_buffer, next_lease);
        }
    }

    fn open_batch(&self, lease: &Lease, segments: &Segments, mut buffer: Buffer) -> OpenedBatch {
        let (content, range) = (&self.content, &self.range);
        let parts = content.open_segments(lease, segments, range, buffer.bytes())?;
        let buffer = Bytes::from_owner(buffer);
        Ok(parts.into_iter().map(|part| buffer.slice(part)).collect())
    }
}
