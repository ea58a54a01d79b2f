//! The disk below everything that is stored, as a trait, so that a test can lose power, fail or fill up
//! at any operation.

mod real;

use std::{
    ffi::OsString,
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use self::real::RealDisk;
pub(crate) use self::real::naming;

/// A file system. Every operation blocks.
pub trait Disk: fmt::Debug + Send + Sync + 'static {
    /// Creates a file that must not exist yet, readable by its owner alone.
    ///
    /// # Errors
    /// If it exists, or the disk fails.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens a file for reading and writing, or for reading alone.
    ///
    /// # Errors
    /// If it is missing, or the disk fails.
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name, in the place of what had it.
    ///
    /// # Errors
    /// If the disk fails.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// If it is missing, or the disk fails.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Creates a directory and its parents, readable by their owner alone, unless they are there.
    ///
    /// # Errors
    /// If the disk fails.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// Makes durable which files a directory has.
    ///
    /// # Errors
    /// If the disk fails.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// The names in a directory. A missing directory has none.
    ///
    /// # Errors
    /// If the disk fails.
    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>>;

    /// How many bytes can still be written below `dir`.
    ///
    /// # Errors
    /// If the disk fails.
    fn free_bytes(&self, dir: &Path) -> io::Result<u64>;

    /// Whether nothing can be written below `dir`, as far as that is known without trying.
    ///
    /// # Errors
    /// If the disk fails.
    fn is_read_only(&self, _dir: &Path) -> io::Result<bool> {
        Ok(false)
    }
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// For reading alone.
    Read,
    /// For reading and writing.
    Write,
}

/// An open file.
#[expect(clippy::len_without_is_empty, reason = "nobody asks")]
pub trait DiskFile: fmt::Debug + Send + Sync {
    /// Its length in bytes.
    ///
    /// # Errors
    /// If the disk fails.
    fn len(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    /// If the file ends before, or the disk fails.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// If the disk fails: some of it may be written.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file, or fills it up with zeros.
    ///
    /// # Errors
    /// If the disk fails.
    fn set_len(&self, length: u64) -> io::Result<()>;

    /// Makes content and length durable.
    ///
    /// # Errors
    /// If the disk fails: nobody can know then what is durable.
    fn sync(&self) -> io::Result<()>;
}

/// Reads a file whole, if it is there.
///
/// # Errors
/// If the disk fails.
pub fn read(disk: &dyn Disk, path: &Path) -> io::Result<Option<Vec<u8>>> {
    let Some(file) = open_if_present(disk, path, Access::Read)? else {
        return Ok(None);
    };
    let length = usize::try_from(file.len()?).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let mut bytes = vec![0; length];
    file.read_at(0, &mut bytes)?;
    Ok(Some(bytes))
}

/// Opens a file, if it is there.
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

/// Removes a file; false if there was none. Not durable before its directory is synced.
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

/// Replaces a file by `bytes`, durably: after a loss of power it is the old one or the new one, whole.
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

/// Where a file is written before it takes its place. [`sweep_unfinished`] removes it after a crash.
pub fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED);
    name.into()
}

/// Removes what a crash left of files that were being replaced.
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

/// The directory that a file lies in.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

const UNFINISHED: &str = ".new";
