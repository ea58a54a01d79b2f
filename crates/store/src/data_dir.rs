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

/// A data directory that no other process uses.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// The lock file; `None` if an inspected directory has none.
    _lock: Option<fs::File>,
}

impl DataDir {
    /// Locks a data directory; creates it if it is missing.
    ///
    /// # Errors
    /// If another process uses the directory, another user planted something in it, or it cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        check_directory(path)?;
        create_dir(path)?;
        ownership::check_data_dir(path)?;
        let mut options = fs::OpenOptions::new();
        options.create(true).write(true).truncate(false).mode(0o600);
        let lock = ownership::open_inside_with(&path.join("lock"), &mut options)?;
        try_lock(&lock, path)?;
        ownership::check_tree(path)?;
        for dir in [path.to_owned(), path.join("tls")] {
            disk::sweep_unfinished(&RealDisk, &dir)?;
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: Some(lock),
        })
    }

    /// Locks an existing data directory for inspection. Creates and changes nothing in it.
    ///
    /// # Errors
    /// If another process uses the directory, or it cannot be read.
    pub fn open_for_inspection(path: &Path) -> Result<Self> {
        fs::read_dir(path)?;
        let lock = match fs::File::open(path.join("lock")) {
            Ok(lock) => Some(lock),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        if let Some(lock) = &lock {
            try_lock(lock, path)?;
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Returns the path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns true if the directory already contains a store.
    pub fn is_used(&self) -> bool {
        format::path(&self.path).exists() || self.path.join("metadata").exists()
    }
}

/// Checks that neither the data directory nor any of its parents is a file.
///
/// # Errors
/// [`Error::NotADirectory`]
pub fn check_directory(dir: &Path) -> Result<()> {
    // `metadata` follows links.
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

fn try_lock(lock: &fs::File, dir: &Path) -> Result<()> {
    match lock.file().try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(Error::InUse(dir.display().to_string())),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}
