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
    disk::{self, Access, Disk, DiskFile},
    metadata::Failure,
};

/// The number of bytes that blobs leave free on the disk: operations on keys and registries go on when pushes are
/// refused.
const SPARED_BYTES: u64 = 8 * 1024 * 1024;

/// The suffix of the name of a kept file: a staged file that outlives its writer.
const KEPT: &str = ".kept";

/// Objects as files of one directory, staged in its subdirectory `staging`.
pub struct ObjectFiles {
    place: Arc<Place>,
    quarantine: Quarantine,
}

#[derive(Debug)]
struct Place {
    disk: Arc<dyn Disk>,
    set: ObjectSet,
    dir: PathBuf,
    staging: PathBuf,
    /// True if an operation failed since the last successful write.
    is_failing: AtomicBool,
}

impl ObjectFiles {
    /// Opens the directory below `dir`, and creates it if it is missing. Removes the objects that an earlier process
    /// staged but did not keep.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn open(disk: &Arc<dyn Disk>, dir: &Path, set: ObjectSet) -> Result<Self> {
        let files = Self::look(disk, dir, set);
        let place = &files.place;
        disk.create_dir(&place.dir)?;
        disk.create_dir(&place.staging)?;
        for name in disk.list(&place.staging)? {
            if object(&name).is_some() {
                disk.remove(&place.staging.join(name))?;
            }
        }
        // A kill may leave a published object without a sync. It is made durable before anybody reads it.
        disk.sync_dir(&place.dir)?;
        Ok(files)
    }

    /// Opens the objects in the directory below `dir` for inspection. Creates and removes nothing.
    pub(crate) fn look(disk: &Arc<dyn Disk>, dir: &Path, set: ObjectSet) -> Self {
        let place = Place {
            disk: Arc::clone(disk),
            set,
            dir: dir.join(set.name()),
            staging: dir.join(set.name()).join("staging"),
            is_failing: AtomicBool::default(),
        };
        Self {
            place: Arc::new(place),
            quarantine: Quarantine::open(disk, dir),
        }
    }
}

impl Place {
    fn published(&self, id: ObjectId) -> PathBuf {
        self.dir.join(id.to_string())
    }

    fn staged(&self, id: ObjectId) -> PathBuf {
        self.staging.join(id.to_string())
    }

    fn kept(&self, id: ObjectId) -> PathBuf {
        self.staging.join(format!("{id}{KEPT}"))
    }

    fn open(&self, path: &Path) -> Result<Option<Arc<dyn Object>>> {
        let opened = disk::open_if_present(&*self.disk, path, Access::Read);
        // The next check of the disk's condition finds the reason.
        let opened = opened.inspect_err(|_| self.is_failing.store(true, Ordering::Relaxed))?;
        let Some(file) = opened else {
            return Ok(None);
        };
        let len = file.len()?;
        Ok(Some(Arc::new(ObjectFile { file, len })))
    }

    /// Notes the outcome of a write.
    fn note<T>(&self, written: io::Result<T>) -> Result<T> {
        self.is_failing.store(written.is_err(), Ordering::Relaxed);
        Ok(written?)
    }

    /// Fails if the disk is known to be full or read-only. Does not try a write.
    fn check_writable(&self) -> Result<()> {
        self.check_room(0)?;
        if self.disk.is_read_only(&self.dir)? {
            let what = format!(
                "cannot write below `{}`: it is read-only",
                self.dir.display()
            );
            return Err(io::Error::new(io::ErrorKind::ReadOnlyFilesystem, what).into());
        }
        Ok(())
    }

    /// Refuses a write that would take the space reserved for everything else.
    fn check_room(&self, bytes: usize) -> Result<()> {
        if self.set == ObjectSet::Blobs
            && self.disk.free_bytes(&self.dir)? < SPARED_BYTES + bytes as u64
        {
            let dir = self.dir.display();
            let what = format!(
                "cannot write below `{dir}`: no more than {SPARED_BYTES} bytes are left on the disk"
            );
            return Err(io::Error::new(io::ErrorKind::StorageFull, what).into());
        }
        Ok(())
    }
}

