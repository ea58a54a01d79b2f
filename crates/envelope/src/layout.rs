use std::ops::Range;

use crate::{BINDING_LEN, Error, HEADER_LEN, Header, ObjectKeys, TAG_LEN};

/// The places of an object's segments and of its binding.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    header: Header,
    plaintext_len: u64,
}

/// Consecutive segments of one object, read and opened together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    first: u64,
    count: u64,
    /// Where they begin in the object.
    pub offset: u64,
    /// How many bytes of the object they are.
    pub stored_len: usize,
}

impl Layout {
    /// The layout of an object with this header and so much plaintext.
    pub fn new(header: &Header, plaintext_len: u64) -> Self {
        Self {
            header: *header,
            plaintext_len,
        }
    }

    /// The whole object's length.
    pub fn stored_len(&self) -> u64 {
        self.binding_offset().saturating_add(BINDING_LEN as u64)
    }

    /// The binding's offset, behind the last segment.
    pub fn binding_offset(&self) -> u64 {
        // A damaged record may speak of a length that no object has.
        self.segments()
            .saturating_mul(self.tags())
            .saturating_add(self.plaintext_len)
            .saturating_add(HEADER_LEN as u64)
    }

    /// Checks the length of a stored object, which no segment's own seal covers.
    ///
    /// # Errors
    /// If it is not the length of this layout.
    pub fn check_len(&self, found: u64) -> Result<(), Error> {
        let expected = self.stored_len();
        if found == expected {
            Ok(())
        } else {
            Err(Error::LengthMismatch { found, expected })
        }
    }

    /// The segments that hold the plaintext of `range`, as far as there is any, in batches of about
    /// `batch` bytes.
    pub fn batches(
        &self,
        range: &Range<u64>,
        batch: usize,
    ) -> impl Iterator<Item = Segments> + use<> {
        let layout = *self;
        let range = range.start.min(self.plaintext_len)..range.end.min(self.plaintext_len);
        let end = if range.is_empty() && self.plaintext_len > 0 {
            range.start / self.segment_size()
        } else {
            // An empty object has one segment, whose seal is checked all the same.
            range.end.div_ceil(self.segment_size()).max(1)
        };
        let step = (batch as u64 / self.segment_size()).max(1);
        let mut first = range.start / self.segment_size();
        std::iter::from_fn(move || {
            let count = step.min(end.checked_sub(first)?);
            (count > 0).then(|| {
                let segments = layout.at(first, count);
                first += count;
                segments
            })
        })
    }

    /// Opens `segments` in place. The plaintext of `range` within them is what the returned parts of
    /// `buffer` hold, in order.
    ///
    /// # Errors
    /// If a segment was changed, moved, cut or sealed under another key, or `keys` are another object's.
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
        let mut parts = Vec::with_capacity(to_usize(segments.count));
        for (position, segment) in buffer.chunks_mut(stored).enumerate() {
            let index = segments.first + position as u64;
            let last = index + 1 == self.segments();
            let length = keys.open_segment(index, last, segment)? as u64;
            let begin = index * self.segment_size();
            let wanted =
                range.start.clamp(begin, begin + length)..range.end.clamp(begin, begin + length);
            if !wanted.is_empty() {
                let at = position * stored;
                parts.push(at + to_usize(wanted.start - begin)..at + to_usize(wanted.end - begin));
            }
        }
        Ok(parts)
    }

    fn segment_size(&self) -> u64 {
        self.header.segment_size.bytes() as u64
    }

    /// The length of a segment's tags.
    fn tags(&self) -> u64 {
        (TAG_LEN * usize::from(self.header.layers.count())) as u64
    }

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

/// For lengths that are bounded by a batch.
#[expect(clippy::cast_possible_truncation, reason = "a batch fits into memory")]
fn to_usize(length: u64) -> usize {
    length as usize
}
