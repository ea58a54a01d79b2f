use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sealock_core::ObjectId;

use super::{Object, ObjectSet, Objects, Staged};
use crate::{
    Quarantine, Result,
    disk::{self, Access, Disk, DiskFile, SharedSync},
    metadata::Failure,
};

/// The free space that blobs leave on the disk, in bytes, so that operations on keys and registries still work when
/// pushes are refused.
const RESERVED_BYTES: u64 = 8 * 1024 * 1024;

/// The suffix of a retained staged file.
const RETAINED: &str = ".retained";

/// Objects as files of one directory, staged in its subdirectory `staging`.
pub struct ObjectFiles {
    directory: Arc<Directory>,
    quarantine: Quarantine,
}

#[derive(Debug)]
struct Directory {
    disk: Arc<dyn Disk>,
    set: ObjectSet,
    dir: PathBuf,
    staging: PathBuf,
    sync: SharedSync,
    /// True if an operation failed since the last successful write.
    is_failing: AtomicBool,
}

impl ObjectFiles {
    /// Opens the directory of a set in `dir`; creates it if it is missing. Removes the objects that an earlier process
    /// staged but did not retain.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn open(disk: &Arc<dyn Disk>, dir: &Path, set: ObjectSet) -> Result<Self> {
        let files = Self::inspect(disk, dir, set);
        let directory = &files.directory;
        disk.create_dir(&directory.dir)?;
        disk.create_dir(&directory.staging)?;
        for name in disk.list(&directory.staging)? {
            if parse_id(&name).is_some() {
                disk.remove(&directory.staging.join(name))?;
            }
        }
        // A kill may leave the name of a published object unsynced. It must be durable before the object is read.
        disk.sync_dir(&directory.dir)?;
        Ok(files)
    }

    /// Opens the directory of a set in `dir` for inspection. Creates and removes nothing.
    pub(crate) fn inspect(disk: &Arc<dyn Disk>, dir: &Path, set: ObjectSet) -> Self {
        let directory = Directory {
            disk: Arc::clone(disk),
            set,
            dir: dir.join(set.name()),
            staging: dir.join(set.name()).join("staging"),
            sync: SharedSync::default(),
            is_failing: AtomicBool::default(),
        };
        Self {
            directory: Arc::new(directory),
            quarantine: Quarantine::open(disk, dir),
        }
    }
}

impl Directory {
    fn published(&self, id: ObjectId) -> PathBuf {
        self.dir.join(id.to_string())
    }

    fn staged(&self, id: ObjectId) -> PathBuf {
        self.staging.join(id.to_string())
    }

    fn retained(&self, id: ObjectId) -> PathBuf {
        self.staging.join(format!("{id}{RETAINED}"))
    }

    fn open(&self, path: &Path) -> Result<Option<Arc<dyn Object>>> {
        let opened = disk::open_if_present(&*self.disk, path, Access::Read);
        // `failure` then finds the reason.
        let opened = opened.inspect_err(|_| self.is_failing.store(true, Ordering::Relaxed))?;
        let Some(file) = opened else {
            return Ok(None);
        };
        let len = file.len()?;
        Ok(Some(Arc::new(ObjectFile { file, len })))
    }

    /// Makes the names of published objects, and removals, durable.
    fn sync(&self) -> io::Result<()> {
        self.sync.run(|| self.disk.sync_dir(&self.dir))
    }

    /// Remembers if a write failed.
    fn remember_failure<T>(&self, written: io::Result<T>) -> Result<T> {
        self.is_failing.store(written.is_err(), Ordering::Relaxed);
        Ok(written?)
    }

    /// Fails if the disk is known to be almost full or read-only. Does not try to write.
    fn check_writable(&self) -> Result<()> {
        self.check_room(0)?;
        if self.disk.is_read_only(&self.dir)? {
            let what = format!("cannot write to `{}`: it is read-only", self.dir.display());
            return Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, what).into());
        }
        Ok(())
    }

    /// Checks that a write of `bytes` leaves the reserved space free.
    fn check_room(&self, bytes: usize) -> Result<()> {
        if self.set == ObjectSet::Blobs
            && self.disk.free_bytes(&self.dir)? < RESERVED_BYTES + bytes as u64
        {
            let dir = self.dir.display();
            let what = format!(
                "cannot write to `{dir}`: fewer than {RESERVED_BYTES} bytes are left on the disk"
            );
            return Err(io::Error::new(io::ErrorKind::StorageFull, what).into());
        }
        Ok(())
    }
}

/// Parses the id of an object from the name of its file.
fn parse_id(name: &OsString) -> Option<ObjectId> {
    name.to_str()?.parse().ok()
}

