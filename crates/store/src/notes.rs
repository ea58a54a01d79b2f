//! Notes: small files, each of which is replaced as a whole.
//!
//! A note outlives the process, however that ends. A loss of power it outlives only by chance, unless its set is
//! durable: it may then be missing, an earlier one, or torn. Who reads it must be able to tell. All of
//! this blocks; callers in async code use `spawn_blocking`.

mod files;
mod memory;

use uuid::Uuid;

pub use self::{files::NoteFiles, memory::MemoryNotes};
use crate::Result;

/// Whether a note is there after a loss of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// By chance.
    Process,
    /// It is.
    Power,
}

/// A set of notes. `tests/behaviour` holds what every implementation must do.
pub trait Notes: Send + Sync + 'static {
    /// Writes the note `id`, in place of what it said before. One at a time for each note.
    ///
    /// # Errors
    /// If the disk fails: the note says then what it said before, or what it was to say.
    fn put(&self, id: Uuid, bytes: &[u8]) -> Result<()>;

    /// The note `id`, if there is one.
    ///
    /// # Errors
    /// If the disk fails.
    fn get(&self, id: Uuid) -> Result<Option<Vec<u8>>>;

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

    /// Moves a note that cannot be read into quarantine, where it is `since` a time in seconds since 1970; false
    /// if there was none.
    ///
    /// # Errors
    /// If the disk fails.
    fn set_aside(&self, id: Uuid, since: i64) -> Result<bool>;
}
