//! A disk in memory that tracks which data is durable, and that loses power, fails or fills up on demand.

mod history;
mod image;
mod operation;
mod random;

use std::{
    ffi::OsString,
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use rustix::io::Errno;
use sealock_store::disk::{Access, Disk, DiskFile};

use self::image::{Effect, Node, parent};
pub(crate) use self::{
    history::History,
    image::Image,
    operation::{Failure, Kind, Operation},
    random::{Random, seed},
};

type Faults = Box<dyn FnMut(&Operation<'_>) -> Option<Failure> + Send>;

/// A disk in memory. Clones are the same disk.
#[derive(Clone)]
pub(crate) struct SimulatedDisk(Arc<Mutex<State>>);

struct State {
    image: Image,
    initial: Image,
    effects: Vec<Effect>,
    operations: usize,
    faults: Option<Faults>,
    capacity: u64,
}

impl fmt::Debug for SimulatedDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimulatedDisk")
    }
}

impl SimulatedDisk {
    /// Creates a disk with the content of `image`. Everything on it is durable.
    pub(crate) fn new(image: Image) -> Self {
        Self(Arc::new(Mutex::new(State {
            initial: image.clone(),
            image,
            effects: Vec::new(),
            operations: 0,
            faults: None,
            capacity: u64::MAX,
        })))
    }

    pub(crate) fn empty() -> Self {
        Self::new(Image::default())
    }

    /// Returns the current content.
    pub(crate) fn image(&self) -> Image {
        self.lock().image.clone()
    }

    /// Returns the number of changes and syncs so far.
    pub(crate) fn effects(&self) -> usize {
        self.lock().effects.len()
    }

    /// Returns the number of operations so far.
    pub(crate) fn operations(&self) -> usize {
        self.lock().operations
    }

    /// Returns the history of the content.
    pub(crate) fn history(&self) -> History {
        let state = self.lock();
        History {
            image: state.initial.clone(),
            effects: state.effects.clone(),
            next: 0,
        }
    }

    /// Makes each later operation fail as `faults` decides.
    pub(crate) fn fail(
        &self,
        faults: impl FnMut(&Operation<'_>) -> Option<Failure> + Send + 'static,
    ) {
        self.lock().faults = Some(Box::new(faults));
    }

    /// Makes all later operations succeed.
    pub(crate) fn mend(&self) {
        let mut state = self.lock();
        state.faults = None;
        state.capacity = u64::MAX;
    }

    /// Limits the free space to `bytes`.
    pub(crate) fn leave_room(&self, bytes: u64) {
        let mut state = self.lock();
        state.capacity = state.image.used() + bytes;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Counts an operation and returns the state, unless the operation fails.
    fn begin(&self, kind: Kind, path: &Path) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        match state.fault(kind, path) {
            Some(failure) => Err(failure.errno.into()),
            None => Ok(state),
        }
    }
}

impl State {
    fn fault(&mut self, kind: Kind, path: &Path) -> Option<Failure> {
        let number = self.operations;
        self.operations += 1;
        let faults = self.faults.as_mut()?;
        faults(&Operation { number, kind, path })
    }

    fn take_effect(&mut self, effect: Effect) {
        self.image.apply(&effect);
        self.effects.push(effect);
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        match self.image.names.get(path) {
            Some(Node::File(file)) => Ok(*file),
            Some(Node::Dir) => Err(Errno::ISDIR.into()),
            None => Err(Errno::NOENT.into()),
        }
    }

    fn has_dir(&self, dir: &Path) -> bool {
        dir == Path::new("/") || self.image.names.get(dir) == Some(&Node::Dir)
    }

