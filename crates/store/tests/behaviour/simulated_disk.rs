//! A disk in memory that keeps track of durable data, and that loses power, fails or fills up on demand.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use rustix::io::Errno;
use sealock_store::disk::{Access, Disk, DiskFile};

/// The number of bytes that a disk writes at once. A loss of power leaves a sector either old or new.
const SECTOR: usize = 512;

/// A generator of pseudorandom numbers from a seed (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap()
    }

    fn is(&mut self) -> bool {
        self.next().is_multiple_of(2)
    }
}

/// The effect of an operation on the disk.
#[derive(Clone, Debug)]
enum Effect {
    Create(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    CreateDir(PathBuf),
    SyncDir(PathBuf),
    Write(usize, u64, Arc<[u8]>),
    SetLen(usize, u64),
    Sync(usize),
    /// A failed sync that resets the file to its state at the last successful one.
    Forget(usize),
}

/// A change of a file that is not yet durable.
#[derive(Clone, Debug)]
enum Unsynced {
    Write(usize, Arc<[u8]>),
    SetLen(usize),
}

impl Unsynced {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write(at, bytes) => write(content, *at, bytes),
            Self::SetLen(length) => content.resize(*length, 0),
        }
    }
}

fn write(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[at..end].copy_from_slice(bytes);
}

#[derive(Clone, Debug, Default)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Unsynced>,
}

/// A change of names that is not yet durable. It becomes durable once the directory is synced.
#[derive(Clone, Debug)]
struct Naming {
    dir: PathBuf,
    /// The names, each with its file after the change.
    names: Vec<(PathBuf, Option<Node>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Dir,
    File(usize),
}

type Names = BTreeMap<PathBuf, Node>;

/// The content of a disk. A copy of it is another disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    contents: Vec<Content>,
    names: Names,
    durable: Names,
    unsynced: Vec<Naming>,
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("/")).to_owned()
}

impl Image {
    fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Create(path) => {
                self.contents.push(Content::default());
                let node = Some(Node::File(self.contents.len() - 1));
                self.name(&parent(path), vec![(path.clone(), node)]);
            }
            Effect::Rename(from, to) => {
                let node = self.names.get(from).copied();
                let (away, here) = ((from.clone(), None), (to.clone(), node));
                if parent(from) == parent(to) {
                    self.name(&parent(to), vec![away, here]);
                } else {
                    self.name(&parent(to), vec![here]);
                    self.name(&parent(from), vec![away]);
                }
            }
            Effect::Remove(path) => self.name(&parent(path), vec![(path.clone(), None)]),
            Effect::CreateDir(path) => {
                self.name(&parent(path), vec![(path.clone(), Some(Node::Dir))]);
            }
            Effect::SyncDir(dir) => {
                let changes = std::mem::take(&mut self.unsynced);
                for change in changes {
                    if change.dir == *dir {
                        rename(&mut self.durable, &change.names);
                    } else {
                        self.unsynced.push(change);
                    }
                }
            }
            Effect::Write(file, offset, bytes) => {
                let at = usize::try_from(*offset).unwrap();
                self.change(*file, Unsynced::Write(at, Arc::clone(bytes)));
            }
            Effect::SetLen(file, length) => {
                self.change(*file, Unsynced::SetLen(usize::try_from(*length).unwrap()));
            }
            Effect::Sync(file) => {
                let Content {
                    durable, unsynced, ..
                } = &mut self.contents[*file];
                unsynced.drain(..).for_each(|change| change.apply(durable));
            }
            Effect::Forget(file) => {
                let content = &mut self.contents[*file];
                content.now = content.durable.clone();
                content.unsynced.clear();
            }
        }
    }

    fn name(&mut self, dir: &Path, names: Vec<(PathBuf, Option<Node>)>) {
        rename(&mut self.names, &names);
        let dir = dir.to_owned();
        self.unsynced.push(Naming { dir, names });
    }

    fn change(&mut self, file: usize, change: Unsynced) {
        let content = &mut self.contents[file];
        change.apply(&mut content.now);
        content.unsynced.push(change);
    }

    /// Returns the content after a kill of the process: all of it, with the unsynced changes still not durable.
    pub(crate) fn after_kill(&self) -> Self {
        self.clone()
    }

    /// Returns the content after a loss of power: the durable data, and some of the other data.
    pub(crate) fn after_loss_of_power(&self, random: &mut Random) -> Self {
        let mut names = self.durable.clone();
        // None, some or all of the unsynced changes reach the disk.
        let chance = random.below(3);
        for change in &self.unsynced {
            if happens(random, chance) {
                rename(&mut names, &change.names);
            }
        }
        let contents = self.contents.iter().map(|content| {
            let chance = random.below(3);
            content.after_loss_of_power(random, chance)
        });
        let contents: Vec<_> = contents.collect();
        Self::found(names, contents.into_iter())
    }

    fn found(mut names: Names, contents: impl Iterator<Item = Vec<u8>>) -> Self {
        let dirs: BTreeSet<PathBuf> = names
            .iter()
            .filter(|(_, node)| **node == Node::Dir)
            .map(|(path, _)| path.clone())
            .collect();
        let is_there = |path: &Path| {
            let mut above = path.ancestors().skip(1);
            above.all(|dir| dir == Path::new("/") || dirs.contains(dir))
        };
        names.retain(|path, _| is_there(path));
        let contents = contents.map(|now| Content {
            durable: now.clone(),
            now,
            unsynced: Vec::new(),
        });
        Self {
            contents: contents.collect(),
            durable: names.clone(),
            names,
            unsynced: Vec::new(),
        }
    }

    /// Returns all files with their content.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let file = |(path, node): (&PathBuf, &Node)| match node {
            Node::File(file) => Some((path.clone(), self.contents[*file].now.clone())),
            Node::Dir => None,
        };
        self.names.iter().filter_map(file).collect()
    }

    /// Replaces the content of a file, durably.
    pub(crate) fn set(&mut self, path: &Path, bytes: &[u8]) {
        let Some(Node::File(file)) = self.names.get(path).copied() else {
            panic!("{} is no file", path.display());
        };
        self.contents[file].now = bytes.to_vec();
        self.contents[file].durable = bytes.to_vec();
    }

    fn used(&self) -> u64 {
        let named = self.names.values().filter_map(|node| match node {
            Node::File(file) => Some(self.contents[*file].now.len() as u64),
            Node::Dir => None,
        });
        named.sum()
    }
}

