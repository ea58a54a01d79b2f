use std::{
    any::Any,
    cell::Cell,
    fmt,
    ops::Bound,
    panic::{self, AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Arc, Once},
};

use super::Items;
use crate::{Error, Result, disk::Disk};

/// The embedded database that holds the records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineKind {
    /// redb 4: one file.
    #[default]
    Redb,
    /// sled 0.34: a directory of files.
    Sled,
}

/// An embedded database. It may lose writes since the last checkpoint, but none before it.
pub(crate) trait Engine: Send {
    /// Returns the records as they are now. Later writes do not show in a frozen snapshot.
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>>;

    /// Carries out `work`. Its writes become visible together if it returns true, and not at all otherwise.
    fn write(&mut self, work: &mut dyn FnMut(&mut dyn Records) -> Result<bool>) -> Result<()>;

    /// Makes all writes so far durable.
    fn checkpoint(&mut self) -> Result<()>;

    /// Gives up the writes since the last checkpoint. The database needs to be opened anew before it is used again.
    fn give_up(&mut self) {}

    /// Returns true if the database has failed and does nothing before it is opened anew.
    fn needs_reopening(&self) -> bool {
        false
    }

    /// Opens the database anew, as it was at the last checkpoint.
    fn reopen(&mut self) -> Result<()> {
        Ok(())
    }
}

/// The records within one write.
pub(crate) trait Records {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Writes a record and returns the one that it replaces.
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Removes a record and returns it.
    fn delete(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>>;
}

/// Records that can be read.
pub(crate) trait Snapshot: Send + Sync {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    fn range(&self, start: Bound<&[u8]>, end: Bound<&[u8]>) -> Items;

    /// Returns true if later writes do not show in the snapshot.
    fn is_frozen(&self) -> bool;
}

impl EngineKind {
    pub(crate) const ALL: [Self; 2] = [Self::Redb, Self::Sled];

    /// Returns the engine's name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redb => "redb",
            Self::Sled => "sled",
        }
    }

    /// Returns the name of the engine's file or directory.
    pub(crate) fn file_name(self) -> &'static str {
        match self {
            Self::Redb => "records.redb",
            Self::Sled => "records.sled",
        }
    }

    /// Opens the database at `path`, which must exist.
    pub(crate) fn open(self, disk: &Arc<dyn Disk>, path: &Path) -> Result<Box<dyn Engine>> {
        guard(path, || match self {
            Self::Redb => super::redb::open(disk, path),
            Self::Sled => super::sled::open(path),
        })
    }

    /// Opens the database at `path` to look at it, and changes nothing on disk. With `check`, its library compares
    /// everything with its checksums, if it has any.
    pub(crate) fn open_aside(
        self,
        disk: &Arc<dyn Disk>,
        path: &Path,
        check: bool,
    ) -> Result<Box<dyn Engine>> {
        guard(path, || match self {
            Self::Redb => super::redb::open_aside(disk, path, check),
            Self::Sled => super::sled::open_aside(path),
        })
    }

    /// Makes an empty database at `path`, lets `fill` write its first records, and makes it durable. A crash on the
    /// way leaves no database.
    pub(crate) fn create(
        self,
        disk: &Arc<dyn Disk>,
        path: &Path,
        fill: &mut dyn FnMut(&mut dyn Records) -> Result<bool>,
    ) -> Result<Box<dyn Engine>> {
        guard(path, || match self {
            Self::Redb => super::redb::create(disk, path, fill),
            Self::Sled => super::sled::create(path, fill),
        })
    }
}

impl FromStr for EngineKind {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "redb" => Ok(Self::Redb),
            "sled" => Ok(Self::Sled),
            _ => Err(format!("'{text}' is not an engine; expected redb or sled")),
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

thread_local! {
    /// True while a panic of this thread would be reported as damage.
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Silences the panic message of a panic that is caught here. The error carries it.
fn silence_guarded_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !IS_GUARDED.get() {
                others(panic);
            }
        }));
    });
}

/// Carries out work in which a database's library may panic over a damaged file. A panic becomes an error.
pub(crate) fn guard<T>(file: &Path, work: impl FnOnce() -> Result<T>) -> Result<T> {
    silence_guarded_panics();
    let was_guarded = IS_GUARDED.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    IS_GUARDED.set(was_guarded);
    done.unwrap_or_else(|panic| {
        let why = format!("the database's library gave up: {}", message(&*panic));
        Err(Error::damaged_file(file, why))
    })
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it does not say why")
}

/// Reads a snapshot without letting a panic out.
pub(crate) struct Guarded {
    pub(crate) snapshot: Arc<dyn Snapshot>,
    pub(crate) file: PathBuf,
}

impl Guarded {
    pub(crate) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        guard(&self.file, || self.snapshot.get(key))
    }

    pub(crate) fn range(&self, start: Bound<&[u8]>, end: Bound<&[u8]>) -> Items {
        let range = guard(&self.file, || Ok(self.snapshot.range(start, end)));
        let mut items = match range {
            Ok(items) => items,
            Err(error) => return Box::new(std::iter::once(Err(error))),
        };
        let file = self.file.clone();
        let mut is_over = false;
        Box::new(std::iter::from_fn(move || {
            if is_over {
                return None;
            }
            let item = guard(&file, || items.next().transpose()).transpose();
            is_over = !matches!(item, Some(Ok(_)));
            item
        }))
    }
}
