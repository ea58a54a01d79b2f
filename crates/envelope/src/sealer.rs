use sealock_core::Digest;

use crate::{Error, Header, ObjectKeys};

/// Seals an object, a piece of plaintext at a time, in constant memory.
///
/// It keeps no key, so it may outlive the permission to use one: each step is given the keys anew.
/// The object is the header's bytes and then what each step appends to the caller's buffer.
pub struct Sealer {
    header: Header,
    /// The index of the next segment.
    next: u64,
    /// At most one segment, which is not sealed until it is known whether it is the last.
    pending: Vec<u8>,
    plaintext_len: u64,
}

/// What is known of an object once it is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The header, which the object begins with.
    pub header: Header,
    /// The plaintext's length in bytes.
    pub plaintext_len: u64,
}

impl Sealer {
    /// Begins an object, whose first bytes are [those of `header`](Header::to_bytes).
    pub fn new(header: Header) -> Self {
        Self {
            header,
            next: 0,
            pending: Vec::new(),
            plaintext_len: 0,
        }
    }

    /// The header, which the keys are derived from.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How many bytes of plaintext it was given.
    pub fn plaintext_len(&self) -> u64 {
        self.plaintext_len
    }

    /// What is not sealed yet: at most one segment. Whoever goes on with the object later must seal it
    /// under another salt, and all that comes before it.
    pub fn tail(&self) -> &[u8] {
        &self.pending
    }

    /// Takes `plaintext` and appends the segments that are now certain to `sealed`.
    ///
    /// # Errors
    /// If `keys` are another object's, or the segments cannot be counted any more.
    pub fn update(
        &mut self,
        keys: &ObjectKeys,
        mut plaintext: &[u8],
        sealed: &mut Vec<u8>,
    ) -> Result<(), Error> {
        keys.check_header(&self.header)?;
        let size = self.header.segment_size.bytes();
        self.plaintext_len += plaintext.len() as u64;
        while self.pending.len() + plaintext.len() > size {
            let (head, rest) = plaintext.split_at(size - self.pending.len());
            let start = sealed.len();
            sealed.append(&mut self.pending);
            sealed.extend_from_slice(head);
            keys.seal_segment(self.next, false, sealed, start)?;
            self.next += 1;
            plaintext = rest;
        }
        self.pending.extend_from_slice(plaintext);
        Ok(())
    }

    /// Appends the last segment to `sealed`, and the binding to `digest`, which ends the object.
    ///
    /// # Errors
    /// If `keys` are another object's, or the segments cannot be counted any more.
    pub fn finish(
        mut self,
        keys: &ObjectKeys,
        digest: &Digest,
        sealed: &mut Vec<u8>,
    ) -> Result<Sealed, Error> {
        keys.check_header(&self.header)?;
        let start = sealed.len();
        sealed.append(&mut self.pending);
        keys.seal_segment(self.next, true, sealed, start)?;
        sealed.extend_from_slice(&keys.binding(self.plaintext_len, digest));
        Ok(Sealed {
            header: self.header,
            plaintext_len: self.plaintext_len,
        })
    }
}