fn happens(random: &mut Random, chance: usize) -> bool {
    match chance {
        0 => false,
        1 => random.is(),
        _ => true,
    }
}

fn rename(names: &mut Names, changes: &[(PathBuf, Option<Node>)]) {
    for (path, node) in changes {
        match node {
            Some(node) => names.insert(path.clone(), *node),
            None => names.remove(path),
        };
    }
}

impl Content {
    fn after_loss_of_power(&self, random: &mut Random, chance: usize) -> Vec<u8> {
        let mut found = self.durable.clone();
        let mut lengths = vec![found.len()];
        let mut length = found.len();
        let last = self.unsynced.len().saturating_sub(1);
        for (number, change) in self.unsynced.iter().enumerate() {
            match change {
                Unsynced::Write(at, bytes) => {
                    length = length.max(at + bytes.len());
                    if happens(random, chance) {
                        let is_whole = match chance {
                            1 => random.is(),
                            _ => number != last || random.is(),
                        };
                        write_torn(&mut found, *at, bytes, is_whole, random);
                    }
                }
                Unsynced::SetLen(new) => {
                    length = *new;
                    if happens(random, chance) {
                        found.resize(*new, 0);
                    }
                }
            }
            lengths.push(length);
        }
        // A file may have any length that it ever had, without the bytes that were written there.
        if random.is() {
            found.resize(lengths[random.below(lengths.len())], 0);
        }
        found
    }
}

/// Writes all of `bytes` or a part of them: a prefix of any length, or some sectors.
fn write_torn(found: &mut Vec<u8>, at: usize, bytes: &[u8], is_whole: bool, random: &mut Random) {
    if is_whole {
        write(found, at, bytes);
    } else if random.is() {
        write(found, at, &bytes[..random.below(bytes.len() + 1)]);
    } else {
        let mut done = 0;
        while done < bytes.len() {
            let end = (done + SECTOR - (at + done) % SECTOR).min(bytes.len());
            if random.is() {
                write(found, at + done, &bytes[done..end]);
            }
            done = end;
        }
    }
}

/// The kind of an operation on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Create,
    Open,
    Rename,
    Remove,
    CreateDir,
    SyncDir,
    List,
    FreeBytes,
    Len,
    Read,
    Write,
    SetLen,
    Sync,
}

impl Kind {
    /// Returns true if the operation leaves the disk unchanged.
    pub(crate) fn is_read(self) -> bool {
        use Kind::{FreeBytes, Len, List, Open, Read};
        matches!(self, Open | List | FreeBytes | Len | Read)
    }
}

/// An operation on a disk.
#[derive(Debug)]
pub(crate) struct Operation<'a> {
    /// The number of operations before it.
    pub(crate) number: usize,
    pub(crate) kind: Kind,
    pub(crate) path: &'a Path,
}

/// The failure of an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    pub(crate) errno: Errno,
    /// The number of bytes that a failing write still writes.
    pub(crate) written: usize,
    /// True if a failing sync resets the file to its state at the last successful one.
    pub(crate) forgets: bool,
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self {
            errno,
            written: 0,
            forgets: false,
        }
    }
}

