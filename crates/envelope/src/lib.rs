//! The blob format and small sealed records: seal, open, open a range. No I/O.
//!
//! `docs/blob-format.md` specifies the format, byte by byte. An object is written front to back: a [`Header`],
//! segments, and the binding that ties them to a digest. The service layer seals each segment of plaintext. In a
//! registry with a customer-managed key, a second layer seals the result again under a key from the registry's [`Dek`].
//! The keys of an object are also derived from the id of its registry, so that it never opens as another registry's.

mod error;
mod header;
mod keys;
mod layout;
mod record;
mod sealer;
mod secret;

pub use error::Error;
pub use header::{HEADER_LEN, Header, Layers, SegmentSize};
pub use keys::{BINDING_LEN, Dek, ObjectKeys, RegistryKeys, ServiceKey, TokenKey};
pub use layout::{Batches, Layout, Segments};
pub use record::{RECORD_OVERHEAD, RecordKey};
pub use sealer::{Sealed, Sealer};
