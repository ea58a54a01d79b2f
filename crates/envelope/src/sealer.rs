use sealock_core::Digest;

use crate::{Error, header::Header, keys::ObjectKeys};

/// Seals an object piece by piece, in constant memory.
///
/// A sealer stores no keys, since it may outlive the permission to use them. Each step gets the keys again. The object
/// consists of the header's bytes, followed by the bytes that each step appends to the caller's buffer.
pub struct Sealer {
    header: Header,
    /// The index of the next segment.
    next: u64,
    /// The plaintext of at most one segment. It is sealed as soon as it is known to be the last or not.
    pending: Vec<u8>,
    plaintext_len: u64,
}

/// The description of a complete object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The header at the start of the object.
    pub header: Header,
    /// The length of the plaintext, in bytes.
    pub plaintext_len: u64,
}

impl Sealer {
    /// Starts an object. Its first bytes are [those of `header`](Header::to_bytes).
    pub fn new(header: Header) -> Self {
        Self {
            header,
            next: 0,
            pending: Vec::new(),
            plaintext_len: 0,
        }
    }

    /// Returns the header, from which the keys are derived.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Returns the number of plaintext bytes so far.
    pub fn plaintext_len(&self) -> u64 {
        self.plaintext_len
    }

    /// Returns the plaintext that is not sealed yet: at most one segment. To continue the object later, seal it and
    /// everything before it again under another salt.
    pub fn unsealed(&self) -> &[u8] {
        &self.pending
    }

    /// Adds `plaintext`, and appends the segments that are now complete to `sealed`.
    ///
    /// # Errors
    /// If `keys` belong to another object.
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

    /// Appends the last segment and the binding to `digest` to `sealed`, and thus completes the object.
    ///
    /// # Errors
    /// If `keys` belong to another object.
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
