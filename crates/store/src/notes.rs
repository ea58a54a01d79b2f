//! Notes: small files, each of which is replaced as a whole.
//!
//! A note survives the end of its process, even a kill. It survives a loss of power for certain only if its set is
//! durable. Otherwise it may be missing, old or torn, and its reader must be able to tell. All of this blocks;
//! callers in async code use `spawn_blocking`.

mod files;
mod memory;

use uuid::Uuid;

pub use self::{files::NoteFiles, memory::MemoryNotes};
use crate::Result;

/// The durability of the notes of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// A note survives the end of the process for certain, but a loss of power only by chance.
    Process,
    /// A note survives a loss of power.
    Power,
}

/// A set of notes. `tests/behaviour` holds what every implementation must do.
pub trait Notes: Send + Sync + 'static {
    /// Writes the note `id`, in place of what it said before. One at a time for each note.
    ///
    /// # Errors
    /// If the disk fails: the note then has its old or its new content.
    fn put(&self, id: Uuid, bytes: &[u8]) -> Result<()>;

    /// The note `id`, if there is one.
    ///
    /// # Errors
    /// If the disk fails.
    fn get(&self, id: Uuid) -> Result<Option<Vec<u8>>>;

    /// The first `limit` bytes of the note `id`, or all of a shorter one, if there is one.
    ///
    /// # Errors
    /// If the disk fails.
    fn get_start(&self, id: Uuid, limit: usize) -> Result<Option<Vec<u8>>>;

    /// Removes a note; false if there was none.
    ///
    /// # Errors
    /// If the disk fails.
    fn remove(&self, id: Uuid) -> Result<bool>;

    /// All notes.
    ///
    /// # Errors
    /// If the disk fails.
    fn list(&self) -> Result<Vec<Uuid>>;

    /// Moves an unreadable note into quarantine; returns false if there was none. `since` is the time of the move, in
    /// seconds since 1970.
    ///
    /// # Errors
    /// If the disk fails.
    fn set_aside(&self, id: Uuid, since: i64) -> Result<bool>;
}
