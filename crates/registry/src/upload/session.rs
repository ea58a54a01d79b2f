//! An upload session without I/O: the hashing and sealing of the bytes that arrive.
//!
//! A [`Session`] is *open*: it takes bytes until it is finished or dropped. Its *state* is sealed in the [session's
//! file](super::session_file). After a restart the file yields a [`SavedSession`], which continues once it is [sealed
//! again](Reseal). Each step that can fail consumes the session, so that nobody continues with one that is half done.

use bytes::Bytes;
use sealock_core::{Algorithm, Digest};
use sealock_envelope::{HEADER_LEN, Header, Layout, ObjectKeys, Sealed, Sealer, Segments};
use zeroize::Zeroizing;

use crate::{Error, content::hasher::Hasher};

/// ACR's largest layer: 200 GiB.
const BLOB_LIMIT: u64 = 200 << 30;

/// A session that takes bytes. It keeps no key: each step takes the keys of its own lease, so that nothing derived from
/// the DEK outlives the permission to use it.
pub(crate) struct Session {
    hasher: Hasher,
    sealer: Sealer,
}

impl Session {
    /// Creates a session for an object with this header, which is already written.
    pub(crate) fn new(header: Header, algorithm: Algorithm) -> Self {
        Self {
            hasher: Hasher::new(algorithm),
            sealer: Sealer::new(header),
        }
    }

    /// Returns the object's header, from which its keys are derived.
    pub(crate) fn header(&self) -> &Header {
        self.sealer.header()
    }

    /// Returns the number of bytes that have arrived.
    pub(crate) fn received(&self) -> u64 {
        self.sealer.plaintext_len()
    }

    /// Returns true if a segment was sealed and written.
    pub(crate) fn has_segments(&self) -> bool {
        bytes_in_segments(self.header(), self.received()) > 0
    }

    /// Returns the algorithm that hashes the content as it arrives.
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.hasher.algorithm()
    }

    /// Returns true if a chunk that starts at this byte continues the session.
    pub(crate) fn continues_at(&self, start: u64) -> bool {
        start == self.received()
    }

    /// Returns true if `additional` bytes complete no segment.
    pub(super) fn can_hold_back(&self, additional: usize) -> bool {
        let segment = self.header().segment_size.bytes();
        self.sealer.unsealed().len() + additional <= segment
    }

    /// Takes bytes that complete no segment.
    pub(super) fn hold_back(mut self, keys: &ObjectKeys, frames: &[Bytes]) -> Result<Self, Error> {
        let mut sealed = Vec::new();
        for frame in frames {
            self.hasher.update(frame);
            let taken = self.sealer.update(keys, frame, &mut sealed);
            taken.map_err(Error::internal)?;
        }
        debug_assert!(sealed.is_empty(), "a segment was complete");
        Ok(self)
    }

    /// Splits the session into the halves that hash and seal. Both must take the same bytes.
    pub(crate) fn split(self) -> (Hasher, Sealer) {
        (self.hasher, self.sealer)
    }

    /// Joins the halves of a session.
    pub(crate) fn join(hasher: Hasher, sealer: Sealer) -> Self {
        Self { hasher, sealer }
    }

    /// Seals the last segment and gives it to `write`, with the binding to `digest`. Refuses content that was hashed by
    /// the algorithm of `digest` and has another digest.
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

    /// Returns the part of a [`SavedSession`] that is not in segments: the object's header, the state of the hash, and
    /// the bytes of the incomplete segment.
    pub(crate) fn state(&self) -> Zeroizing<Vec<u8>> {
        let (hash, tail) = (self.hasher.state(), self.sealer.unsealed());
        // Allocated at its final size: growing would leave copies of the plaintext behind.
        let mut state = Zeroizing::new(Vec::with_capacity(HEADER_LEN + hash.len() + tail.len()));
        state.extend_from_slice(&self.header().to_bytes());
        state.extend_from_slice(&hash);
        state.extend_from_slice(tail);
        state
    }
}

/// A session as its file describes it.
///
/// Nothing more may be sealed under its object's keys: the process that saved it may have sealed further segments
/// before it ended.
pub(crate) struct SavedSession {
    header: Header,
    hasher: Hasher,
    received: u64,
    tail: Zeroizing<Vec<u8>>,
}

