//! Objects: immutable files under random ids.
//!
//! An object is staged, written, then published: synced and moved to its place in one step. What is
//! staged is gone with who writes it, unless it is [kept](Staged::keep), to be read by the next process.
//! All of this blocks; callers in async code use `spawn_blocking`.

mod files;
mod memory;

use std::sync::Arc;

use sealock_core::ObjectId;

pub use self::{files::ObjectFiles, memory::MemoryObjects};
use crate::Result;

/// A set of objects. `tests/behaviour` holds what every implementation must do.
pub trait Objects: Send + Sync + 'static {
    /// Begins a new object.
    fn stage(&self) -> Result<Box<dyn Staged>>;

    /// The published object `id`, if there is one.
    fn open(&self, id: ObjectId) -> Result<Option<Arc<dyn Object>>>;

    /// Removes a published object; false if there was none. Whoever has it open can go on reading.
    fn remove(&self, id: ObjectId) -> Result<bool>;

    /// All published objects.
    fn list(&self) -> Result<Vec<ObjectId>>;

    /// What was written so far of the object `id`, which was staged and kept, if there is any.
    fn open_staged(&self, id: ObjectId) -> Result<Option<Arc<dyn Object>>>;

    /// Removes an object that was staged and kept, once nobody writes it any more; false if there was
    /// none.
    fn discard(&self, id: ObjectId) -> Result<bool>;

    /// All objects that are staged. Some may be of a process that ended while it wrote them.
    fn list_staged(&self) -> Result<Vec<ObjectId>>;
}

/// An object that is being written. Dropped unpublished, it is gone, unless it is kept.
pub trait Staged: Send {
    /// The id that it will have.
    fn id(&self) -> ObjectId;

    /// Writes `bytes` at `offset`.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()>;

    /// Makes durable what was written so far.
    fn sync(&self) -> Result<()>;

    /// From now on it is still there when it is dropped, until it is [discarded](Objects::discard).
    fn keep(&mut self);

    /// Makes the object durable and visible under its id.
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
pub fn publish(objects: &dyn Objects, bytes: &[u8]) -> Result<ObjectId> {
    let mut staged = objects.stage()?;
    staged.write_at(0, bytes)?;
    let id = staged.id();
    staged.publish()?;
    Ok(id)
}

/// Reads a small object whole, if there is one.
pub fn read(objects: &dyn Objects, id: ObjectId) -> Result<Option<Vec<u8>>> {
    let Some(object) = objects.open(id)? else {
        return Ok(None);
    };
    let mut bytes = vec![0; usize::try_from(object.len()).unwrap_or(usize::MAX)];
    object.read_at(0, &mut bytes)?;
    Ok(Some(bytes))
}
