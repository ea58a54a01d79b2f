//! Metadata: a sorted map of small records with one atomic write.

mod condition;
pub(crate) mod copies;
mod database;
pub(crate) mod engine;
mod group;
pub(crate) mod ledger;
pub(crate) mod log;
mod memory;
pub(crate) mod newest;
pub(crate) mod recovery;
mod redb;
pub(crate) mod remains;
mod shared;
mod sled;
pub(crate) mod state;
mod writer;

use std::ops::Bound;

use async_trait::async_trait;

pub use self::{
    condition::{Condition, Failure},
    database::Database,
    engine::EngineKind,
    memory::MemoryMetadata,
};
use crate::{Commit, Result};

/// Raw puts, deletes and expectations.
#[derive(Default)]
pub struct Changes {
    /// Keys and their new values.
    pub puts: Vec<(Vec<u8>, Vec<u8>)>,
    /// Keys to remove.
    pub deletes: Vec<Vec<u8>>,
    /// The conditions for any of it to happen.
    pub expectations: Vec<(Vec<u8>, Expectation)>,
    /// Lines that are appended to the journal if the rest happens, and only then.
    pub lines: Vec<Vec<u8>>,
    /// True if a verdict on access may depend on the changes.
    pub control: bool,
}

impl Changes {
    /// Returns true if they change no record.
    pub(crate) fn is_only_lines(&self) -> bool {
        self.puts.is_empty() && self.deletes.is_empty()
    }
}

/// The state in which a commit expects a key.
pub enum Expectation {
    /// No value.
    Absent,
    /// Some value.
    Present,
    /// This value.
    Unchanged(Vec<u8>),
}

impl Expectation {
    pub(crate) fn holds(&self, found: Option<&[u8]>) -> bool {
        match self {
            Self::Absent => found.is_none(),
            Self::Present => found.is_some(),
            Self::Unchanged(value) => found == Some(value),
        }
    }
}

/// A key and its value.
pub type Item = (Vec<u8>, Vec<u8>);

/// Keys and values in the order of the keys' bytes.
pub(crate) type Items = Box<dyn Iterator<Item = Result<Item>> + Send>;

/// Returns true if a range that ends before `end` is empty because it starts there or later.
fn is_behind(start: Bound<&[u8]>, end: &[u8]) -> bool {
    match start {
        Bound::Included(key) | Bound::Excluded(key) => key >= end,
        Bound::Unbounded => false,
    }
}

/// A sorted map with one atomic write. `tests/behaviour` tests what every implementation must do.
///
/// Nothing is visible before it is durable, since a reader may acknowledge what another committed.
#[async_trait]
pub trait Metadata: Send + Sync + 'static {
    /// Returns the value under `key`.
    ///
    /// # Errors
    /// If it is damaged, or the disk fails.
    async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Returns the first `limit` items from `start` up to and without `end`, in the order of the keys' bytes. Fewer
    /// items are the last ones. It ends with the first item that is damaged or cannot be read.
    async fn page(&self, start: Bound<&[u8]>, end: &[u8], limit: usize) -> Vec<Result<Item>>;

    /// Makes all changes, or none. Once they are done, they are durable and then visible. The commit goes on if the
    /// future is dropped.
    ///
    /// # Errors
    /// If the disk fails: then nothing is changed.
    async fn commit(&self, changes: Changes) -> Result<Commit>;

    /// Appends a line to the journal, now or once the disk works again. It serves work that must go on in the meantime.
    async fn note(&self, line: Vec<u8>);

    /// Returns the number of control commits in this process so far. It rises after a change is visible and before it
    /// is acknowledged.
    ///
    /// # Errors
    /// If it cannot be read.
    async fn epoch(&self) -> Result<u64>;

    /// Returns the condition of the store.
    fn condition(&self) -> Condition;

    /// Looks at everything and returns the damage. Nothing is changed.
    ///
    /// # Errors
    /// If the disk fails.
    async fn check(&self) -> Result<Vec<String>>;

    /// Returns true if all records are there. Waits until the start has looked at all of them.
    async fn is_sound(&self) -> bool;

    /// Leaves everything in order. Nothing can be written afterwards.
    async fn close(&self);
}
