use std::ops::Range;

use crate::{
    Error,
    header::{HEADER_LEN, Header},
    keys::{BINDING_LEN, ObjectKeys},
    secret::TAG_LEN,
};

/// The positions of an object's segments and of its binding.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    header: Header,
    plaintext_len: u64,
}

/// Consecutive segments of an object, which are read and opened together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    first: u64,
    count: u64,
    /// The offset in the object at which they start.
    pub offset: u64,
    /// The number of bytes that they take in the object.
    pub stored_len: usize,
}

/// Batches of an object's segments, in their order.
#[derive(Clone, Debug)]
pub struct Batches {
    layout: Layout,
    /// The index of the next segment.
    next: u64,
    end: u64,
    batch: usize,
}

impl Batches {
    /// Returns the next batch, of about `bytes` instead of the usual number.
    pub fn next_of(&mut self, bytes: usize) -> Option<Segments> {
        let step = (bytes as u64 / self.layout.segment_size()).max(1);
        let count = step.min(self.end.checked_sub(self.next)?);
        (count > 0).then(|| {
            let segments = self.layout.at(self.next, count);
            self.next += count;
            segments
        })
    }

    /// Returns true if no batch is left.
    pub fn is_finished(&self) -> bool {
        self.next >= self.end
    }
}

impl Iterator for Batches {
    type Item = Segments;

    fn next(&mut self) -> Option<Segments> {
        self.next_of(self.batch)
    }
}

impl Layout {
    /// Creates the layout of an object with this header and length of plaintext.
    pub fn new(header: &Header, plaintext_len: u64) -> Self {
        Self {
            header: *header,
            plaintext_len,
        }
    }

    /// Returns the length of the whole object.
    pub fn stored_len(&self) -> u64 {
        self.binding_offset().saturating_add(BINDING_LEN as u64)
    }

    /// Returns the offset of the binding, which follows the last segment.
    pub fn binding_offset(&self) -> u64 {
        // A damaged record may contain a length that no object has.
        self.segments()
            .saturating_mul(self.tags())
            .saturating_add(self.plaintext_len)
            .saturating_add(HEADER_LEN as u64)
    }

    /// Checks the length of a stored object, which the seal of a segment does not cover.
    ///
    /// # Errors
    /// If the length is not that of this layout.
    pub fn check_len(&self, found: u64) -> Result<(), Error> {
        let expected = self.stored_len();
        if found == expected {
            Ok(())
        } else {
            Err(Error::LengthMismatch { found, expected })
        }
    }

    /// Returns the segments with the plaintext of `range`, in batches of about `batch` bytes.
    pub fn batches(&self, range: &Range<u64>, batch: usize) -> Batches {
        let range = range.start.min(self.plaintext_len)..range.end.min(self.plaintext_len);
        let end = if range.is_empty() && self.plaintext_len > 0 {
            range.start / self.segment_size()
        } else {
            // An empty object has one segment, whose seal is also checked.
            range.end.div_ceil(self.segment_size()).max(1)
        };
        Batches {
            layout: *self,
            next: range.start / self.segment_size(),
            end,
            batch,
        }
    }

    /// Opens `segments` in place. The returned slices of `buffer` contain, in order, the plaintext of `range` in these
    /// segments.
    ///
    /// # Errors
    /// If a segment was changed, moved, truncated or sealed under another key, or `keys` belong to another object.
    pub fn open(
        &self,
        keys: &ObjectKeys,
        segments: &Segments,
        range: &Range<u64>,
        buffer: &mut [u8],
    ) -> Result<Vec<Range<usize>>, Error> {
        keys.check_header(&self.header)?;
        if buffer.len() != segments.stored_len {
            return Err(Error::LengthMismatch {
                found: buffer.len() as u64,
                expected: segments.stored_len as u64,
            });
        }
        let stored = to_usize(self.segment_size() + self.tags());
        let mut slices = Vec::with_capacity(to_usize(segments.count));
        for (position, segment) in buffer.chunks_mut(stored).enumerate() {
            let index = segments.first + position as u64;
            let is_last = index + 1 == self.segments();
            let length = keys.open_segment(index, is_last, segment)? as u64;
            let begin = index * self.segment_size();
            let wanted =
                range.start.clamp(begin, begin + length)..range.end.clamp(begin, begin + length);
            if !wanted.is_empty() {
                let at = position * stored;
                slices.push(at + to_usize(wanted.start - begin)..at + to_usize(wanted.end - begin));
            }
        }
        Ok(slices)
    }

    fn segment_size(&self) -> u64 {
        self.header.segment_size.bytes() as u64
    }

    /// Returns the length of a segment's tags.
    fn tags(&self) -> u64 {
        (TAG_LEN * usize::from(self.header.layers.count())) as u64
    }

    /// Returns the number of segments.
    fn segments(&self) -> u64 {
        self.plaintext_len.div_ceil(self.segment_size()).max(1)
    }

    fn at(&self, first: u64, count: u64) -> Segments {
        let offset = |index: u64| {
            let stored = self.segment_size() + self.tags();
            index
                .saturating_mul(stored)
                .saturating_add(HEADER_LEN as u64)
        };
        let end = offset(first + count).min(self.binding_offset());
        Segments {
            first,
            count,
            offset: offset(first),
            stored_len: to_usize(end - offset(first)),
        }
    }
}

/// Converts a length that the size of a batch bounds.
#[expect(clippy::cast_possible_truncation, reason = "a batch fits into memory")]
fn to_usize(length: u64) -> usize {
    length as usize
}
