//! Appends a body to an upload. While one batch arrives and is hashed, the batches before it are sealed and written.

use std::{
    fmt,
    pin::{Pin, pin},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use sealock_cmk::Lease;
use sealock_envelope::Sealer;
use sealock_store::objects::Staged;
use tokio::{
    sync::mpsc::{self, Receiver, Sender},
    task::spawn_blocking,
};

use super::{
    receive::end_failed,
    session::{Session, check_fits},
    staging::{LockedUpload, Open},
};
use crate::{Error, Registry, content::hasher::Hasher};

/// The number of bytes that are hashed, sealed and written at once. Each batch may wake another thread, so small
/// batches cost more than the memory of large ones.
const BATCH_BYTES: usize = 512 * 1024;

/// The number of batches that may wait to be sealed.
const BATCHES_WAITING: usize = 2;

/// Consecutive frames of a body, of about [`BATCH_BYTES`].
struct Received {
    frames: Arc<[Bytes]>,
    length: usize,
    /// True if the body ends with them.
    are_last: bool,
}

/// Frames that are sealed under one lease.
struct Batch {
    frames: Arc<[Bytes]>,
    lease: Lease,
}

impl Registry {
    /// Appends a body to an upload.
    ///
    /// # Errors
    /// If the client leaves or the registry is revoked meanwhile. The batches received so far stay.
    pub(crate) async fn append<S, E>(
        &self,
        mut upload: LockedUpload,
        body: S,
    ) -> Result<LockedUpload, Error>
    where
        S: Stream<Item = Result<Bytes, E>>,
        E: fmt::Display,
    {
        let mut body = pin!(body);
        let received = upload.received();
        let first = next_frames(&mut body, received).await?;
        if first.frames.is_empty() {
            return Ok(upload);
        }
        if first.are_last && upload.can_hold_back(first.length) {
            let lease = self.lease().await?;
            upload.hold_back(&lease.keys(), &first.frames)?;
            return Ok(upload);
        }
        let Open { session, staged } = upload.take_open()?;
        // If this future is dropped, the next request continues from the session's file.
        upload.discard_unsaved();
        let (mut hasher, sealer) = session.split();
        let (batches, waiting) = mpsc::channel(BATCHES_WAITING);
        let sealing = Sealing {
            sealer,
            staged,
            sealed: Vec::new(),
        };
        let (received, sealed) = tokio::join!(
            self.receive(first, body, received, &mut hasher, batches),
            sealing.run(waiting)
        );
        match sealed {
            Ok(Sealing { sealer, staged, .. }) => {
                let session = Session::join(hasher, sealer);
                upload.reopen(Open { session, staged });
                received.map(|()| upload)
            }
            Err(error) => {
                let (store, uploads) = (self.store.clone(), self.uploads.clone());
                let ended = spawn_blocking(move || end_failed(upload, &store, &uploads, error));
                Err(ended.await?)
            }
        }
    }

    /// Hashes the frames of a body as they arrive, and passes them on. The hasher takes exactly the frames that are
    /// passed on.
    async fn receive<S, E>(
        &self,
        mut next: Received,
        mut body: Pin<&mut S>,
        mut received: u64,
        hasher: &mut Hasher,
        batches: Sender<Batch>,
    ) -> Result<(), Error>
    where
        S: Stream<Item = Result<Bytes, E>>,
        E: fmt::Display,
    {
        loop {
            received += next.length as u64;
            // If the stage that seals has failed, it says why.
            let Ok(slot) = batches.reserve().await else {
                return Ok(());
            };
            let lease = self.lease().await?;
            slot.send(Batch {
                frames: Arc::clone(&next.frames),
                lease,
            });
            // Hashing takes as long as sealing and writing together. On a third thread it would compete with the client.
            next.frames.iter().for_each(|frame| hasher.update(frame));
            if next.are_last {
                return Ok(());
            }
            next = next_frames(&mut body, received).await?;
        }
    }
}

/// The stage that seals batches and writes them to the staged object.
struct Sealing {
    sealer: Sealer,
    staged: Box<dyn Staged>,
    /// The segments of the current batch. The buffer is used again, because fresh memory costs a page fault for every
    /// 4 KiB.
    sealed: Vec<u8>,
}

impl Sealing {
    /// Seals and writes all batches. A slow client holds no thread.
    async fn run(mut self, mut batches: Receiver<Batch>) -> Result<Self, Error> {
        while let Some(first) = batches.recv().await {
            let ready = spawn_blocking(move || {
                let mut next = Some(first);
                while let Some(batch) = next {
                    self.seal(&batch)?;
                    next = batches.try_recv().ok();
                }
                Ok::<_, Error>((self, batches))
            });
            (self, batches) = ready.await??;
        }
        Ok(self)
    }

    fn seal(&mut self, Batch { frames, lease }: &Batch) -> Result<(), Error> {
        let keys = lease.keys().object(self.sealer.header());
        let keys = keys.map_err(Error::internal)?;
        self.sealed.clear();
        for frame in frames.iter() {
            let sealed = self.sealer.update(&keys, frame, &mut self.sealed);
            sealed.map_err(Error::internal)?;
        }
        if !self.sealed.is_empty() {
            self.staged.append(&self.sealed)?;
        }
        Ok(())
    }
}

/// Reads the next frames of a body, after `received` bytes of the blob.
///
/// # Errors
/// If the client leaves, or the blob is too large.
async fn next_frames<S, E>(body: &mut Pin<&mut S>, received: u64) -> Result<Received, Error>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: fmt::Display,
{
    let mut frames = Vec::new();
    let mut length = 0;
    while length < BATCH_BYTES {
        match body.next().await {
            Some(Ok(frame)) if frame.is_empty() => {}
            Some(Ok(frame)) => {
                length += frame.len();
                frames.push(frame);
            }
            Some(Err(error)) => return Err(Error::BodyIncomplete(error.to_string())),
            None => break,
        }
    }
    check_fits(received + length as u64)?;
    Ok(Received {
        frames: frames.into(),
        length,
        are_last: length < BATCH_BYTES,
    })
}
