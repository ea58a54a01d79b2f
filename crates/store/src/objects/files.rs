use std::{
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use fs_err as fs;
use sealock_core::ObjectId;

use super::{Object, Objects, Staged};
use crate::{
    Error, Result,
    durable::{create_dir, create_new, remove_file, sync_dir},
    ownership::{open_inside, open_inside_with},
};

/// Objects as files of one directory, staged in its subdirectory `staging`.
pub struct ObjectFiles {
    dir: PathBuf,
    staging: PathBuf,
}

impl ObjectFiles {
    /// Opens the directory, and creates it if it is missing.
    pub fn open(dir: &Path) -> Result<Self> {
        let staging = dir.join("staging");
        create_dir(dir)?;
        create_dir(&staging)?;
        Ok(Self {
            dir: dir.to_owned(),
            staging,
        })
    }

    fn path(&self, id: ObjectId) -> PathBuf {
        self.dir.join(id.to_string())
    }

    fn staged_path(&self, id: ObjectId) -> PathBuf {
        self.staging.join(id.to_string())
    }
}

fn open(path: &Path) -> Result<Option<Arc<dyn Object>>> {
    match open_inside(path) {
        Ok(file) => {
            let len = file.metadata()?.len();
            Ok(Some(Arc::new(ObjectFile { file, len })))
        }
        Err(Error::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn list(dir: &Path) -> Result<Vec<ObjectId>> {
    let mut ids = Vec::new();
    for entry in fs::read_dir(dir)? {
        if let Some(id) = entry?
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        {
            ids.push(id);
        }
    }
    Ok(ids)
}

impl Objects for ObjectFiles {
    fn stage(&self) -> Result<Box<dyn Staged>> {
        let id = ObjectId::random();
        let staged = self.staged_path(id);
        create_new(&staged)?;
        Ok(Box::new(StagedFile {
            id,
            staged,
            dir: self.dir.clone(),
            stays: false,
        }))
    }

    fn open(&self, id: ObjectId) -> Result<Option<Arc<dyn Object>>> {
        open(&self.path(id))
    }

    fn remove(&self, id: ObjectId) -> Result<bool> {
        let removed = remove_file(&self.path(id))?;
        if removed {
            sync_dir(&self.dir)?;
        }
        Ok(removed)
    }

    fn list(&self) -> Result<Vec<ObjectId>> {
        list(&self.dir)
    }

    fn open_staged(&self, id: ObjectId) -> Result<Option<Arc<dyn Object>>> {
        open(&self.staged_path(id))
    }

    fn discard(&self, id: ObjectId) -> Result<bool> {
        Ok(remove_file(&self.staged_path(id))?)
    }

    fn list_staged(&self) -> Result<Vec<ObjectId>> {
        list(&self.staging)
    }
}

/// A file that is opened for each write: there may be more uploads than a process may have files open.
struct StagedFile {
    id: ObjectId,
    staged: PathBuf,
    dir: PathBuf,
    /// Whether the staged file is not to be removed: it is kept, or has become the published one.
    stays: bool,
}

impl StagedFile {
    fn open(&self) -> Result<fs::File> {
        open_inside_with(&self.staged, fs::OpenOptions::new().write(true))
    }
}

impl Staged for StagedFile {
    fn id(&self) -> ObjectId {
        self.id
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        Ok(self.open()?.file().write_all_at(bytes, offset)?)
    }

    fn sync(&self) -> Result<()> {
        Ok(self.open()?.sync_all()?)
    }

    fn keep(&mut self) {
        self.stays = true;
    }

    fn publish(mut self: Box<Self>) -> Result<()> {
        self.sync()?;
        fs::rename(&self.staged, self.dir.join(self.id.to_string()))?;
        self.stays = true;
        sync_dir(&self.dir)
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if !self.stays
            && let Err(error) = fs::remove_file(&self.staged)
        {
            tracing::warn!(%error, "a staged object could not be removed; the next start sweeps it");
        }
    }
}

struct ObjectFile {
    file: fs::File,
    len: u64,
}

impl Object for ObjectFile {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        Ok(self.file.file().read_exact_at(buffer, offset)?)
    }
}
