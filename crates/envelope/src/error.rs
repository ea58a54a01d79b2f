/// The reason why stored bytes do not open, or content cannot be sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The binding does not match the header, length and digest under this key.
    #[error("the object does not belong to this digest and key")]
    BindingMismatch,
    /// The header has a byte that this version of the format does not write.
    #[error("the object's header is invalid: {0}")]
    HeaderInvalid(&'static str),
    /// The keys were derived from the header of another object.
    #[error("the keys belong to another object")]
    KeysMismatch,
    /// The layers of the object differ from those of its registry.
    #[error("the object does not have the same layers as its registry")]
    LayersMismatch,
    /// The object is shorter or longer than its content requires.
    #[error("the object has {found} bytes instead of {expected}")]
    LengthMismatch {
        /// The actual length in bytes.
        found: u64,
        /// The expected length in bytes.
        expected: u64,
    },
    /// A sealed record does not open under this key and with this associated data.
    #[error("the sealed record does not open")]
    RecordRefused,
    /// A segment is too large to be sealed.
    #[error("segment {index} cannot be sealed")]
    SegmentInvalid {
        /// The index of the segment.
        index: u64,
    },
    /// A segment does not open: it was changed, moved, truncated or sealed under another key.
    #[error("segment {index} does not open")]
    SegmentRefused {
        /// The index of the segment.
        index: u64,
    },
}
