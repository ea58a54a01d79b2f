use std::{
    fs::TryLockError,
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
    _lock: fs::File,
}

impl DataDir {
    /// Takes possession of a data directory, and creates it if it is missing.
    ///
    /// # Errors
    /// If another process has it, another user planted something in it, or it cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        create_dir(path)?;
        ownership::check_data_dir(path)?;
        let mut options = fs::OpenOptions::new();
        options.create(true).write(true).truncate(false).mode(0o600);
        let lock = ownership::open_inside_with(&path.join("lock"), &mut options)?;
        match lock.file().try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::InUse(path.display().to_string())),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        ownership::check_tree(path)?;
        for dir in [path.to_owned(), path.join("tls")] {
            disk::sweep_unfinished(&RealDisk, &dir)?;
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a store was made in it before.
    pub fn is_used(&self) -> bool {
        format::path(&self.path).exists() || self.path.join("metadata").exists()
    }
}
