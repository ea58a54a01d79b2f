use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use redb::StorageBackend;
use rustix::io::Errno;

use crate::{
    Error, Result,
    disk::{self, Disk, DiskFile},
    error::duplicate,
};

/// The size of a block, in bytes. Writes are buffered in blocks while the disk fails.
const BLOCK: usize = 4096;

/// The size, in bytes, of the largest file that is checked completely when it is opened. That takes some 10 ms.
const CHECKED_BYTES: u64 = 32 * 1024 * 1024;

/// The number of bytes that must remain free on the disk beside a copy of the file.
const ROOM_BESIDE_COPY: u64 = 1024 * 1024;

/// The size of the buffer for copying, in bytes.
const COPY_BYTES: usize = 1024 * 1024;

/// The database's file. After a failed write or sync, it leaves the file unchanged and keeps later writes in memory.
/// The database remains readable. On disk it stays at the last checkpoint, and the commit log holds the later commits.
pub(super) struct File {
    disk: Arc<dyn Disk>,
    pub(super) path: PathBuf,
    state: RwLock<State>,
    /// True after a failure that was reported to the library, or after the writes were abandoned. The database is then
    /// not used until it is reopened.
    pub(super) is_broken: AtomicBool,
    /// True if all writes are refused.
    pub(super) is_closed: AtomicBool,
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
    /// The length of the valid part of the file on disk. Zeros follow it.
    length: u64,
}

impl File {
    pub(super) fn new(disk: &Arc<dyn Disk>, path: &Path, file: Arc<dyn DiskFile>) -> Result<Self> {
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

    /// Keeps all later writes in memory.
    pub(super) fn freeze_for_inspection(&self) {
        self.write_state(|state| {
            state.frozen = Some(Frozen {
                failure: io::ErrorKind::ReadOnlyFilesystem.into(),
                length: state.length,
            });
        });
    }

    /// Returns true if the library compares the pages with their checksums when it opens the file. That takes too long
    /// for a large file. Its records are still compared with their tags.
    pub(super) fn is_checked_at_start(&self) -> bool {
        self.read_state(|state| state.length <= CHECKED_BYTES)
    }

    pub(super) fn error(&self, error: impl Into<redb::Error>) -> Error {
        match error.into() {
            redb::Error::Io(error) => match error.kind() {
                // The library returns these for a file that is not its own, and for a page that points past the end.
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
        self.mark_failure(changed)
    }

    /// Marks the database as broken if `result` reports a failure to the library.
    fn mark_failure<T>(&self, result: io::Result<T>) -> io::Result<T> {
        self.is_broken.fetch_or(result.is_err(), Ordering::SeqCst);
        result
    }

    /// Fails if the file is frozen.
    pub(super) fn check_not_frozen(&self) -> Result<()> {
        self.read_state(|state| match &state.frozen {
            Some(frozen) => Err(Error::Io(duplicate(&frozen.failure))),
            None => Ok(()),
        })
    }

    /// Replaces a frozen file with a new one. After a failed sync, the content of the old file is uncertain.
    pub(super) fn rewrite_if_frozen(&self) -> Result<()> {
        self.write_state(|state| {
            if state.frozen.is_none() {
                return Ok(());
            }
            let length = state.length;
            let dir = disk::parent(&self.path);
            if self.disk.free_bytes(dir)? < length + ROOM_BESIDE_COPY {
                let what = format!(
                    "cannot rewrite `{}`: that takes {length} bytes",
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

    /// Buffers written bytes until they are durable.
    fn buffer(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        for (block, from, part) in blocks(offset, bytes.len()) {
            let begins = block * BLOCK as u64;
            let mut whole = vec![0; BLOCK];
            if let Some(buffered) = self.unsynced.remove(&block) {
                whole = buffered;
            } else if part.len() < BLOCK && begins < self.length {
                let existing = (self.length - begins).min(BLOCK as u64);
                let existing = usize::try_from(existing).unwrap_or(BLOCK);
                self.read(begins, &mut whole[..existing])?;
            }
            whole[from..from + part.len()].copy_from_slice(&bytes[part]);
            self.unsynced.insert(block, whole);
        }
        Ok(())
    }

    fn write(&mut self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.buffer(offset, bytes)?;
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

    /// Keeps all later writes in memory, because of `failure`.
    fn freeze(&mut self, path: &Path, failure: io::Error) {
        tracing::error!(file = %path.display(), error = %failure, "the database cannot be written; the commit log and the memory hold its changes");
        self.frozen = Some(Frozen {
            failure,
            length: self.length,
        });
    }
}

/// Returns the blocks that a range touches: the number of each block, the offset in it at which the range begins, and
/// the part of the range in the block.
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

/// The file as the library sees it.
pub(super) struct Backend(pub(super) Arc<File>);

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
        self.0.mark_failure(read)
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