impl SavedSession {
    /// Parses the state of a session that had received so many bytes. `None` if the two do not agree.
    pub(crate) fn parse(algorithm: Algorithm, received: u64, state: &[u8]) -> Option<Self> {
        let (header, rest) = state.split_first_chunk()?;
        let (hasher, tail) = Hasher::restore(algorithm, rest)?;
        let saved = Self {
            header: Header::parse(header).ok()?,
            hasher,
            received,
            tail: Zeroizing::new(tail.to_vec()),
        };
        let bytes_in_segments = received.checked_sub(tail.len() as u64)?;
        (received <= BLOB_LIMIT && bytes_in_segments == saved.bytes_in_segments()).then_some(saved)
    }

    /// Returns the minimum length of the object that holds its segments.
    pub(crate) fn stored_len(&self) -> u64 {
        let last = self.segments(usize::MAX).last();
        last.map_or(0, |last| last.offset + last.stored_len as u64)
    }

    /// Returns its segments in batches of about `batch` bytes.
    pub(crate) fn segments(&self, batch: usize) -> impl Iterator<Item = Segments> + Send + use<> {
        let content = 0..self.bytes_in_segments();
        // An empty layout has one segment, which is sealed only at the end.
        let batches = (!content.is_empty()).then(|| self.layout().batches(&content, batch));
        batches.into_iter().flatten()
    }

    /// Returns the header of the object that holds its segments.
    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// Returns the number of bytes that had arrived.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    pub(super) fn bytes_in_segments(&self) -> u64 {
        bytes_in_segments(&self.header, self.received)
    }

    /// Returns the layout of the object as if the received bytes were all, so that no sealed segment is the last.
    pub(crate) fn layout(&self) -> Layout {
        Layout::new(&self.header, self.received)
    }
}

/// Returns the number of received bytes that lie in sealed segments. Up to one segment is held back, since it may be
/// the last.
fn bytes_in_segments(header: &Header, received: u64) -> u64 {
    let size = header.segment_size.bytes() as u64;
    received.saturating_sub(1) / size * size
}

/// A saved session that is sealed again in a new object, whose keys have sealed nothing yet.
pub(crate) struct Reseal {
    saved: SavedSession,
    layout: Layout,
    sealer: Sealer,
}

impl Reseal {
    /// Starts a new object under a fresh salt.
    pub(crate) fn new(saved: SavedSession) -> Self {
        let header = Header::new(saved.header.layers, saved.header.segment_size);
        Self {
            layout: saved.layout(),
            sealer: Sealer::new(header),
            saved,
        }
    }

    /// Returns the header of the old object.
    pub(crate) fn old_header(&self) -> &Header {
        &self.saved.header
    }

    /// Returns the header of the new object, which is written first.
    pub(crate) fn new_header(&self) -> &Header {
        self.sealer.header()
    }

    /// Opens `stored`, the next segments, in place. Returns them sealed again, to append to the new object.
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
        let all = 0..self.saved.received;
        let opened = self.layout.open(old, segments, &all, stored)?;
        let mut sealed = Vec::with_capacity(stored.len() * 2);
        for part in opened {
            self.sealer.update(new, &stored[part], &mut sealed)?;
        }
        Ok(sealed)
    }

    /// Adds the incomplete segment. Returns the segments that are now complete, to append to the new object, and the
    /// open session.
    pub(crate) fn finish(
        mut self,
        new: &ObjectKeys,
    ) -> Result<(Vec<u8>, Session), sealock_envelope::Error> {
        let mut sealed = Vec::new();
        self.sealer.update(new, &self.saved.tail, &mut sealed)?;
        let session = Session {
            hasher: self.saved.hasher,
            sealer: self.sealer,
        };
        Ok((sealed, session))
    }
}

/// Checks that a blob of `length` bytes stays within the limit.
pub(super) fn check_fits(length: u64) -> Result<(), Error> {
    if length > BLOB_LIMIT {
        return Err(Error::SizeInvalid(
            "the blob is larger than 200 GiB, the limit".to_owned(),
        ));
    }
    Ok(())
}
