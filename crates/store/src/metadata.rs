//! Metadata: a sorted map of small records with one atomic write.

mod condition;
pub(crate) mod copies;
mod database;
pub(crate) mod engine;
mod engine_kind;
mod group;
mod key_range;
pub(crate) mod ledger;
pub(crate) mod log;
mod logged_lines;
mod memory;
pub(crate) mod newest;
pub(crate) mod recovery;
mod redb;
pub(crate) mod remains;
mod shared;
mod sled;
pub(crate) mod state;
mod writer;

use async_trait::async_trait;

pub use self::{
    condition::{Condition, Failure},
    database::Database,
    engine_kind::EngineKind,
    key_range::{Direction, KeyRange},
    memory::MemoryMetadata,
};
use crate::Result;

/// The outcome of a commit.
#[must_use = "after a conflict, nothing is written"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// The changes are written, durable and visible.
    Done,
    /// An expectation did not hold, so nothing was written.
    Conflict,
}

/// Changes of records and of the journal, in their stored form.
#[derive(Default)]
pub struct Changes {
    /// The keys and new values of records to write.
    pub puts: Vec<(Vec<u8>, Vec<u8>)>,
    /// The keys of records to delete.
    pub deletes: Vec<Vec<u8>>,
    /// The conditions for the changes, each with its key.
    pub expectations: Vec<(Vec<u8>, Expectation)>,
    /// The lines to append to the journal.
    pub lines: Vec<Vec<u8>>,
    /// True if a verdict on access may depend on the changed records.
    pub is_control: bool,
}

impl Changes {
    /// Returns true if no record changes.
    pub(crate) fn is_only_lines(&self) -> bool {
        self.puts.is_empty() && self.deletes.is_empty()
    }
}

/// The state of a key that a commit expects.
pub enum Expectation {
    /// The key has no value.
    Absent,
    /// The key has any value.
    Present,
    /// The key has this value.
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

/// A sorted map with one atomic write. The suite in `tests/behaviour` tests every implementation.
///
/// A change becomes durable before it becomes visible, since a reader may acknowledge what another client committed.
#[async_trait]
pub trait Metadata: Send + Sync + 'static {
    /// Returns the value under `key`.
    ///
    /// # Errors
    /// If the value is damaged, or the disk fails.
    async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Returns the first `limit` items of `range`, in its direction. A shorter page is the last one. A page ends with the
    /// first item that is damaged or cannot be read.
    async fn page(&self, range: KeyRange<'_>, limit: usize) -> Vec<Result<Item>>;

    /// Makes all changes or none: first durable, then visible. The commit continues if the future is dropped.
    ///
    /// # Errors
    /// If the disk fails: nothing is changed.
    async fn commit(&self, changes: Changes) -> Result<Commit>;

    /// Appends a line to the journal, now or once the disk works again. For events that a failing disk must not stop.
    async fn journal_or_hold(&self, line: Vec<u8>);

    /// Returns the number of control commits in this process so far. It rises after a change is visible and before the
    /// change is acknowledged.
    ///
    /// # Errors
    /// If the number cannot be read.
    async fn epoch(&self) -> Result<u64>;

    /// Returns the condition of the store.
    fn condition(&self) -> Condition;

    /// Checks all records, logs, copies and the journal, and returns the damage found. Changes nothing.
    ///
    /// # Errors
    /// If the disk fails.
    async fn check(&self) -> Result<Vec<String>>;

    /// Returns true if no record is missing or damaged. Waits for the end of the check that the start began.
    async fn is_sound(&self) -> bool;

    /// Finishes all writes and copies the metadata. Nothing can be written afterwards.
    async fn close(&self);
}