/// Parses the id of an object from the name of its file.
fn object(name: &OsString) -> Option<ObjectId> {
    name.to_str()?.parse().ok()
}

impl Objects for ObjectFiles {
    fn stage(&self) -> Result<Box<dyn Staged>> {
        self.place.check_room(0)?;
        let id = ObjectId::random();
        let path = self.place.staged(id);
        self.place.note(self.place.disk.create(&path))?;
        Ok(Box::new(StagedFile {
            id,
            path,
            len: 0,
            place: Arc::clone(&self.place),
            stays: false,
        }))
    }

    fn open(&self, id: ObjectId) -> Result<Option<Arc<dyn Object>>> {
        self.place.open(&self.place.published(id))
    }

    fn remove(&self, id: ObjectId) -> Result<bool> {
        let place = &self.place;
        let removed = disk::remove_if_present(&*place.disk, &place.published(id))?;
        if removed {
            place.disk.sync_dir(&place.dir)?;
        }
        Ok(removed)
    }

    fn list(&self) -> Result<Vec<ObjectId>> {
        let names = self.place.disk.list(&self.place.dir)?;
        Ok(names.iter().filter_map(object).collect())
    }

    fn set_aside(&self, id: ObjectId, since: i64) -> Result<bool> {
        let file = self.place.published(id);
        let set = self.place.set.name();
        self.quarantine.add(&file, set, &id.to_string(), since)
    }

    fn unpublish(&self, id: ObjectId) -> Result<bool> {
        let (published, kept) = (self.place.published(id), self.place.kept(id));
        match self.place.disk.rename(&published, &kept) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn open_staged(&self, id: ObjectId) -> Result<Option<Arc<dyn Object>>> {
        self.place.open(&self.place.kept(id))
    }

    fn discard(&self, id: ObjectId) -> Result<bool> {
        let place = &self.place;
        Ok(disk::remove_if_present(&*place.disk, &place.kept(id))?)
    }

    fn list_staged(&self) -> Result<Vec<ObjectId>> {
        let names = self.place.disk.list(&self.place.staging)?;
        let kept = |name: &OsString| name.to_str()?.strip_suffix(KEPT)?.parse().ok();
        Ok(names.iter().filter_map(kept).collect())
    }

    fn set_staged_aside(&self, id: ObjectId, since: i64) -> Result<bool> {
        let file = self.place.kept(id);
        self.quarantine
            .add(&file, "staging", &id.to_string(), since)
    }

    fn failure(&self) -> Option<Failure> {
        let checked = self.place.check_writable();
        let checked = if self.place.is_failing.load(Ordering::Relaxed) {
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

/// A file that is opened for each write: there may be more uploads than a process may have files open.
struct StagedFile {
    id: ObjectId,
    path: PathBuf,
    /// The number of bytes that were written.
    len: u64,
    place: Arc<Place>,
    /// Whether the staged file is not to be removed: it is kept, or has become the published one.
    stays: bool,
}

impl StagedFile {
    fn open(&self) -> Result<Arc<dyn DiskFile>> {
        self.place
            .note(self.place.disk.open(&self.path, Access::Write))
    }
}

impl Staged for StagedFile {
    fn id(&self) -> ObjectId {
        self.id
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.place.check_room(bytes.len())?;
        let file = self.open()?;
        self.place.note(file.write_at(self.len, bytes))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        let file = self.open()?;
        self.place.note(file.sync())
    }

    fn keep(&mut self) -> Result<()> {
        if !self.stays {
            let kept = self.place.kept(self.id);
            self.place.disk.rename(&self.path, &kept)?;
            self.path = kept;
            self.stays = true;
        }
        Ok(())
    }

    fn publish(mut self: Box<Self>) -> Result<()> {
        self.sync()?;
        let published = self.place.published(self.id);
        let disk = &self.place.disk;
        self.place.note(disk.rename(&self.path, &published))?;
        self.stays = true;
        self.place.note(disk.sync_dir(&self.place.dir))
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if !self.stays
            && let Err(error) = self.place.disk.remove(&self.path)
        {
            tracing::warn!(%error, "a staged object could not be removed; the next start sweeps it");
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
