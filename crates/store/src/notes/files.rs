use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use uuid::Uuid;

use super::{Durability, Notes};
use crate::{
    Quarantine, Result,
    disk::{self, Disk},
};

/// Notes as files in a directory.
pub struct NoteFiles {
    disk: Arc<dyn Disk>,
    name: &'static str,
    dir: PathBuf,
    durability: Durability,
    quarantine: Quarantine,
}

impl NoteFiles {
    /// Opens the directory `name` in `dir`; creates it if it is missing. Removes the unfinished writes of an earlier
    /// process.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn open(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        name: &'static str,
        durability: Durability,
    ) -> Result<Self> {
        let files = Self::inspect(disk, dir, name, durability);
        disk.create_dir(&files.dir)?;
        disk::sweep_unfinished(&**disk, &files.dir)?;
        if durability == Durability::Power {
            // A kill may leave the name of a note unsynced. It must be durable before the note is read.
            disk.sync_dir(&files.dir)?;
        }
        Ok(files)
    }

    /// Opens the directory `name` in `dir` for inspection. Creates and removes nothing.
    pub(crate) fn inspect(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        name: &'static str,
        durability: Durability,
    ) -> Self {
        Self {
            disk: Arc::clone(disk),
            name,
            dir: dir.join(name),
            durability,
            quarantine: Quarantine::open(disk, dir),
        }
    }

    fn path(&self, id: Uuid) -> PathBuf {
        self.dir.join(id.to_string())
    }
}

impl Notes for NoteFiles {
    fn put(&self, id: Uuid, bytes: &[u8]) -> Result<()> {
        let path = self.path(id);
        if self.durability == Durability::Power {
            return Ok(disk::replace(&*self.disk, &path, bytes)?);
        }
        let unfinished = disk::unfinished(&path);
        let created = match self.disk.create(&unfinished) {
            // The file of an earlier failed write could not be removed then.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                disk::remove_if_present(&*self.disk, &unfinished)?;
                self.disk.create(&unfinished)
            }
            created => created,
        };
        let written = created.and_then(|file| {
            file.write_at(0, bytes)?;
            self.disk.rename(&unfinished, &path)
        });
        if written.is_err() {
            let _ = disk::remove_if_present(&*self.disk, &unfinished);
        }
        Ok(written?)
    }

    fn get(&self, id: Uuid) -> Result<Option<Vec<u8>>> {
        Ok(disk::read(&*self.disk, &self.path(id))?)
    }

    fn get_start(&self, id: Uuid, limit: usize) -> Result<Option<Vec<u8>>> {
        Ok(disk::read_start(&*self.disk, &self.path(id), limit)?)
    }

    fn remove(&self, id: Uuid) -> Result<bool> {
        let removed = disk::remove_if_present(&*self.disk, &self.path(id))?;
        if removed && self.durability == Durability::Power {
            self.disk.sync_dir(&self.dir)?;
        }
        Ok(removed)
    }

    fn list(&self) -> Result<Vec<Uuid>> {
        let names = self.disk.list(&self.dir)?;
        let note = |name: &std::ffi::OsString| name.to_str()?.parse().ok();
        Ok(names.iter().filter_map(note).collect())
    }

    fn quarantine(&self, id: Uuid, since: i64) -> Result<bool> {
        let file = self.path(id);
        self.quarantine
            .add(&file, self.name, &id.to_string(), since)
    }
}
