use std::{
    collections::BTreeMap,
    fmt, io,
    ops::Bound,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use redb::{
    Builder, Database, Durability, ReadOnlyTable, ReadableDatabase as _, ReadableTable as _,
    StorageBackend, Table, TableDefinition,
};

use super::{
    Items,
    engine::{Engine, Records, Snapshot},
};
use crate::{
    Error, Result,
    disk::{self, Access, Disk, DiskFile},
};

const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

/// How much of the file is kept in memory.
const CACHE_BYTES: usize = 32 * 1024 * 1024;

/// What is held back of writes while the disk fails is kept in blocks of this size.
const BLOCK: usize = 4096;

/// How much room there must be beside a copy of the file.
const ROOM_BESIDE_COPY: u64 = 1024 * 1024;

/// How much is copied at once.
const COPY_BYTES: usize = 1024 * 1024;

struct Redb {
    db: Database,
    file: Arc<File>,
}

/// Opens the database at `path`.
pub(super) fn open(disk: &Arc<dyn Disk>, path: &Path) -> Result<Box<dyn Engine>> {
    let opened = disk.open(path, Access::Write)?;
    let file = Arc::new(File::new(disk, path, opened));
    Ok(Box::new(Redb::open(file)?))
}

pub(super) fn create(
    disk: &Arc<dyn Disk>,
    path: &Path,
    fill: &mut dyn FnMut(&mut dyn Records) -> Result<bool>,
) -> Result<Box<dyn Engine>> {
    let unfinished = disk::unfinished(path);
    disk::remove_if_present(&**disk, &unfinished)?;
    let created = disk.create(&unfinished)?;
    let file = Arc::new(File::new(disk, path, created));
    let mut engine = Redb::open(file)?;
    engine.write(fill)?;
    engine.checkpoint()?;
    disk.rename(&unfinished, path)?;
    disk.sync_dir(disk::parent(path))?;
    Ok(Box::new(engine))
}

impl Redb {
    fn open(file: Arc<File>) -> Result<Self> {
        let db = Builder::new()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(Backend(Arc::clone(&file)))
            .map_err(|error| file.error(error))?;
        Ok(Self { db, file })
    }

    fn commit(
        &mut self,
        durability: Durability,
        work: &mut dyn FnMut(&mut dyn Records) -> Result<bool>,
    ) -> Result<()> {
        let file = &self.file;
        let mut write = self.db.begin_write().map_err(|error| file.error(error))?;
        write
            .set_durability(durability)
            .map_err(|error| file.error(error))?;
        // Has the database open at once after a kill, since the commit that is found is whole.
        write.set_quick_repair(matches!(durability, Durability::Immediate));
        let is_wanted = {
            let table = write.open_table(RECORDS);
            let table = table.map_err(|error| file.error(error))?;
            work(&mut Writing { table, file })?
        };
        if is_wanted {
            write.commit().map_err(|error| file.error(error))
        } else {
            write.abort().map_err(|error| file.error(error))
        }
    }
}

impl Engine for Redb {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>> {
        let file = &self.file;
        let read = self.db.begin_read().map_err(|error| file.error(error))?;
        let table = read.open_table(RECORDS);
        Ok(Arc::new(Reading {
            table: table.map_err(|error| file.error(error))?,
            file: Arc::clone(file),
        }))
    }

    fn write(&mut self, work: &mut dyn FnMut(&mut dyn Records) -> Result<bool>) -> Result<()> {
        self.commit(Durability::None, work)
    }

    fn checkpoint(&mut self) -> Result<()> {
        self.file.thaw()?;
        self.commit(Durability::Immediate, &mut |_| Ok(true))?;
        self.file.check()
    }
}

struct Writing<'a> {
    table: Table<'a, &'static [u8], &'static [u8]>,
    file: &'a File,
}

impl Records for Writing<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let found = self.table.get(key);
        let found = found.map_err(|error| self.file.error(error))?;
        Ok(found.map(|value| value.value().to_vec()))
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<Option<Vec<u8>>> {
        let replaced = self.table.insert(key, value);
        let replaced = replaced.map_err(|error| self.file.error(error))?;
        Ok(replaced.map(|value| value.value().to_vec()))
    }

    fn delete(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let removed = self.table.remove(key);
        let removed = removed.map_err(|error| self.file.error(error))?;
        Ok(removed.map(|value| value.value().to_vec()))
    }
}

struct Reading {
    table: ReadOnlyTable<&'static [u8], &'static [u8]>,
    file: Arc<File>,
}

impl Snapshot for Reading {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let found = self.table.get(key);
        let found = found.map_err(|error| self.file.error(error))?;
        Ok(found.map(|value| value.value().to_vec()))
    }

    fn range(&self, start: Bound<&[u8]>, end: Bound<&[u8]>) -> Items<'static> {
        let file = Arc::clone(&self.file);
        match self.table.range::<&[u8]>((start, end)) {
            Ok(range) => Box::new(range.map(move |item| {
                let (key, value) = item.map_err(|error| file.error(error))?;
                Ok((key.value().to_vec(), value.value().to_vec()))
            })),
            Err(error) => Box::new(std::iter::once(Err(file.error(error)))),
        }
    }

    fn is_frozen(&self) -> bool {
        true
    }
}

/// The database's file. Once a write or a sync has failed, it leaves the file as it is and holds what comes
/// in memory: the database can be read on, and on disk it stays what it was at the last checkpoint, from
/// where the commit log leads on.
struct File {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    state: RwLock<State>,
}

struct State {
    file: Arc<dyn DiskFile>,
    held: Option<Held>,
}

/// What was not written.
struct Held {
    blocks: BTreeMap<u64, Vec<u8>>,
    length: u64,
    failure: io::Error,
}

