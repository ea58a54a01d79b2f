//! Notes: small files, each of which is replaced as a whole.
//!
//! A note outlives the process, however that ends. A loss of power it outlives only by chance: nothing is
//! synced, so it may then be missing, an earlier one, or torn. Who reads it must be able to tell. All of
//! this blocks; callers in async code use `spawn_blocking`.

mod files;
mod memory;

use uuid::Uuid;

pub use self::{files::NoteFiles, memory::MemoryNotes};
use crate::Result;

/// A set of notes. `tests/behaviour` holds what every implementation must do.
pub trait Notes: Send + Sync + 'static {
    /// Writes the note `id`, in place of what it said before. One at a time for each note.
    ///
    /// # Errors
    /// If the disk fails: the note says then what it said before.
    fn put(&self, id: Uuid, bytes: &[u8]) -> Result<()>;

    /// The note `id`, if there is one.
    fn get(&self, id: Uuid) -> Result<Option<Vec<u8>>>;

    /// Removes a note; false if there was none.
    fn remove(&self, id: Uuid) -> Result<bool>;

    /// All notes.
    fn list(&self) -> Result<Vec<Uuid>>;
}
