//! The metadata database: a sorted map of small records with one atomic write.

mod memory;
mod sled;

use std::ops::Bound;

use async_trait::async_trait;

pub use self::{memory::MemoryMetadata, sled::SledMetadata};
use crate::Result;

/// Raw puts, deletes and expectations.
#[derive(Default)]
pub struct Changes {
    /// Keys and their new values.
    pub puts: Vec<(Vec<u8>, Vec<u8>)>,
    /// Keys to remove.
    pub deletes: Vec<Vec<u8>>,
    /// What must hold for any of it to happen.
    pub expectations: Vec<(Vec<u8>, Expectation)>,
}

/// What a commit expects to find under a key.
pub enum Expectation {
    /// No value.
    Absent,
    /// Some value.
    Present,
    /// This value.
    Unchanged(Vec<u8>),
}

impl Expectation {
    fn holds(&self, found: Option<&[u8]>) -> bool {
        match self {
            Self::Absent => found.is_none(),
            Self::Present => found.is_some(),
            Self::Unchanged(value) => found == Some(value),
        }
    }
}

/// What became of changes.
pub enum Outcome {
    /// They are visible; the ticket tells when they are durable.
    Applied(Ticket),
    /// An expectation did not hold.
    Conflict,
}

/// The position of applied changes among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// Keys and values in the order of the keys' bytes.
pub type Items<'a> = Box<dyn Iterator<Item = Result<(Vec<u8>, Vec<u8>)>> + Send + 'a>;

/// A sorted map with one atomic write. `tests/behaviour` holds what every implementation must do.
#[async_trait]
pub trait Metadata: Send + Sync + 'static {
    /// The value under `key`.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// The items from `start` up to and without `end`.
    fn range(&self, start: Bound<Vec<u8>>, end: Vec<u8>) -> Items<'_>;

    /// Makes all changes visible at once, or none.
    fn apply(&self, changes: Changes) -> Result<Outcome>;

    /// The ticket of the changes that were applied last.
    fn latest(&self) -> Ticket;

    /// Returns once the changes of `ticket`, and all before them, survive a loss of power.
    async fn durable(&self, ticket: Ticket) -> Result<()>;
}