type Faults = Box<dyn FnMut(&Operation<'_>) -> Option<Failure> + Send>;

/// A disk in memory. Clones are the same disk.
#[derive(Clone)]
pub(crate) struct SimulatedDisk(Arc<Mutex<State>>);

struct State {
    image: Image,
    began: Image,
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
    /// Creates a disk with the content of `image`, all of it durable.
    pub(crate) fn new(image: Image) -> Self {
        Self(Arc::new(Mutex::new(State {
            began: image.clone(),
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

    /// Returns the number of operations that changed something or were to make it durable.
    pub(crate) fn effects(&self) -> usize {
        self.lock().effects.len()
    }

    /// Returns the number of operations so far.
    pub(crate) fn operations(&self) -> usize {
        self.lock().operations
    }

    /// Returns the content before each effect, in the order of the effects, and the current content.
    pub(crate) fn history(&self) -> History {
        let state = self.lock();
        History {
            image: state.began.clone(),
            effects: state.effects.clone(),
            next: 0,
        }
    }

    /// Lets `faults` decide the failure of each operation from now on.
    pub(crate) fn fail(
        &self,
        faults: impl FnMut(&Operation<'_>) -> Option<Failure> + Send + 'static,
    ) {
        self.lock().faults = Some(Box::new(faults));
    }

    /// Lets all operations succeed from now on.
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

    /// Returns the state, unless the operation fails.
    fn operate(&self, kind: Kind, path: &Path) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        match state.fault(kind, path) {
            Some(failure) => Err(failure.errno.into()),
            None => Ok(state),
        }
    }
}

/// The past content of a disk, effect by effect.
pub(crate) struct History {
    image: Image,
    effects: Vec<Effect>,
    next: usize,
}

impl History {
    /// Advances to the content after `effects`, which must not be fewer than before.
    pub(crate) fn at(&mut self, effects: usize) -> &Image {
        while self.next < effects {
            self.image.apply(&self.effects[self.next]);
            self.next += 1;
        }
        &self.image
    }

    pub(crate) fn len(&self) -> usize {
        self.effects.len()
    }

    /// Describes the last one of the first `effects`.
    pub(crate) fn describe(&self, effects: usize) -> String {
        let effect = effects.checked_sub(1).map(|last| &self.effects[last]);
        match effect {
            Some(Effect::Write(file, at, bytes)) => format!("Write({file}, {at}, {})", bytes.len()),
            effect => format!("{effect:?}"),
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

    fn expect_dir(&self, path: &Path) -> io::Result<()> {
        if self.has_dir(&parent(path)) {
            Ok(())
        } else {
            Err(Errno::NOENT.into())
        }
    }
}

impl Disk for SimulatedDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.operate(Kind::Create, path)?;
        state.expect_dir(path)?;
        if state.image.names.contains_key(path) {
            return Err(Errno::EXIST.into());
        }
        state.take_effect(Effect::Create(path.to_owned()));
        let file = state.image.contents.len() - 1;
        drop(state);
        Ok(self.opened(file, path, Access::Write))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.operate(Kind::Open, path)?.file(path)?;
        Ok(self.opened(file, path, access))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.operate(Kind::Rename, from)?;
        state.file(from)?;
        state.expect_dir(to)?;
        state.take_effect(Effect::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.operate(Kind::Remove, path)?;
        state.file(path)?;
        state.take_effect(Effect::Remove(path.to_owned()));
        Ok(())
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.operate(Kind::CreateDir, dir)?;
        let above: Vec<_> = dir.ancestors().collect();
        for dir in above.into_iter().rev() {
            if !state.has_dir(dir) {
                state.take_effect(Effect::CreateDir(dir.to_owned()));
                state.take_effect(Effect::SyncDir(parent(dir)));
            }
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.operate(Kind::SyncDir, dir)?;
        if !state.has_dir(dir) {
            return Err(Errno::NOENT.into());
        }
        state.take_effect(Effect::SyncDir(dir.to_owned()));
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        let state = self.operate(Kind::List, dir)?;
        let names = state.image.names.keys();
        let inside = names.filter(|path| path.parent() == Some(dir));
        Ok(inside
            .filter_map(|path| Some(path.file_name()?.to_owned()))
            .collect())
    }

    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        let state = self.operate(Kind::FreeBytes, dir)?;
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
    fn expect_writable(&self) -> io::Result<()> {
        match self.access {
            Access::Write => Ok(()),
            Access::Read => Err(Errno::BADF.into()),
        }
    }
}

impl DiskFile for SimulatedFile {
    fn len(&self) -> io::Result<u64> {
        let state = self.disk.operate(Kind::Len, &self.path)?;
        Ok(state.image.contents[self.file].now.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let state = self.disk.operate(Kind::Read, &self.path)?;
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
        self.expect_writable()?;
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
        self.expect_writable()?;
        let mut state = self.disk.operate(Kind::SetLen, &self.path)?;
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
