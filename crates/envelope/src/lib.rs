//! The blob format and small sealed records: seal, open, open a range. No I/O.
//!
//! `docs/blob-format.md` is the specification of what is written here, byte by byte. An object is a
//! [`Header`], segments, and the binding that ties them to a digest, written front to back. Each segment of plaintext is
//! sealed by the service layer, and in a registry with a customer-managed key that output is sealed again under a key
//! from the registry's [`Dek`]. What belongs to the registry is never taken for another's: its id is in every derivation.

mod error;
mod header;
mod keys;
mod layout;
mod record;
mod sealer;

pub use error::Error;
pub use header::{HEADER_LEN, Header, Layers, SegmentSize};
pub use keys::{Dek, ObjectKeys, RegistryKeys, ServiceKey, TokenKey};
pub use layout::{Layout, Segments};
pub use record::{RECORD_OVERHEAD, RecordKey};
pub use sealer::{Sealed, Sealer};

/// The length of the binding: the last bytes of an object, which tie it to its length and its digest.
pub const BINDING_LEN: usize = 32;

/// What AES-GCM adds to each segment, in each layer.
const TAG_LEN: usize = 16;