    fn check_parent(&self, path: &Path) -> io::Result<()> {
        if self.has_dir(&parent(path)) {
            Ok(())
        } else {
            Err(Errno::NOENT.into())
        }
    }
}

impl Disk for SimulatedDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.begin(Kind::Create, path)?;
        state.check_parent(path)?;
        if state.image.names.contains_key(path) {
            return Err(Errno::EXIST.into());
        }
        state.take_effect(Effect::Create(path.to_owned()));
        let file = state.image.contents.len() - 1;
        drop(state);
        Ok(self.opened(file, path, Access::Write))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.begin(Kind::Open, path)?.file(path)?;
        Ok(self.opened(file, path, access))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.begin(Kind::Rename, from)?;
        state.file(from)?;
        state.check_parent(to)?;
        state.take_effect(Effect::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.begin(Kind::Remove, path)?;
        state.file(path)?;
        state.take_effect(Effect::Remove(path.to_owned()));
        Ok(())
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.begin(Kind::CreateDir, dir)?;
        let ancestors: Vec<_> = dir.ancestors().collect();
        for dir in ancestors.into_iter().rev() {
            if !state.has_dir(dir) {
                state.take_effect(Effect::CreateDir(dir.to_owned()));
                state.take_effect(Effect::SyncDir(parent(dir)));
            }
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.begin(Kind::SyncDir, dir)?;
        if !state.has_dir(dir) {
            return Err(Errno::NOENT.into());
        }
        state.take_effect(Effect::SyncDir(dir.to_owned()));
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        let state = self.begin(Kind::List, dir)?;
        let names = state.image.names.keys();
        let inside = names.filter(|path| path.parent() == Some(dir));
        Ok(inside
            .filter_map(|path| Some(path.file_name()?.to_owned()))
            .collect())
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        let state = self.begin(Kind::FreeBytes, dir)?;
        Ok(state.capacity.saturating_sub(state.image.used()))
    }
}

impl SimulatedDisk {
    fn opened(&self, file: usize, path: &Path, access: Access) -> Arc<dyn DiskFile> {
        Arc::new(SimulatedFile {
            disk: self.clone(),
            file,
            path: path.to_owned(),
            access,
        })
    }
}

#[derive(Debug)]
struct SimulatedFile {
    disk: SimulatedDisk,
    file: usize,
    path: PathBuf,
    access: Access,
}

impl SimulatedFile {
    fn check_writable(&self) -> io::Result<()> {
        match self.access {
            Access::Write => Ok(()),
            Access::Read => Err(Errno::BADF.into()),
        }
    }
}

impl DiskFile for SimulatedFile {
    fn len(&self) -> io::Result<u64> {
        let state = self.disk.begin(Kind::Len, &self.path)?;
        Ok(state.image.contents[self.file].now.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let state = self.disk.begin(Kind::Read, &self.path)?;
        if buffer.is_empty() {
            return Ok(());
        }
        let content = &state.image.contents[self.file].now;
        let start = usize::try_from(offset).ok();
        let range = start.and_then(|start| content.get(start..)?.get(..buffer.len()));
        buffer.copy_from_slice(range.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.check_writable()?;
        let mut state = self.disk.lock();
        let failure = state.fault(Kind::Write, &self.path);
        let length = state.image.contents[self.file].now.len() as u64;
        let used = state.image.used();
        let room = length + state.capacity.saturating_sub(used);
        let fits = usize::try_from(room.saturating_sub(offset)).unwrap_or(usize::MAX);
        let failure = failure.or_else(|| {
            (bytes.len() > fits && state.capacity != u64::MAX).then_some(Failure {
                written: fits,
                ..Errno::NOSPC.into()
            })
        });
        let written = failure.map_or(bytes.len(), |failure| failure.written.min(bytes.len()));
        if written > 0 {
            state.take_effect(Effect::Write(self.file, offset, bytes[..written].into()));
        }
        match failure {
            Some(failure) => Err(failure.errno.into()),
            None => Ok(()),
        }
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.check_writable()?;
        let mut state = self.disk.begin(Kind::SetLen, &self.path)?;
        state.take_effect(Effect::SetLen(self.file, length));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.lock();
        match state.fault(Kind::Sync, &self.path) {
            Some(failure) => {
                if failure.forgets {
                    state.take_effect(Effect::Forget(self.file));
                }
                Err(failure.errno.into())
            }
            None => {
                state.take_effect(Effect::Sync(self.file));
                Ok(())
            }
        }
    }
}
