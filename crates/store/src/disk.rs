//! The disk of the store, as a trait. Tests simulate a power cut, a failure or a full disk at any operation.

mod real;
mod shared_sync;

use std::{
    ffi::OsString,
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use self::real::RealDisk;
pub(crate) use self::shared_sync::SharedSync;

/// The suffix of an unfinished file.
const UNFINISHED: &str = ".new";

/// A file system. Every operation blocks.
pub trait Disk: fmt::Debug + Send + Sync + 'static {
    /// Creates a file that only its owner can read.
    ///
    /// # Errors
    /// If the file exists, or the disk fails.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens a file.
    ///
    /// # Errors
    /// If the file is missing, or the disk fails.
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>>;

    /// Renames a file. Replaces any file of the new name.
    ///
    /// # Errors
    /// If the disk fails.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// If the file is missing, or the disk fails.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Creates a directory and its parents, if they are missing. Only their owner can read them.
    ///
    /// # Errors
    /// If the disk fails.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// Makes the entries of a directory durable.
    ///
    /// # Errors
    /// If the disk fails.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Returns the names in a directory; none if the directory is missing.
    ///
    /// # Errors
    /// If the disk fails.
    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>>;

    /// Returns the free space on the file system of `dir`, in bytes.
    ///
    /// # Errors
    /// If the disk fails.
    fn free_bytes(&self, dir: &Path) -> io::Result<u64>;

    /// Returns true if `dir` is known to be read-only. Does not try to write.
    ///
    /// # Errors
    /// If the disk fails.
    fn is_read_only(&self, _dir: &Path) -> io::Result<bool> {
        Ok(false)
    }
}

/// The access for which a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading only.
    Read,
    /// Reading and writing.
    Write,
}

/// An open file.
#[expect(clippy::len_without_is_empty, reason = "no caller needs it")]
pub trait DiskFile: fmt::Debug + Send + Sync {
    /// Returns the length in bytes.
    ///
    /// # Errors
    /// If the disk fails.
    fn len(&self) -> io::Result<u64>;

    /// Fills `buffer` with the bytes from `offset` on.
    ///
    /// # Errors
    /// If the file ends before the buffer is full, or the disk fails.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// If the disk fails: some of the bytes may be written.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Truncates the file, or extends it with zeros.
    ///
    /// # Errors
    /// If the disk fails.
    fn set_len(&self, length: u64) -> io::Result<()>;

    /// Makes the content and the length durable.
    ///
    /// # Errors
    /// If the disk fails: it is unknown which writes are durable.
    fn sync(&self) -> io::Result<()>;
}

/// Reads a file completely; returns `None` if it is missing.
///
/// # Errors
/// If the disk fails.
pub fn read(disk: &dyn Disk, path: &Path) -> io::Result<Option<Vec<u8>>> {
    read_start(disk, path, usize::MAX)
}

/// Reads the first `limit` bytes of a file, or all of a shorter file; returns `None` if it is missing.
///
/// # Errors
/// If the disk fails.
pub fn read_start(disk: &dyn Disk, path: &Path, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let Some(file) = open_if_present(disk, path, Access::Read)? else {
        return Ok(None);
    };
    let length = usize::try_from(file.len()?).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut bytes = vec![0; length.min(limit)];
    file.read_at(0, &mut bytes)?;
    Ok(Some(bytes))
}

/// Opens a file; returns `None` if it is missing.
///
/// # Errors
/// If the disk fails.
pub fn open_if_present(
    disk: &dyn Disk,
    path: &Path,
    access: Access,
) -> io::Result<Option<Arc<dyn DiskFile>>> {
    match disk.open(path, access) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes a file; returns false if it is missing. The removal is durable after the directory is synced.
///
/// # Errors
/// If the disk fails.
pub fn remove_if_present(disk: &dyn Disk, path: &Path) -> io::Result<bool> {
    match disk.remove(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Replaces the content of a file with `bytes`, durably. A power cut leaves either the old or the new content.
///
/// # Errors
/// If the disk fails.
pub fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = unfinished(path);
    remove_if_present(disk, &unfinished)?;
    let written = disk.create(&unfinished).and_then(|file| {
        file.write_at(0, bytes)?;
        file.sync()
    });
    if let Err(error) = written.and_then(|()| disk.rename(&unfinished, path)) {
        let _ = remove_if_present(disk, &unfinished);
        return Err(error);
    }
    disk.sync_dir(parent(path))
}

/// Returns the temporary path of a file before it is renamed to `path`. [`sweep_unfinished`] removes the temporary file
/// after a crash.
pub fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED);
    name.into()
}

/// Removes the temporary files that a crash left in `dir`.
///
/// # Errors
/// If the disk fails.
pub fn sweep_unfinished(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    for name in disk.list(dir)? {
        if name.to_str().is_some_and(|name| name.ends_with(UNFINISHED)) {
            remove_if_present(disk, &dir.join(name))?;
        }
    }
    Ok(())
}

/// Returns the directory of a file.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}
