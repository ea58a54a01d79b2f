//! Tests of the blob format: sealed objects open, changed objects do not, and both a reference implementation and the
//! vectors in `fixtures/blob-format` agree with the crate byte for byte.

#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, and these helpers belong to them"
)]

mod ranges;
mod reference;
mod round_trip;
mod sample;
mod tampering;
mod vectors;
