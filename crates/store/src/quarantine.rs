use std::{path::PathBuf, sync::Arc};

use crate::{
    Result,
    disk::{self, Access, Disk},
};

const DIR: &str = "quarantine";

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
    /// Where it was, as `blobs/ID`.
    pub name: String,
    /// Since when it is there, in seconds since 1970.
    pub since: i64,
    /// Its length.
    pub bytes: u64,
    file: PathBuf,
}

impl Quarantine {
    pub(crate) fn open(disk: &Arc<dyn Disk>, dir: &std::path::Path) -> Self {
        Self {
            place: Some((Arc::clone(disk), dir.join(DIR))),
        }
    }

    pub(crate) fn in_memory() -> Self {
        Self { place: None }
    }

    /// Moves a file aside; false if it is not there. `name` says what it was, without a dot in it.
    ///
    /// # Errors
    /// If the disk fails.
    pub(crate) fn add(
        &self,
        file: &std::path::Path,
        set: &str,
        name: &str,
        since: i64,
    ) -> Result<bool> {
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
            let parts: Vec<&str> = name.split('.').collect();
            let [set, name, since] = parts[..] else {
                continue;
            };
            let Some(opened) = disk::open_if_present(&**disk, &file, Access::Read)? else {
                continue;
            };
            found.push(Quarantined {
                name: format!("{set}/{name}"),
                since: since.parse().unwrap_or_default(),
                bytes: opened.len()?,
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
            disk::remove_if_present(&**disk, &quarantined.file)?;
        }
        if !removed.is_empty() {
            disk.sync_dir(dir)?;
        }
        Ok(removed)
    }
}
