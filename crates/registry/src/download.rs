//! Content on its way to a client: read, opened, and handed over in batches.

use std::{
    mem,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use futures_util::{FutureExt as _, Stream, TryStreamExt as _, stream};
use sealock_cmk::Lease;
use sealock_envelope::Segments;
use tokio::{
    sync::mpsc::{self, OwnedPermit},
    task::spawn_blocking,
};

use crate::{Content, Error};

/// How much is read and opened at once, under one lease.
const BATCH_BYTES: usize = 512 * 1024;

/// How many batches may wait for the client. Opening goes on while the network takes what is opened, so
/// each should seldom have to wake the other.
const BATCHES_AHEAD: usize = 6;

/// The parts of one batch.
type Opened = Result<Vec<Bytes>, Error>;

/// Opens a content's batches ahead of the client that takes them. It ends with the client.
struct Download {
    content: Content,
    range: Range<u64>,
    batches: Box<dyn Iterator<Item = Segments> + Send>,
    buffers: Buffers,
}

/// The plaintext of `range`.
pub(crate) fn download(
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
            let buffer = self.buffers.take();
            let opened = self
                .content
                .open_batch(&lease, &segments, &self.range, buffer);
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

pub(crate) struct Buffer {
    pub(crate) bytes: Vec<u8>,
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
