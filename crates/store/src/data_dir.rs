use std::{
    fs::TryLockError,
    io,
    path::{Path, PathBuf},
};

use fs_err::{self as fs, os::unix::fs::OpenOptionsExt as _};

use crate::{
    Error, Result,
    durable::{create_dir, create_secret},
    ownership,
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
    /// If another process has it, a newer version wrote it, another user planted something in it, or it cannot be
    /// written.
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

    /// Has the directory be for those alone who know this version's format. To be called once what an older
    /// version stored was taken over.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn raise_format(&self) -> Result<()> {
        if self.format()? == Some(FORMAT) {
            return Ok(());
        }
        create_secret(&self.format_file(), format!("{FORMAT}\n").as_bytes())
    }

    fn check_format(&self) -> Result<()> {
        match self.format()? {
            None => self.raise_format(),
            Some(known) if known <= FORMAT => Ok(()),
            Some(found) => Err(Error::TooNew {
                dir: self.path.display().to_string(),
                found,
                known: FORMAT,
            }),
        }
    }

    /// The format that it has; a new directory has none yet.
    fn format(&self) -> Result<Option<u32>> {
        let file = self.format_file();
        if !file.exists() {
            return Ok(None);
        }
        let text = io::read_to_string(ownership::open_inside(&file)?)?;
        let format = text.trim().parse().map_err(|error| Error::Damaged {
            key: file.display().to_string(),
            why: format!("{error}"),
        })?;
        Ok(Some(format))
    }

    fn format_file(&self) -> PathBuf {
        self.path.join("format")
    }
}
