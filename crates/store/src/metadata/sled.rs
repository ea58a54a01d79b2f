//! The engine sled.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use fs_err as fs;

use super::{
    Items, KeyRange,
    engine::{Engine, Records, Snapshot},
};
use crate::{Error, Result, disk};

/// The size of the cache, in bytes.
const CACHE_BYTES: u64 = 32 * 1024 * 1024;

/// The time that sled gets to release the lock of a dropped database.
const RELEASE_LIMIT: Duration = Duration::from_secs(10);

/// The interval at which a locked database is tried again.
const RELEASE_INTERVAL: Duration = Duration::from_millis(10);

struct Sled {
    db: sled::Db,
    path: PathBuf,
    /// The directory of an inspected copy. It is removed after the database is dropped.
    _copy: Option<tempfile::TempDir>,
}

/// Opens the database in the directory `path`.
pub(super) fn open(path: &Path) -> Result<Box<dyn Engine>> {
    remove_unfinished_snapshots(path)?;
    Ok(Box::new(Sled::open(path)?))
}

/// Opens a copy of the database in the directory `path`, for inspection.
pub(super) fn open_for_inspection(path: &Path) -> Result<Box<dyn Engine>> {
    let dir = tempfile::tempdir()?;
    let copy = dir.path().join("records.sled");
    copy_dir(path, &copy)?;
    remove_unfinished_snapshots(&copy)?;
    if !copy.join("db").exists() {
        return Err(Error::damaged_file(path, "its file 'db' is missing"));
    }
    let sled = Sled::open(&copy)?;
    Ok(Box::new(Sled {
        _copy: Some(dir),
        ..sled
    }))
}

fn copy_dir(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &copy)?;
        } else {
            fs::copy(entry.path(), copy)?;
        }
    }
    Ok(())
}

pub(super) fn create(
    path: &Path,
    fill: &mut dyn FnMut(&mut dyn Records) -> Result<bool>,
) -> Result<Box<dyn Engine>> {
    let unfinished = disk::unfinished(path);
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    let mut engine = Sled::open(&unfinished)?;
    engine.write(fill)?;
    engine.checkpoint()?;
    drop(engine);
    fs::rename(&unfinished, path)?;
    fs::File::open(disk::parent(path))?.sync_all()?;
    Ok(Box::new(Sled::open(path)?))
}

/// Removes snapshots that a kill left half written. sled takes such a snapshot for its newest and then fails to open.
fn remove_unfinished_snapshots(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "generating") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

impl Sled {
    fn open(path: &Path) -> Result<Self> {
        let config = sled::Config::new()
            .path(path)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None);
        let deadline = Instant::now() + RELEASE_LIMIT;
        let db = loop {
            match config.open() {
                Err(error) if is_locked(&error) && Instant::now() < deadline => {
                    thread::sleep(RELEASE_INTERVAL);
                }
                opened => break opened.map_err(|error| convert(path, error))?,
            }
        };
        Ok(Self {
            db,
            path: path.to_owned(),
            _copy: None,
        })
    }
}

/// Returns true if the database's file is locked. A thread of sled's releases the lock of a database some time after it
/// was dropped. No other process holds it, because the data directory has a lock of its own.
fn is_locked(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(error) if error.to_string().starts_with("could not acquire lock"))
}

fn convert(path: &Path, error: sled::Error) -> Error {
    match error {
        sled::Error::Io(error) => Error::Io(error),
        error => Error::damaged_file(path, error.to_string()),
    }
}

impl Engine for Sled {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>> {
        Ok(Arc::new(Reading {
            db: self.db.clone(),
            path: self.path.clone(),
        }))
    }

    fn write(&mut self, work: &mut dyn FnMut(&mut dyn Records) -> Result<bool>) -> Result<()> {
        let mut writing = Writing {
            sled: self,
            changes: BTreeMap::new(),
        };
        if !work(&mut writing)? {
            return Ok(());
        }
        let mut batch = sled::Batch::default();
        for (key, value) in writing.changes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        let applied = self.db.apply_batch(batch);
        applied.map_err(|error| convert(&self.path, error))
    }

    /// Flushes the database and syncs its files. On its own, sled flushes with `sync_file_range`, which is no barrier,
    /// and never syncs its file `conf`.
    fn checkpoint(&mut self) -> Result<()> {
        let flushed = self.db.flush();
        flushed.map_err(|error| convert(&self.path, error))?;
        for file in ["db", "conf"] {
            fs::File::open(self.path.join(file))?.sync_data()?;
        }
        Ok(fs::File::open(&self.path)?.sync_all()?)
    }
}

/// A growing batch of changes, over the records of the database.
struct Writing<'a> {
    sled: &'a Sled,
    changes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Writing<'_> {
    fn change(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<Option<Vec<u8>>> {
        let replaced = self.get(key)?;
        let value = value.map(<[u8]>::to_vec);
        self.changes.insert(key.to_vec(), value);
        Ok(replaced)
    }
}

impl Records for Writing<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        if let Some(changed) = self.changes.get(key) {
            return Ok(changed.clone());
        }
        let found = self.sled.db.get(key);
        let found = found.map_err(|error| convert(&self.sled.path, error))?;
        Ok(found.map(|value| value.to_vec()))
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<Option<Vec<u8>>> {
        self.change(key, Some(value))
    }

    fn delete(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.change(key, None)
    }
}

struct Reading {
    db: sled::Db,
    path: PathBuf,
}

impl Snapshot for Reading {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let found = self.db.get(key);
        let found = found.map_err(|error| convert(&self.path, error))?;
        Ok(found.map(|value| value.to_vec()))
    }

    fn range(&self, range: KeyRange<'_>) -> Items {
        let path = self.path.clone();
        let items = self.db.range::<&[u8], _>(range.bounds());
        Box::new(range.direction.of(items).map(move |item| {
            let (key, value) = item.map_err(|error| convert(&path, error))?;
            Ok((key.to_vec(), value.to_vec()))
        }))
    }

    fn is_frozen(&self) -> bool {
        false
    }
}
