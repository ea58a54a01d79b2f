//! Objects: immutable files under random ids.
//!
//! An object is staged, written front to back, then published: synced and moved to its place in one step. What is
//! staged is gone with who writes it, unless it is [kept](Staged::keep), to be read by the next process.
//! All of this blocks; callers in async code use `spawn_blocking`.

mod files;
mod memory;

use std::sync::Arc;

use sealock_core::ObjectId;

pub use self::{files::ObjectFiles, memory::MemoryObjects};
use crate::{Result, metadata::Failure};

/// The sets of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectSet {
    /// The content of registries.
    Blobs,
    /// The vault's private keys, sealed, and the keys that seal them.
    VaultKeys,
}

impl ObjectSet {
    /// The name of the set's directory.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blobs => "blobs",
            Self::VaultKeys => "vault-keys",
        }
    }
}

/// A set of objects. `tests/behaviour` holds what every implementation must do.
pub trait Objects: Send + Sync + 'static {
    /// Begins a new object.
    ///
    /// # Errors
    /// If the disk fails or has no room to spare.
    fn stage(&self) -> Result<Box<dyn Staged>>;

    /// The published object `id`, if there is one.
    ///
    /// # Errors
    /// If the disk fails.
    fn open(&self, id: ObjectId) -> Result<Option<Arc<dyn Object>>>;

    /// Removes a published object; false if there was none. Whoever has it open can go on reading.
    ///
    /// # Errors
    /// If the disk fails.
    fn remove(&self, id: ObjectId) -> Result<bool>;

    /// All published objects.
    ///
    /// # Errors
    /// If the disk fails.
    fn list(&self) -> Result<Vec<ObjectId>>;

    /// Moves a published object that no record mentions into quarantine; returns false if there was none. `since` is
    /// the time of the move, in seconds since 1970.
    ///
    /// # Errors
    /// If the disk fails.
    fn set_aside(&self, id: ObjectId, since: i64) -> Result<bool>;

    /// Turns a published object back into a staged and kept one; returns false if there was none. For an object that a
    /// process published just before its end.
    ///
    /// # Errors
    /// If the disk fails.
    fn unpublish(&self, id: ObjectId) -> Result<bool>;

    /// What was written so far of the object `id`, which was staged and kept, if there is any.
    ///
    /// # Errors
    /// If the disk fails.
    fn open_staged(&self, id: ObjectId) -> Result<Option<Arc<dyn Object>>>;

    /// Removes an object that was staged and kept, once nobody writes it any more; false if there was
    /// none.
    ///
    /// # Errors
    /// If the disk fails.
    fn discard(&self, id: ObjectId) -> Result<bool>;

    /// Lists all staged and kept objects.
    ///
    /// # Errors
    /// If the disk fails.
    fn list_staged(&self) -> Result<Vec<ObjectId>>;

    /// Moves a staged and kept object that nothing mentions into quarantine; returns false if there was none. `since`
    /// is the time of the move, in seconds since 1970.
    ///
    /// # Errors
    /// If the disk fails.
    fn set_staged_aside(&self, id: ObjectId, since: i64) -> Result<bool>;

    /// Returns the reason if no object can be written now. Tries a write if the last operation failed.
    fn failure(&self) -> Option<Failure>;
}

/// An object that is being written. Dropped unpublished, it is gone, unless it is kept.
pub trait Staged: Send {
    /// The id that it will have.
    fn id(&self) -> ObjectId;

    /// Writes `bytes` behind what was written so far.
    ///
    /// # Errors
    /// If the disk fails or has no room to spare. A part of the bytes may be written: the object can only be dropped.
    fn append(&mut self, bytes: &[u8]) -> Result<()>;

    /// Makes durable what was written so far.
    ///
    /// # Errors
    /// If the disk fails.
    fn sync(&self) -> Result<()>;

    /// From now on it is still there when it is dropped, until it is [discarded](Objects::discard).
    ///
    /// # Errors
    /// If the disk fails.
    fn keep(&mut self) -> Result<()>;

    /// Makes the object durable and visible under its id.
    ///
    /// # Errors
    /// If the disk fails.
    fn publish(self: Box<Self>) -> Result<()>;
}

/// A published object, open for reading.
#[expect(
    clippy::len_without_is_empty,
    reason = "no object is empty: each has a header"
)]
pub trait Object: Send + Sync {
    /// The length in bytes.
    fn len(&self) -> u64;

    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    /// If the object ends before the buffer is full.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()>;
}

/// Publishes a small object in one step.
///
/// # Errors
/// If the disk fails or has no room to spare.
pub fn publish(objects: &dyn Objects, bytes: &[u8]) -> Result<ObjectId> {
    let mut staged = objects.stage()?;
    staged.append(bytes)?;
    let id = staged.id();
    staged.publish()?;
    Ok(id)
}

/// Reads a small object whole, if there is one.
///
/// # Errors
/// If the disk fails.
pub fn read(objects: &dyn Objects, id: ObjectId) -> Result<Option<Vec<u8>>> {
    let Some(object) = objects.open(id)? else {
        return Ok(None);
    };
    let mut bytes = vec![0; usize::try_from(object.len()).unwrap_or(usize::MAX)];
    object.read_at(0, &mut bytes)?;
    Ok(Some(bytes))
}
