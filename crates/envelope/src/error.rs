/// Why stored bytes were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The binding is not that of this header, length and digest under this key.
    #[error("the object does not belong to this digest and key")]
    BindingMismatch,
    /// Bytes in the header that this version cannot have written.
    #[error("the object's header is not one of this format: {0}")]
    HeaderInvalid(&'static str),
    /// The keys are derived from another object's header.
    #[error("the keys are those of another object")]
    KeysMismatch,
    /// The object has layers other than its registry's.
    #[error("the object has other layers than its registry")]
    LayersMismatch,
    /// The object is shorter or longer than its content requires.
    #[error("the object has {found} bytes where its content takes {expected}")]
    LengthMismatch {
        /// The bytes that there are.
        found: u64,
        /// The bytes that there should be.
        expected: u64,
    },
    /// A sealed record does not open under this key and associated data.
    #[error("the sealed record does not open")]
    RecordRefused,
    /// More segments than a nonce can count, or a segment of a wrong size. Never written.
    #[error("segment {index} cannot be sealed")]
    SegmentInvalid {
        /// The segment's index.
        index: u64,
    },
    /// A segment does not open: it was changed, moved, cut or sealed under another key.
    #[error("segment {index} does not open")]
    SegmentRefused {
        /// The segment's index.
        index: u64,
    },
}
