use std::{
    fs::TryLockError,
    path::{Path, PathBuf},
};

use fs_err::{self as fs, os::unix::fs::OpenOptionsExt as _};

use crate::{
    Error, Result,
    durable::{create_dir, create_secret},
};

/// The layout of the data directory. It rises when an older sealock could not read what is written.
///
/// 2: digests may be of SHA-512.
/// 3: keys are stored under their names in lower case.
const FORMAT: u32 = 3;

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
    /// If another process has it, a newer version wrote it, or it cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        create_dir(path)?;
        let lock = fs::OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("lock"))?;
        match lock.file().try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::InUse(path.display().to_string())),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let dir = Self {
            path: path.to_owned(),
            _lock: lock,
        };
        dir.check_format()?;
        Ok(dir)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn check_format(&self) -> Result<()> {
        let file = self.path.join("format");
        if !file.exists() {
            return create_secret(&file, format!("{FORMAT}\n").as_bytes());
        }
        let text = fs::read_to_string(&file)?;
        match text.trim().parse::<u32>() {
            Ok(FORMAT) => Ok(()),
            // From now on, what is written is for those alone who know this format.
            Ok(older) if older < FORMAT => create_secret(&file, format!("{FORMAT}\n").as_bytes()),
            Ok(found) => Err(Error::TooNew {
                dir: self.path.display().to_string(),
                found,
                known: FORMAT,
            }),
            Err(error) => Err(Error::Damaged {
                key: file.display().to_string(),
                why: error.to_string(),
            }),
        }
    }
}
