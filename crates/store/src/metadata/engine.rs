//! The interface to an embedded database, whose library may panic over a damaged file.

use std::{
    any::Any,
    cell::Cell,
    panic::{self, AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Once},
};

use super::{Items, KeyRange};
use crate::{Error, Result};

/// An embedded database. A crash may undo the writes since the last checkpoint, but none before it.
pub(crate) trait Engine: Send {
    /// Returns the current records. A frozen snapshot does not show later writes.
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>>;

    /// Runs `work`. Its writes become visible together if it returns true, and not at all otherwise.
    fn write(&mut self, work: &mut dyn FnMut(&mut dyn Records) -> Result<bool>) -> Result<()>;

    /// Makes all writes so far durable.
    fn checkpoint(&mut self) -> Result<()>;

    /// Discards the writes since the last checkpoint. The database must be reopened before it is used again.
    fn abandon_writes(&mut self) {}

    /// Returns true if the database has failed and must be reopened.
    fn needs_reopening(&self) -> bool {
        false
    }

    /// Reopens the database as of the last checkpoint.
    fn reopen(&mut self) -> Result<()> {
        Ok(())
    }
}

/// The records, during a write.
pub(crate) trait Records {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Writes a record and returns its former value.
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Deletes a record and returns its former value.
    fn delete(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>>;
}

/// The records, for reading.
pub(crate) trait Snapshot: Send + Sync {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    fn range(&self, range: KeyRange<'_>) -> Items;

    /// Returns true if the snapshot does not show later writes.
    fn is_frozen(&self) -> bool;
}

thread_local! {
    /// True while this thread runs in [`catch_panic`].
    static IS_CATCHING: Cell<bool> = const { Cell::new(false) };
}

/// Silences the message of a panic that [`catch_panic`] catches. The error carries it.
fn silence_caught_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !IS_CATCHING.get() {
                previous(panic);
            }
        }));
    });
}

/// Runs work in which the library of a database may panic over a damaged file. Turns a panic into an error.
pub(crate) fn catch_panic<T>(file: &Path, work: impl FnOnce() -> Result<T>) -> Result<T> {
    silence_caught_panics();
    let was_catching = IS_CATCHING.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    IS_CATCHING.set(was_catching);
    done.unwrap_or_else(|panic| {
        let why = format!("the library of the database failed: {}", message(&*panic));
        Err(Error::damaged_file(file, why))
    })
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it gave no reason")
}

/// A snapshot whose panics become errors.
pub(crate) struct GuardedSnapshot {
    pub(crate) snapshot: Arc<dyn Snapshot>,
    pub(crate) file: PathBuf,
}

impl GuardedSnapshot {
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        catch_panic(&self.file, || self.snapshot.get(key))
    }

    pub(crate) fn range(&self, range: KeyRange<'_>) -> Items {
        let items = catch_panic(&self.file, || Ok(self.snapshot.range(range)));
        let mut items = match items {
            Ok(items) => items,
            Err(error) => return Box::new(std::iter::once(Err(error))),
        };
        let file = self.file.clone();
        let mut is_done = false;
        Box::new(std::iter::from_fn(move || {
            if is_done {
                return None;
            }
            let item = catch_panic(&file, || items.next().transpose()).transpose();
            is_done = !matches!(item, Some(Ok(_)));
            item
        }))
    }
}
