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
    error::share,
};

/// The size of a block, in bytes. Writes that are held back while the disk fails are kept in blocks.
const BLOCK: usize = 4096;

/// The size of the largest file, in bytes, that is checked whole when it is opened. That takes some 10 ms.
const CHECKED_BYTES: u64 = 32 * 1024 * 1024;

/// The number of bytes that must be free on the disk beside a copy of the file.
const ROOM_BESIDE_COPY: u64 = 1024 * 1024;

/// The number of bytes that are copied at once.
const COPY_BYTES: usize = 1024 * 1024;

/// The database's file. After a failed write or sync, it leaves the file as it is and holds later writes in memory.
/// The database can still be read. On disk it stays as it was at the last checkpoint, and the commit log leads on
/// from there.
pub(super) struct File {
    disk: Arc<dyn Disk>,
    pub(super) path: PathBuf,
    state: RwLock<State>,
    /// True once the library was told that the disk failed, or the database was given up. Nothing is done with it
    /// from then on until it is opened anew.
    pub(super) is_broken: AtomicBool,
    /// True if nothing is written any more.
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
    /// The number of bytes of the file that still count. Zeros follow them.
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

    /// Holds back all later writes, because the file is only examined.
    pub(super) fn hold_writes_back(&self) {
        self.write_state(|state| {
            state.frozen = Some(Frozen {
                failure: io::ErrorKind::ReadOnlyFilesystem.into(),
                length: state.length,
            });
        });
    }

    /// Returns true if the pages are compared with their checksums when the file is opened. That takes too long for a
    /// large file, whose records are compared all the same.
    pub(super) fn is_checked_at_start(&self) -> bool {
        self.read_state(|state| state.length <= CHECKED_BYTES)
    }

    pub(super) fn error(&self, error: impl Into<redb::Error>) -> Error {
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
    pub(super) fn check(&self) -> Result<()> {
        self.read_state(|state| match &state.frozen {
            Some(frozen) => Err(Error::Io(share(&frozen.failure))),
            None => Ok(()),
        })
    }

    /// Goes on in a new file, if writes are held back. After a failed sync, the contents of the old file are
    /// uncertain.
    pub(super) fn thaw(&self) -> Result<()> {
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
