//! An upload session, without its I/O: what becomes of the bytes that arrive.
//!
//! A [`Session`] is *open*: it takes bytes until it is finished or, cancelled, dropped. What it has is
//! told in a *state*, to be sealed in the [session's file](super::session_file). Whoever reads that after a restart has
//! a [`Kept`] session, which goes on once it is [resealed](Reseal). Each step that can fail takes the
//! session, so that nothing goes on with one that is only half done.

use bytes::Bytes;
use sealock_core::{Algorithm, Digest};
use sealock_envelope::{HEADER_LEN, Header, Layout, ObjectKeys, Sealed, Sealer, Segments};
use zeroize::Zeroizing;

use crate::{Error, content::hasher::Hasher};

/// From this size on, a batch is hashed on one thread while another seals and writes it. For less, the
/// change of threads would cost more than it saves.
const BESIDE_BYTES: usize = 256 * 1024;

/// ACR's largest layer: 200 GiB.
const BLOB_LIMIT: u64 = 200 << 30;

/// An upload that takes bytes. It keeps no key: each step is given the keys of a lease of its own, so
/// that nothing derived from the DEK outlives the permission to use it.
pub(crate) struct Session {
    hasher: Hasher,
    sealer: Sealer,
}

impl Session {
    /// A session whose content becomes an object with this header, which is written already.
    pub(crate) fn new(header: Header, algorithm: Algorithm) -> Self {
        Self {
            hasher: Hasher::new(algorithm),
            sealer: Sealer::new(header),
        }
    }

    /// The object's header, which its keys are derived from.
    pub(crate) fn header(&self) -> &Header {
        self.sealer.header()
    }

    /// How many bytes have arrived.
    pub(crate) fn received(&self) -> u64 {
        self.sealer.plaintext_len()
    }

    /// Whether any segment was sealed, and so written, yet.
    pub(crate) fn has_segments(&self) -> bool {
        in_segments(self.header(), self.received()) > 0
    }

    /// By which algorithm its digest is computed as it arrives.
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.hasher.algorithm()
    }

    /// Whether a chunk that begins at this byte continues it.
    pub(crate) fn is_continued_at(&self, begins: u64) -> bool {
        begins == self.received()
    }

    /// Checks that so many bytes more are not too many.
    pub(crate) fn check_room(&self, more: usize) -> Result<(), Error> {
        if self.received() + more as u64 > BLOB_LIMIT {
            return Err(Error::SizeInvalid("a blob has 200 GiB at most".to_owned()));
        }
        Ok(())
    }

    /// Takes a batch of bytes. The segments that are now certain are sealed and given to `write`, to be appended to the
    /// object.
    pub(crate) fn append(
        mut self,
        keys: &ObjectKeys,
        batch: &[Bytes],
        write: impl FnOnce(&[u8]) -> Result<(), Error> + Send,
    ) -> Result<Self, Error> {
        let Self { hasher, sealer } = &mut self;
        let length: usize = batch.iter().map(Bytes::len).sum();
        // Hashing takes as long as sealing and writing together, and needs nothing of them.
        let mut hash = || batch.iter().for_each(|frame| hasher.update(frame));
        let seal = || {
            let mut sealed = Vec::with_capacity(length + length / 4);
            for frame in batch {
                sealer
                    .update(keys, frame, &mut sealed)
                    .map_err(Error::internal)?;
            }
            write(&sealed)
        };
        let ((), sealed) = if length < BESIDE_BYTES {
            (hash(), seal())
        } else {
            rayon::join(hash, seal)
        };
        sealed?;
        Ok(self)
    }

    /// Seals the last segment and gives it to `write`, with the binding to `digest`. Content whose digest is another is
    /// refused, if it was hashed by that algorithm.
    pub(crate) fn finish(
        self,
        keys: &ObjectKeys,
        digest: &Digest,
        write: impl FnOnce(&[u8]) -> Result<(), Error>,
    ) -> Result<Sealed, Error> {
        if self.algorithm() == digest.algorithm() {
            Error::check_digest(digest, self.hasher.finish())?;
        }
        let mut end = Vec::new();
        let sealed = self
            .sealer
            .finish(keys, digest, &mut end)
            .map_err(Error::internal)?;
        write(&end)?;
        Ok(sealed)
    }

    /// What a [`Kept`] session needs, besides the segments: the object's header, the hash so far, and the
    /// bytes that are in no segment yet.
    pub(crate) fn state(&self) -> Zeroizing<Vec<u8>> {
        let (hash, tail) = (self.hasher.state(), self.sealer.tail());
        // Of its final size at once: what is moved leaves a copy behind.
        let mut state = Zeroizing::new(Vec::with_capacity(HEADER_LEN + hash.len() + tail.len()));
        state.extend_from_slice(&self.header().to_bytes());
        state.extend_from_slice(&hash);
        state.extend_from_slice(tail);
        state
    }
}

