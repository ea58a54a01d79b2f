use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    Result,
    disk::{self, Access, Disk},
};

/// The set of what lay in the data directory itself.
const TOP: &str = "data";

/// Files that no record mentions. They were moved aside, since a record that is missing says nothing about what it
/// would have said, and are removed only when somebody says so, or long after.
#[derive(Clone)]
pub struct Quarantine {
    /// `None` in memory, where nothing outlives its records.
    place: Option<(Arc<dyn Disk>, PathBuf)>,
}

/// A file in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// Where it was, as `blobs/ID`, below the data directory.
    pub name: String,
    /// Since when it is there, in seconds since 1970.
    pub since: i64,
    /// Its length.
    pub bytes: u64,
    file: PathBuf,
}

impl Quarantine {
    pub(crate) const DIR: &'static str = "quarantine";

    pub(crate) fn open(disk: &Arc<dyn Disk>, dir: &Path) -> Self {
        Self {
            place: Some((Arc::clone(disk), dir.join(Self::DIR))),
        }
    }

    pub(crate) fn in_memory() -> Self {
        Self { place: None }
    }

    /// Moves a file aside; false if it is not there. `name` says what it was, without a dot in it.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn add(&self, file: &Path, set: &str, name: &str, since: i64) -> Result<bool> {
        let Some((disk, dir)) = &self.place else {
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

    /// Where files of the data directory are moved aside, each with its name below the quarantine, that says where
    /// it was: of the directory `set`, or of the data directory itself.
    pub(crate) fn name(set: Option<&str>, name: &str, since: i64) -> String {
        format!("{}/{}.{name}.{since}", Self::DIR, set.unwrap_or(TOP))
    }

    /// All files in quarantine.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn list(&self) -> Result<Vec<Quarantined>> {
        let Some((disk, dir)) = &self.place else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for name in disk.list(dir)? {
            let file = dir.join(&name);
            let name = name.to_string_lossy();
            let Some((name, since)) = name.rsplit_once('.') else {
                continue;
            };
            let Some(name) = was(name) else {
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

    /// Removes the files that are there since before `before`, and returns them.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn remove(&self, before: i64) -> Result<Vec<Quarantined>> {
        let Some((disk, dir)) = &self.place else {
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

/// Where something was, by its name in quarantine.
fn was(name: &str) -> Option<String> {
    match name.split_once('.')? {
        (TOP, name) => Some(name.to_owned()),
        (set, name) => Some(format!("{set}/{name}")),
    }
}

/// The bytes of a file, or of all files of a directory.
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

/// Whether it is the database of an engine that keeps it in a directory. Only a real disk has one.
fn is_dir(path: &Path) -> bool {
    path.is_dir()
}
