use std::{
    fs::TryLockError,
    io,
    path::{Path, PathBuf},
};

use fs_err::{self as fs, os::unix::fs::OpenOptionsExt as _};

use crate::{
    Error, Result,
    disk::{self, RealDisk},
    durable::create_dir,
    format, ownership,
};

/// A data directory that this process alone uses.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// The lock file; `None` if no process ever opened the directory.
    _lock: Option<fs::File>,
}

impl DataDir {
    /// Takes possession of a data directory, and creates it if it is missing.
    ///
    /// # Errors
    /// If another process uses it, another user planted something in it, or it cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        check_directory(path)?;
        create_dir(path)?;
        ownership::check_data_dir(path)?;
        let mut options = fs::OpenOptions::new();
        options.create(true).write(true).truncate(false).mode(0o600);
        let lock = ownership::open_inside_with(&path.join("lock"), &mut options)?;
        take(&lock, path)?;
        ownership::check_tree(path)?;
        for dir in [path.to_owned(), path.join("tls")] {
            disk::sweep_unfinished(&RealDisk, &dir)?;
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: Some(lock),
        })
    }

    /// Takes possession of an existing data directory, to inspect it. Creates and changes nothing in it.
    ///
    /// # Errors
    /// If another process uses it, or it cannot be read.
    pub fn look(path: &Path) -> Result<Self> {
        fs::read_dir(path)?;
        let lock = match fs::File::open(path.join("lock")) {
            Ok(lock) => Some(lock),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        if let Some(lock) = &lock {
            take(lock, path)?;
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// The path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns true if the directory already contains a store.
    pub fn is_used(&self) -> bool {
        format::path(&self.path).exists() || self.path.join("metadata").exists()
    }
}

/// Checks that nothing but directories is in the place of a data directory and of those above it.
///
/// # Errors
/// [`Error::NotADirectory`]
pub fn check_directory(dir: &Path) -> Result<()> {
    // A link leads to what counts.
    let existing = dir
        .ancestors()
        .find_map(|path| Some((path, fs::metadata(path).ok()?)));
    match existing {
        Some((file, metadata)) if !metadata.is_dir() => Err(Error::NotADirectory {
            dir: dir.to_owned(),
            file: file.to_owned(),
        }),
        _ => Ok(()),
    }
}

fn take(lock: &fs::File, dir: &Path) -> Result<()> {
    match lock.file().try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(Error::InUse(dir.display().to_string())),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}
