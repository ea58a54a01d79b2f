//! Objects: immutable files under random ids.
//!
//! An object is staged, written front to back, and published: synced and made visible in one step. A staged object is
//! removed when its writer is dropped, unless it is [retained](Staged::retain) for the next process. All functions
//! block; async code calls them through `spawn_blocking`.

mod files;
mod memory;

use std::sync::Arc;

use sealock_core::ObjectId;

pub use self::{files::ObjectFiles, memory::MemoryObjects};
use crate::{Result, metadata::Failure};

/// A set of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectSet {
    /// The content of registries.
    Blobs,
    /// The vault's private keys, sealed, and the keys that seal them.
    VaultKeys,
}

impl ObjectSet {
    /// Returns the name of the set's directory.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blobs => "blobs",
            Self::VaultKeys => "vault-keys",
        }
    }
}

/// The objects of a set. The suite in `tests/behaviour` tests every implementation.
pub trait Objects: Send + Sync + 'static {
    /// Starts a new object.
    ///
    /// # Errors
    /// If the disk fails or is almost full.
    fn stage(&self) -> Result<Box<dyn Staged>>;

    /// Opens a published object; returns `None` if it is missing.
    ///
    /// # Errors
    /// If the disk fails.
    fn open(&self, id: ObjectId) -> Result<Option<Arc<dyn Object>>>;

    /// Removes a published object; returns false if it is missing. Open handles remain readable.
    ///
    /// # Errors
    /// If the disk fails.
    fn remove(&self, id: ObjectId) -> Result<bool>;

    /// Lists all published objects.
    ///
    /// # Errors
    /// If the disk fails.
    fn list(&self) -> Result<Vec<ObjectId>>;

    /// Moves a published object that no record mentions into quarantine; returns false if it is missing. `since` is the
    /// current time, in seconds since 1970.
    ///
    /// # Errors
    /// If the disk fails.
    fn quarantine(&self, id: ObjectId, since: i64) -> Result<bool>;

    /// Turns a published object back into a retained staged object; returns false if it is missing. For an object that
    /// a process published just before its end.
    ///
    /// # Errors
    /// If the disk fails.
    fn unpublish(&self, id: ObjectId) -> Result<bool>;

    /// Opens a retained staged object, as far as it is written; returns `None` if it is missing.
    ///
    /// # Errors
    /// If the disk fails.
    fn open_staged(&self, id: ObjectId) -> Result<Option<Arc<dyn Object>>>;

    /// Removes a retained staged object that no one writes any more; returns false if it is missing.
    ///
    /// # Errors
    /// If the disk fails.
    fn discard(&self, id: ObjectId) -> Result<bool>;

    /// Lists all retained staged objects.
    ///
    /// # Errors
    /// If the disk fails.
    fn list_staged(&self) -> Result<Vec<ObjectId>>;

    /// Moves a retained staged object that no record mentions into quarantine; returns false if it is missing. `since`
    /// is the current time, in seconds since 1970.
    ///
    /// # Errors
    /// If the disk fails.
    fn quarantine_staged(&self, id: ObjectId, since: i64) -> Result<bool>;

    /// Returns the reason why no object can be written now, if there is one. Tries a write if the last operation
    /// failed.
    fn failure(&self) -> Option<Failure>;
}

/// An object that is being written. A drop removes it, unless it is published or retained.
pub trait Staged: Send {
    /// Returns the id of the object.
    fn id(&self) -> ObjectId;

    /// Appends `bytes`.
    ///
    /// # Errors
    /// If the disk fails or is almost full. Some of the bytes may be written, so the object can only be dropped.
    fn append(&mut self, bytes: &[u8]) -> Result<()>;

    /// Makes the written bytes durable.
    ///
    /// # Errors
    /// If the disk fails.
    fn sync(&self) -> Result<()>;

    /// Lets the object outlive its writer, until it is published or [discarded](Objects::discard).
    ///
    /// # Errors
    /// If the disk fails.
    fn retain(&mut self) -> Result<()>;

    /// Makes the object durable and visible under its id.
    ///
    /// # Errors
    /// If the disk fails.
    fn publish(self: Box<Self>) -> Result<()>;
}

/// An object that is open for reading.
#[expect(
    clippy::len_without_is_empty,
    reason = "every object has a header, so none is empty"
)]
pub trait Object: Send + Sync {
    /// Returns the length in bytes.
    fn len(&self) -> u64;

    /// Fills `buffer` with the bytes from `offset` on.
    ///
    /// # Errors
    /// If the object ends before the buffer is full.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()>;
}

/// Publishes a small object in one step.
///
/// # Errors
/// If the disk fails or is almost full.
pub fn publish(objects: &dyn Objects, bytes: &[u8]) -> Result<ObjectId> {
    let mut staged = objects.stage()?;
    staged.append(bytes)?;
    let id = staged.id();
    staged.publish()?;
    Ok(id)
}

/// Reads a small object completely; returns `None` if it is missing.
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