impl File {
    fn new(disk: &Arc<dyn Disk>, path: &Path, file: Arc<dyn DiskFile>) -> Self {
        Self {
            disk: Arc::clone(disk),
            path: path.to_owned(),
            state: RwLock::new(State { file, held: None }),
        }
    }

    fn read_state<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write_state<T>(&self, write: impl FnOnce(&mut State) -> T) -> T {
        write(&mut self.state.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn error(&self, error: impl Into<redb::Error>) -> Error {
        match error.into() {
            redb::Error::Io(error) => Error::Io(error),
            error => Error::damaged_file(&self.path, error),
        }
    }

    /// Fails if something is held back.
    fn check(&self) -> Result<()> {
        self.read_state(|state| match &state.held {
            Some(held) => Err(Error::Io(io::Error::new(
                held.failure.kind(),
                held.failure.to_string(),
            ))),
            None => Ok(()),
        })
    }

    /// Goes on in a new file, if something is held back. After a sync that failed, nothing says what the old
    /// one holds.
    fn thaw(&self) -> Result<()> {
        self.write_state(|state| {
            let Some(held) = &state.held else {
                return Ok(());
            };
            let length = held.length;
            let dir = disk::parent(&self.path);
            if self.disk.free_bytes(dir)? < length + ROOM_BESIDE_COPY {
                let what = format!(
                    "cannot write `{}` anew: that takes {length} bytes",
                    self.path.display()
                );
                return Err(io::Error::new(io::ErrorKind::StorageFull, what).into());
            }
            let unfinished = disk::unfinished(&self.path);
            disk::remove_if_present(&*self.disk, &unfinished)?;
            let copied = self.disk.create(&unfinished).and_then(|file| {
                let mut offset = 0;
                while offset < length {
                    let bytes = (length - offset).min(COPY_BYTES as u64);
                    let mut buffer = vec![0; usize::try_from(bytes).unwrap_or(COPY_BYTES)];
                    state.read(offset, &mut buffer)?;
                    file.write_at(offset, &buffer)?;
                    offset += bytes;
                }
                file.sync()?;
                self.disk.rename(&unfinished, &self.path)?;
                self.disk.sync_dir(dir)?;
                Ok(file)
            });
            match copied {
                Ok(file) => {
                    *state = State { file, held: None };
                    Ok(())
                }
                Err(error) => {
                    let _ = disk::remove_if_present(&*self.disk, &unfinished);
                    Err(error.into())
                }
            }
        })
    }
}

impl State {
    fn length(&self) -> io::Result<u64> {
        match &self.held {
            Some(held) => Ok(held.length),
            None => self.file.len(),
        }
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let Some(held) = &self.held else {
            return self.file.read_at(offset, buffer);
        };
        let on_disk = self.file.len()?.saturating_sub(offset);
        let on_disk = usize::try_from(on_disk)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        self.file.read_at(offset, &mut buffer[..on_disk])?;
        buffer[on_disk..].fill(0);
        for (block, from, part) in blocks(offset, buffer.len()) {
            if let Some(bytes) = held.blocks.get(&block) {
                let length = part.len();
                buffer[part].copy_from_slice(&bytes[from..from + length]);
            }
        }
        Ok(())
    }

    /// Holds a write back.
    fn hold(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        for (block, from, part) in blocks(offset, bytes.len()) {
            let mut whole = vec![0; BLOCK];
            let begins = block * BLOCK as u64;
            if part.len() < BLOCK && begins < self.length()? {
                let there = self.length()?.saturating_sub(begins).min(BLOCK as u64);
                let there = usize::try_from(there).unwrap_or(BLOCK);
                self.read(begins, &mut whole[..there])?;
            }
            whole[from..from + part.len()].copy_from_slice(&bytes[part]);
            if let Some(held) = &mut self.held {
                held.blocks.insert(block, whole);
                held.length = held.length.max(offset + bytes.len() as u64);
            }
        }
        Ok(())
    }

    /// Holds back all that comes, because of `failure`.
    fn freeze(&mut self, path: &Path, failure: io::Error) -> io::Result<()> {
        if self.held.is_none() {
            tracing::error!(file = %path.display(), error = %failure, "the database cannot be written; it goes on in memory and in the commit log");
            self.held = Some(Held {
                blocks: BTreeMap::new(),
                length: self.file.len()?,
                failure,
            });
        }
        Ok(())
    }
}

/// The blocks that a range touches: each one's number, where the range begins in it, and which part of the range
/// lies in it.
fn blocks(
    offset: u64,
    length: usize,
) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == length {
            return None;
        }
        let at = offset + done as u64;
        let from = usize::try_from(at % BLOCK as u64).unwrap_or_default();
        let part = done..(done + BLOCK - from).min(length);
        done = part.end;
        Some((at / BLOCK as u64, from, part))
    })
}

struct Backend(Arc<File>);

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.path.display())
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.0.read_state(State::length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_state(|state| state.read(offset, out))
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.write_state(|state| {
            if state.held.is_none() {
                match state.file.set_len(length) {
                    Ok(()) => return Ok(()),
                    Err(error) => state.freeze(&self.0.path, error)?,
                }
            }
            if let Some(held) = &mut state.held {
                held.length = length;
                held.blocks
                    .retain(|block, _| block * (BLOCK as u64) < length);
            }
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.write_state(|state| {
            if state.held.is_none()
                && let Err(error) = state.file.sync()
            {
                state.freeze(&self.0.path, error)?;
            }
            Ok(())
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_state(|state| {
            if state.held.is_none() {
                match state.file.write_at(offset, data) {
                    Ok(()) => return Ok(()),
                    Err(error) => state.freeze(&self.0.path, error)?,
                }
            }
            state.hold(offset, data)
        })
    }
}
