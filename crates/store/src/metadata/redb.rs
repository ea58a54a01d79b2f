use std::{
    collections::BTreeMap,
    fmt, io,
    ops::Bound,
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use redb::{
    Builder, Database, Durability, ReadOnlyTable, ReadableDatabase as _, ReadableTable as _,
    StorageBackend, Table, TableDefinition,
};
use rustix::io::Errno;

use super::{
    Items,
    engine::{Engine, Records, Snapshot, guard},
};
use crate::{
    Error, Result,
    disk::{self, Access, Disk, DiskFile},
    error::share,
};

const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

/// The number of bytes of the file that are kept in memory.
const CACHE_BYTES: usize = 32 * 1024 * 1024;

/// The size of a block, in bytes. Writes that are held back while the disk fails are kept in blocks.
const BLOCK: usize = 4096;

/// The size of the largest file, in bytes, that is checked whole when it is opened. That takes some 10 ms.
const CHECKED_BYTES: u64 = 32 * 1024 * 1024;

/// The number of bytes that must be free on the disk beside a copy of the file.
const ROOM_BESIDE_COPY: u64 = 1024 * 1024;

/// The number of bytes that are copied at once.
const COPY_BYTES: usize = 1024 * 1024;

struct Redb {
    /// `None` if it could not be opened again.
    db: Option<Database>,
    file: Arc<File>,
}

/// Opens the database at `path`.
pub(super) fn open(disk: &Arc<dyn Disk>, path: &Path) -> Result<Box<dyn Engine>> {
    let opened = disk.open(path, Access::Write)?;
    let file = Arc::new(File::new(disk, path, opened)?);
    Ok(Box::new(Redb::open(file)?))
}

/// Opens the database at `path` to look at it. Writes of its library stay in memory. With `check`, the library
/// compares each page with its checksum, and goes back to the previous checkpoint if a page is damaged.
pub(super) fn open_aside(
    disk: &Arc<dyn Disk>,
    path: &Path,
    check: bool,
) -> Result<Box<dyn Engine>> {
    let opened = disk.open(path, Access::Read)?;
    if opened.len()? == 0 {
        return Err(Error::damaged_file(path, "it is empty"));
    }
    let file = File::new(disk, path, opened)?;
    file.write_state(State::look);
    let file = Arc::new(file);
    let db = Some(open_file(&file, check)?);
    Ok(Box::new(Redb { db, file }))
}

pub(super) fn create(
    disk: &Arc<dyn Disk>,
    path: &Path,
    fill: &mut dyn FnMut(&mut dyn Records) -> Result<bool>,
) -> Result<Box<dyn Engine>> {
    let unfinished = disk::unfinished(path);
    disk::remove_if_present(&**disk, &unfinished)?;
    let created = disk.create(&unfinished)?;
    let file = Arc::new(File::new(disk, path, created)?);
    let mut engine = Redb::open(file)?;
    engine.write(fill)?;
    engine.checkpoint()?;
    disk.rename(&unfinished, path)?;
    disk.sync_dir(disk::parent(path))?;
    Ok(Box::new(engine))
}

impl Redb {
    fn open(file: Arc<File>) -> Result<Self> {
        let check = file.is_checked_at_start();
        let db = Some(open_file(&file, check)?);
        let mut opened = Self { db, file };
        if check {
            // The check ends with a commit of another kind. If the file is damaged after such a commit, it cannot be
            // opened to save its intact records. If the commit here fails, the next checkpoint reports it.
            let _ = opened.commit(Durability::Immediate, &mut |_| Ok(true));
        }
        Ok(opened)
    }

    fn db(&self) -> Result<&Database> {
        let closed = || self.file.error(redb::Error::DatabaseClosed);
        self.db.as_ref().ok_or_else(closed)
    }

    /// Closes the database. Its library may panic over damage even on a drop. A drop would also make commits durable
    /// that no checkpoint covers: commits whose lines the journal does not have yet, or a commit that was taken back.
    fn close(&mut self) {
        self.file.is_closed.store(true, Ordering::SeqCst);
        let db = self.db.take();
        let closed = guard(&self.file.path, || {
            drop(db);
            Ok(())
        });
        if let Err(error) = closed {
            tracing::warn!(%error, "the database could not be closed");
        }
    }

    fn commit(
        &mut self,
        durability: Durability,
        work: &mut dyn FnMut(&mut dyn Records) -> Result<bool>,
    ) -> Result<()> {
        let file = &self.file;
        let mut write = self
            .db()?
            .begin_write()
            .map_err(|error| file.error(error))?;
        write
            .set_durability(durability)
            .map_err(|error| file.error(error))?;
        // With this, the database opens at once after a kill, since the commit that it finds is whole.
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
        let read = self.db()?.begin_read().map_err(|error| file.error(error))?;
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

    fn give_up(&mut self) {
        self.file.is_broken.store(true, Ordering::SeqCst);
    }

    fn needs_reopening(&self) -> bool {
        self.file.is_broken.load(Ordering::SeqCst)
    }

    fn reopen(&mut self) -> Result<()> {
        self.close();
        self.file.is_closed.store(false, Ordering::SeqCst);
        self.file.is_broken.store(false, Ordering::SeqCst);
        let check = self.file.is_checked_at_start();
        let opened = open_file(&self.file, check);
        self.file
            .is_broken
            .fetch_or(opened.is_err(), Ordering::SeqCst);
        self.db = Some(opened?);
        Ok(())
    }
}

impl Drop for Redb {
    fn drop(&mut self) {
        self.close();
    }
}

fn open_file(file: &Arc<File>, check: bool) -> Result<Database> {
    Builder::new()
        .set_cache_size(CACHE_BYTES)
        // Without a check, redb trusts data such as its list of free pages. If that is damaged, redb panics over it
        // much later, within a panic, and nothing can save the process then.
        .set_check_integrity_on_open(check)
        .create_with_backend(Backend(Arc::clone(file)))
        .map_err(|error| file.error(error))
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

    fn range(&self, start: Bound<&[u8]>, end: Bound<&[u8]>) -> Items {
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

/// The database's file. After a failed write or sync, it leaves the file as it is and holds later writes in memory.
/// The database can still be read. On disk it stays as it was at the last checkpoint, and the commit log leads on
/// from there.
struct File {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    state: RwLock<State>,
    /// True once the library was told that the disk failed, or the database was given up. Nothing is done with it
    /// from then on until it is opened anew.
    is_broken: AtomicBool,
    /// True if nothing is written any more.
    is_closed: AtomicBool,
}

struct State {
    file: Arc<dyn DiskFile>,
    length: u64,
    /// The blocks written since the last sync. A failed sync may lose any of them.
    unsynced: BTreeMap<u64, Vec<u8>>,
    frozen: Option<Frozen>,
}

/// The reason for leaving the file as it is.
struct Frozen {
    failure: io::Error,
    /// The number of bytes of the file that still count. Zeros follow them.
    length: u64,
}

impl File {
    fn new(disk: &Arc<dyn Disk>, path: &Path, file: Arc<dyn DiskFile>) -> Result<Self> {
        let length = file.len()?;
        Ok(Self {
            disk: Arc::clone(disk),
            path: path.to_owned(),
            state: RwLock::new(State::new(file, length)),
            is_broken: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
        })
    }

    fn read_state<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write_state<T>(&self, write: impl FnOnce(&mut State) -> T) -> T {
        write(&mut self.state.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns true if the pages are compared with their checksums when the file is opened. That takes too long for a
    /// large file, whose records are compared all the same.
    fn is_checked_at_start(&self) -> bool {
        self.read_state(|state| state.length <= CHECKED_BYTES)
    }

    fn error(&self, error: impl Into<redb::Error>) -> Error {
        match error.into() {
            redb::Error::Io(error) => match error.kind() {
                // The library returns these for a foreign file, and for a page that points behind the file's end.
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                    Error::damaged_file(&self.path, error.to_string())
                }
                _ => Error::Io(error),
            },
            redb::Error::PreviousIo | redb::Error::DatabaseClosed => {
                Error::Io(io::Error::from_raw_os_error(Errno::IO.raw_os_error()))
            }
            error => Error::damaged_file(&self.path, error.to_string()),
        }
    }

    /// Changes the file, unless it is closed.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        if self.is_closed.load(Ordering::SeqCst) {
            return Err(io::Error::other("the database is closed"));
        }
        let changed = self.write_state(change);
        self.noting(changed)
    }

    /// Notes a failure that the library is told of.
    fn noting<T>(&self, result: io::Result<T>) -> io::Result<T> {
        self.is_broken.fetch_or(result.is_err(), Ordering::SeqCst);
        result
    }

    /// Fails if writes are held back.
    fn check(&self) -> Result<()> {
        self.read_state(|state| match &state.frozen {
            Some(frozen) => Err(Error::Io(share(&frozen.failure))),
            None => Ok(()),
        })
    }

    /// Goes on in a new file, if writes are held back. After a failed sync, the contents of the old file are
    /// uncertain.
    fn thaw(&self) -> Result<()> {
        self.write_state(|state| {
            if state.frozen.is_none() {
                return Ok(());
            }
            let length = state.length;
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
                    *state = State::new(file, length);
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
    fn new(file: Arc<dyn DiskFile>, length: u64) -> Self {
        Self {
            file,
            length,
            unsynced: BTreeMap::new(),
            frozen: None,
        }
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let Some(frozen) = &self.frozen else {
            return self.file.read_at(offset, buffer);
        };
        let on_disk = self.file.len()?.min(frozen.length).saturating_sub(offset);
        let on_disk = usize::try_from(on_disk)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        self.file.read_at(offset, &mut buffer[..on_disk])?;
        buffer[on_disk..].fill(0);
        for (block, from, part) in blocks(offset, buffer.len()) {
            if let Some(bytes) = self.unsynced.get(&block) {
                let length = part.len();
                buffer[part].copy_from_slice(&bytes[from..from + length]);
            }
        }
        Ok(())
    }

    /// Keeps written bytes until they are durable.
    fn keep(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        for (block, from, part) in blocks(offset, bytes.len()) {
            let begins = block * BLOCK as u64;
            let mut whole = vec![0; BLOCK];
            if let Some(kept) = self.unsynced.remove(&block) {
                whole = kept;
            } else if part.len() < BLOCK && begins < self.length {
                let there = (self.length - begins).min(BLOCK as u64);
                let there = usize::try_from(there).unwrap_or(BLOCK);
                self.read(begins, &mut whole[..there])?;
            }
            whole[from..from + part.len()].copy_from_slice(&bytes[part]);
            self.unsynced.insert(block, whole);
        }
        Ok(())
    }

    fn write(&mut self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.keep(offset, bytes)?;
        if self.frozen.is_none()
            && let Err(error) = self.file.write_at(offset, bytes)
        {
            self.freeze(path, error);
        }
        self.length = self.length.max(offset + bytes.len() as u64);
        Ok(())
    }

    fn set_len(&mut self, path: &Path, length: u64) {
        if self.frozen.is_none()
            && let Err(error) = self.file.set_len(length)
        {
            self.freeze(path, error);
        }
        if let Some(frozen) = &mut self.frozen {
            frozen.length = frozen.length.min(length);
        }
        self.unsynced.retain(|block, bytes| {
            let left = length.saturating_sub(block * BLOCK as u64);
            let left = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
            bytes[left..].fill(0);
            left > 0
        });
        self.length = length;
    }

    fn sync(&mut self, path: &Path) {
        if self.frozen.is_some() {
            return;
        }
        match self.file.sync() {
            Ok(()) => self.unsynced.clear(),
            Err(error) => self.freeze(path, error),
        }
    }

    /// Holds back all later writes, since the file is only looked at.
    fn look(&mut self) {
        self.frozen = Some(Frozen {
            failure: io::ErrorKind::ReadOnlyFilesystem.into(),
            length: self.length,
        });
    }

    /// Holds back all later writes, because of `failure`.
    fn freeze(&mut self, path: &Path, failure: io::Error) {
        tracing::error!(file = %path.display(), error = %failure, "the database cannot be written; it goes on in memory and in the commit log");
        self.frozen = Some(Frozen {
            failure,
            length: self.length,
        });
    }
}

/// Returns the blocks that a range touches. Each has its number, the offset in it at which the range begins, and the
/// part of the range that lies in it.
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
        Ok(self.0.read_state(|state| state.length))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let read = self.0.read_state(|state| state.read(offset, out));
        self.0.noting(read)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.change(|state| {
            state.set_len(&self.0.path, length);
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.change(|state| {
            state.sync(&self.0.path);
            Ok(())
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0
            .change(|state| state.write(&self.0.path, offset, data))
    }
}
