//! Notes: small files that are replaced as a whole.
//!
//! A note survives the end of its process, even a kill. Only a set with [`Durability::Power`] guarantees that its notes
//! survive a power cut; other notes may then be missing, outdated or torn, and their readers must detect that. All
//! functions block; async code calls them through `spawn_blocking`.

mod files;
mod memory;

use uuid::Uuid;

pub use self::{files::NoteFiles, memory::MemoryNotes};
use crate::Result;

/// The event that the notes of a set are guaranteed to survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process.
    Process,
    /// A power cut.
    Power,
}

/// A set of notes. The suite in `tests/behaviour` tests every implementation.
pub trait Notes: Send + Sync + 'static {
    /// Writes the note `id`, replacing its content. Callers must not write the same note concurrently.
    ///
    /// # Errors
    /// If the disk fails: the note has either its old or its new content.
    fn put(&self, id: Uuid, bytes: &[u8]) -> Result<()>;

    /// Returns the content of the note `id`; `None` if it is missing.
    ///
    /// # Errors
    /// If the disk fails.
    fn get(&self, id: Uuid) -> Result<Option<Vec<u8>>>;

    /// Returns the first `limit` bytes of the note `id`, or all of a shorter note; `None` if it is missing.
    ///
    /// # Errors
    /// If the disk fails.
    fn get_start(&self, id: Uuid, limit: usize) -> Result<Option<Vec<u8>>>;

    /// Removes a note; returns false if it is missing.
    ///
    /// # Errors
    /// If the disk fails.
    fn remove(&self, id: Uuid) -> Result<bool>;

    /// Lists all notes.
    ///
    /// # Errors
    /// If the disk fails.
    fn list(&self) -> Result<Vec<Uuid>>;

    /// Moves an unreadable note into quarantine; returns false if it is missing. `since` is the current time, in
    /// seconds since 1970.
    ///
    /// # Errors
    /// If the disk fails.
    fn quarantine(&self, id: Uuid, since: i64) -> Result<bool>;
}