/// A session as its file has it.
///
/// Nothing more may be sealed under its object's keys: the process that kept it may have gone on for
/// some segments before it ended.
pub(crate) struct Kept {
    header: Header,
    hasher: Hasher,
    received: u64,
    tail: Zeroizing<Vec<u8>>,
}

impl Kept {
    /// The session with this state and so many bytes. `None` if it cannot have been such a session's.
    pub(crate) fn parse(algorithm: Algorithm, received: u64, state: &[u8]) -> Option<Self> {
        let (header, rest) = state.split_first_chunk()?;
        let (hasher, tail) = Hasher::restore(algorithm, rest)?;
        let kept = Self {
            header: Header::parse(header).ok()?,
            hasher,
            received,
            tail: Zeroizing::new(tail.to_vec()),
        };
        let in_segments = received.checked_sub(tail.len() as u64)?;
        (received <= BLOB_LIMIT && in_segments == kept.in_segments()).then_some(kept)
    }

    /// How long that object must be at least.
    pub(crate) fn stored_len(&self) -> u64 {
        let last = self.segments(usize::MAX).last();
        last.map_or(0, |last| last.offset + last.stored_len as u64)
    }

    /// Its segments, in batches of about `batch` bytes.
    pub(crate) fn segments(&self, batch: usize) -> impl Iterator<Item = Segments> + Send + use<> {
        let content = 0..self.in_segments();
        // Nothing at all would be one segment, which is sealed only at the end.
        let batches = (!content.is_empty()).then(|| self.layout().batches(&content, batch));
        batches.into_iter().flatten()
    }

    /// The header of the object that holds its segments.
    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// The number of bytes that have arrived.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    pub(super) fn in_segments(&self) -> u64 {
        in_segments(&self.header, self.received)
    }

    /// As if it were complete with what it has, so that no segment but the tail is the last.
    pub(crate) fn layout(&self) -> Layout {
        Layout::new(&self.header, self.received)
    }
}

/// The number of received bytes that lie in whole segments. One segment's worth at most is held back, since it might
/// be the last.
fn in_segments(header: &Header, received: u64) -> u64 {
    let size = header.segment_size.bytes() as u64;
    received.saturating_sub(1) / size * size
}

/// A kept session on its way into a new object, whose keys have sealed nothing yet.
pub(crate) struct Reseal {
    kept: Kept,
    layout: Layout,
    sealer: Sealer,
}

impl Reseal {
    /// Begins, under a fresh salt.
    pub(crate) fn new(kept: Kept) -> Self {
        let header = Header::new(kept.header.layers, kept.header.segment_size);
        Self {
            layout: kept.layout(),
            sealer: Sealer::new(header),
            kept,
        }
    }

    /// The header of the object that had its segments until now.
    pub(crate) fn old_header(&self) -> &Header {
        &self.kept.header
    }

    /// The header of the object that it goes on in, which is written first.
    pub(crate) fn new_header(&self) -> &Header {
        self.sealer.header()
    }

    /// Opens `stored`, the next segments, in place, and returns them sealed anew, to be appended to the new object.
    ///
    /// # Errors
    /// If they do not open.
    pub(crate) fn step(
        &mut self,
        old: &ObjectKeys,
        new: &ObjectKeys,
        segments: &Segments,
        stored: &mut [u8],
    ) -> Result<Vec<u8>, sealock_envelope::Error> {
        let all = 0..self.kept.received;
        let opened = self.layout.open(old, segments, &all, stored)?;
        let mut sealed = Vec::with_capacity(stored.len() * 2);
        for part in opened {
            self.sealer.update(new, &stored[part], &mut sealed)?;
        }
        Ok(sealed)
    }

    /// Goes on with what is in no segment yet, and returns what is certain to be one now, to be appended. The session is
    /// open again.
    pub(crate) fn finish(
        mut self,
        new: &ObjectKeys,
    ) -> Result<(Vec<u8>, Session), sealock_envelope::Error> {
        let mut sealed = Vec::new();
        self.sealer.update(new, &self.kept.tail, &mut sealed)?;
        let session = Session {
            hasher: self.kept.hasher,
            sealer: self.sealer,
        };
        Ok((sealed, session))
    }
}
