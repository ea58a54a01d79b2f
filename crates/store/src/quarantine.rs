use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    Result,
    disk::{self, Access, Disk},
};

/// The prefix of files from the top of the data directory.
const TOP: &str = "data";

/// The files that no record mentions. They are not removed at once, since the record that mentioned them may be lost,
/// but only on request or after a long time.
#[derive(Clone)]
pub struct Quarantine {
    /// The disk and the directory; `None` in memory, where no file outlives its records.
    location: Option<(Arc<dyn Disk>, PathBuf)>,
}

/// A file in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// The former path in the data directory, such as `blobs/ID`.
    pub name: String,
    /// The time of the move, in seconds since 1970.
    pub since: i64,
    /// The length in bytes.
    pub bytes: u64,
    file: PathBuf,
}

impl Quarantine {
    pub(crate) const DIR: &'static str = "quarantine";

    pub(crate) fn open(disk: &Arc<dyn Disk>, dir: &Path) -> Self {
        Self {
            location: Some((Arc::clone(disk), dir.join(Self::DIR))),
        }
    }

    pub(crate) fn in_memory() -> Self {
        Self { location: None }
    }

    /// Moves a file into quarantine; returns false if it is missing. Its `name` must not contain a dot.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn add(&self, file: &Path, set: &str, name: &str, since: i64) -> Result<bool> {
        let Some((disk, dir)) = &self.location else {
            return Ok(false);
        };
        disk.create_dir(dir)?;
        match disk.rename(file, &dir.join(format!("{set}.{name}.{since}"))) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        disk.sync_dir(dir)?;
        disk.sync_dir(disk::parent(file))?;
        Ok(true)
    }

    /// Returns the path, in the data directory, of a quarantined file. It contains the former directory: `dir`, or the
    /// data directory itself.
    pub(crate) fn path_of(dir: Option<&str>, name: &str, since: i64) -> String {
        format!("{}/{}.{name}.{since}", Self::DIR, dir.unwrap_or(TOP))
    }

    /// Lists all files in quarantine.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn list(&self) -> Result<Vec<Quarantined>> {
        let Some((disk, dir)) = &self.location else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for name in disk.list(dir)? {
            let file = dir.join(&name);
            let name = name.to_string_lossy();
            let Some((name, since)) = name.rsplit_once('.') else {
                continue;
            };
            let Some(name) = former_path(name) else {
                continue;
            };
            let Some(bytes) = size(&**disk, &file)? else {
                continue;
            };
            found.push(Quarantined {
                name,
                since: since.parse().unwrap_or_default(),
                bytes,
                file,
            });
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    /// Removes the files that were quarantined before the time `before`, and returns them.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn remove(&self, before: i64) -> Result<Vec<Quarantined>> {
        let Some((disk, dir)) = &self.location else {
            return Ok(Vec::new());
        };
        let mut removed = self.list()?;
        removed.retain(|quarantined| quarantined.since < before);
        for quarantined in &removed {
            if is_dir(&quarantined.file) {
                fs_err::remove_dir_all(&quarantined.file)?;
            } else {
                disk::remove_if_present(&**disk, &quarantined.file)?;
            }
        }
        if !removed.is_empty() {
            disk.sync_dir(dir)?;
        }
        Ok(removed)
    }
}

/// Returns the former path of a file from its name in quarantine.
fn former_path(name: &str) -> Option<String> {
    match name.split_once('.')? {
        (TOP, name) => Some(name.to_owned()),
        (set, name) => Some(format!("{set}/{name}")),
    }
}

/// Returns the length of a file, or the total length of the files in a directory.
fn size(disk: &dyn Disk, path: &Path) -> Result<Option<u64>> {
    if is_dir(path) {
        let mut bytes = 0;
        for name in disk.list(path)? {
            bytes += size(disk, &path.join(name))?.unwrap_or_default();
        }
        return Ok(Some(bytes));
    }
    match disk::open_if_present(disk, path, Access::Read)? {
        Some(file) => Ok(Some(file.len()?)),
        None => Ok(None),
    }
}

/// Returns true for a database that is a directory. Only a real disk has such a database.
fn is_dir(path: &Path) -> bool {
    path.is_dir()
}