impl Objects for ObjectFiles {
    fn stage(&self) -> Result<Box<dyn Staged>> {
        self.directory.check_room(0)?;
        let id = ObjectId::random();
        let path = self.directory.staged(id);
        self.directory
            .remember_failure(self.directory.disk.create(&path))?;
        Ok(Box::new(StagedFile {
            id,
            path,
            len: 0,
            directory: Arc::clone(&self.directory),
            outlives_writer: false,
        }))
    }

    fn open(&self, id: ObjectId) -> Result<Option<Arc<dyn Object>>> {
        self.directory.open(&self.directory.published(id))
    }

    fn remove(&self, id: ObjectId) -> Result<bool> {
        let directory = &self.directory;
        let removed = disk::remove_if_present(&*directory.disk, &directory.published(id))?;
        if removed {
            directory.sync()?;
        }
        Ok(removed)
    }

    fn list(&self) -> Result<Vec<ObjectId>> {
        let names = self.directory.disk.list(&self.directory.dir)?;
        Ok(names.iter().filter_map(parse_id).collect())
    }

    fn quarantine(&self, id: ObjectId, since: i64) -> Result<bool> {
        let file = self.directory.published(id);
        let set = self.directory.set.name();
        self.quarantine.add(&file, set, &id.to_string(), since)
    }

    fn unpublish(&self, id: ObjectId) -> Result<bool> {
        let (published, retained) = (self.directory.published(id), self.directory.retained(id));
        match self.directory.disk.rename(&published, &retained) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn open_staged(&self, id: ObjectId) -> Result<Option<Arc<dyn Object>>> {
        self.directory.open(&self.directory.retained(id))
    }

    fn discard(&self, id: ObjectId) -> Result<bool> {
        let directory = &self.directory;
        Ok(disk::remove_if_present(
            &*directory.disk,
            &directory.retained(id),
        )?)
    }

    fn list_staged(&self) -> Result<Vec<ObjectId>> {
        let names = self.directory.disk.list(&self.directory.staging)?;
        let retained = |name: &OsString| name.to_str()?.strip_suffix(RETAINED)?.parse().ok();
        Ok(names.iter().filter_map(retained).collect())
    }

    fn quarantine_staged(&self, id: ObjectId, since: i64) -> Result<bool> {
        let file = self.directory.retained(id);
        self.quarantine
            .add(&file, "staging", &id.to_string(), since)
    }

    fn failure(&self) -> Option<Failure> {
        let checked = self.directory.check_writable();
        let checked = if self.directory.is_failing.load(Ordering::Relaxed) {
            checked.and_then(|()| {
                let mut staged = self.stage()?;
                staged.append(&[0])?;
                staged.sync()
            })
        } else {
            checked
        };
        checked.err().map(|error| Failure::from(&error))
    }
}

/// A file that is opened for each write: the number of uploads may exceed the limit of open files.
struct StagedFile {
    id: ObjectId,
    path: PathBuf,
    /// The number of written bytes.
    len: u64,
    directory: Arc<Directory>,
    /// True if the file is retained or published, so that a drop does not remove it.
    outlives_writer: bool,
}

impl StagedFile {
    fn open(&self) -> Result<Arc<dyn DiskFile>> {
        self.directory
            .remember_failure(self.directory.disk.open(&self.path, Access::Write))
    }
}

impl Staged for StagedFile {
    fn id(&self) -> ObjectId {
        self.id
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.directory.check_room(bytes.len())?;
        let file = self.open()?;
        self.directory
            .remember_failure(file.write_at(self.len, bytes))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        let file = self.open()?;
        self.directory.remember_failure(file.sync())
    }

    fn retain(&mut self) -> Result<()> {
        if !self.outlives_writer {
            let retained = self.directory.retained(self.id);
            self.directory.disk.rename(&self.path, &retained)?;
            self.path = retained;
            self.outlives_writer = true;
        }
        Ok(())
    }

    fn publish(mut self: Box<Self>) -> Result<()> {
        self.sync()?;
        let published = self.directory.published(self.id);
        let disk = &self.directory.disk;
        self.directory
            .remember_failure(disk.rename(&self.path, &published))?;
        self.outlives_writer = true;
        self.directory.remember_failure(self.directory.sync())
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if !self.outlives_writer
            && let Err(error) = self.directory.disk.remove(&self.path)
        {
            tracing::warn!(%error, "a staged object could not be removed; the next start will remove it");
        }
    }
}

struct ObjectFile {
    file: Arc<dyn DiskFile>,
    len: u64,
}

impl Object for ObjectFile {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        Ok(self.file.read_at(offset, buffer)?)
    }
}
