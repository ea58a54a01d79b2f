//! The proof of the blob format: what is sealed opens, what was tampered with does not, and a second
//! implementation and the vectors in `fixtures/blob-format` agree with this one byte for byte.

#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, which the helpers belong to"
)]

mod by_the_book;
mod ranges;
mod round_trip;
mod subject;
mod tampering;
mod vectors;
