use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::random::Random;

/// The size of a sector, in bytes. A power cut leaves each sector either old or new.
const SECTOR: usize = 512;

/// The effect of an operation on the disk.
#[derive(Clone, Debug)]
pub(super) enum Effect {
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
pub(super) struct Content {
    pub(super) now: Vec<u8>,
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
pub(super) enum Node {
    Dir,
    File(usize),
}

pub(super) type Names = BTreeMap<PathBuf, Node>;

/// The content of a disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    pub(super) contents: Vec<Content>,
    pub(super) names: Names,
    durable: Names,
    unsynced: Vec<Naming>,
}

pub(super) fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("/")).to_owned()
}

impl Image {
    pub(super) fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Create(path) => {
                self.contents.push(Content::default());
                let node = Some(Node::File(self.contents.len() - 1));
                self.change_names(&parent(path), vec![(path.clone(), node)]);
            }
            Effect::Rename(from, to) => {
                let node = self.names.get(from).copied();
                let (away, here) = ((from.clone(), None), (to.clone(), node));
                if parent(from) == parent(to) {
                    self.change_names(&parent(to), vec![away, here]);
                } else {
                    self.change_names(&parent(to), vec![here]);
                    self.change_names(&parent(from), vec![away]);
                }
            }
            Effect::Remove(path) => self.change_names(&parent(path), vec![(path.clone(), None)]),
            Effect::CreateDir(path) => {
                self.change_names(&parent(path), vec![(path.clone(), Some(Node::Dir))]);
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
                self.change_file(*file, Unsynced::Write(at, Arc::clone(bytes)));
            }
            Effect::SetLen(file, length) => {
                self.change_file(*file, Unsynced::SetLen(usize::try_from(*length).unwrap()));
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

    fn change_names(&mut self, dir: &Path, names: Vec<(PathBuf, Option<Node>)>) {
        rename(&mut self.names, &names);
        let dir = dir.to_owned();
        self.unsynced.push(Naming { dir, names });
    }

    fn change_file(&mut self, file: usize, change: Unsynced) {
        let content = &mut self.contents[file];
        change.apply(&mut content.now);
        content.unsynced.push(change);
    }

    /// Returns the content after a kill of the process: everything, with the unsynced changes still not durable.
    pub(crate) fn after_kill(&self) -> Self {
        self.clone()
    }

    /// Returns the content after a power cut: the durable data and some of the rest.
    pub(crate) fn after_power_cut(&self, random: &mut Random) -> Self {
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
            content.after_power_cut(random, chance)
        });
        let contents: Vec<_> = contents.collect();
        Self::durable(names, contents.into_iter())
    }

    /// Returns the content after a power cut that keeps only the durable data.
    pub(crate) fn without_unsynced(&self) -> Self {
        let contents = self.contents.iter().map(|content| content.durable.clone());
        Self::durable(self.durable.clone(), contents)
    }

    fn durable(mut names: Names, contents: impl Iterator<Item = Vec<u8>>) -> Self {
        let dirs: BTreeSet<PathBuf> = names
            .iter()
            .filter(|(_, node)| **node == Node::Dir)
            .map(|(path, _)| path.clone())
            .collect();
        let is_reachable = |path: &Path| {
            let mut parents = path.ancestors().skip(1);
            parents.all(|dir| dir == Path::new("/") || dirs.contains(dir))
        };
        names.retain(|path, _| is_reachable(path));
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
            panic!("{} is not a file", path.display());
        };
        self.contents[file].now = bytes.to_vec();
        self.contents[file].durable = bytes.to_vec();
    }

    pub(super) fn used(&self) -> u64 {
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
        1 => random.coin(),
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
    fn after_power_cut(&self, random: &mut Random, chance: usize) -> Vec<u8> {
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
                            1 => random.coin(),
                            _ => number != last || random.coin(),
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
        // A file may have any length that it ever had, without the bytes written up to there.
        if random.coin() {
            found.resize(lengths[random.below(lengths.len())], 0);
        }
        found
    }
}

/// Writes all of `bytes`, or only a prefix of any length, or only some sectors.
fn write_torn(found: &mut Vec<u8>, at: usize, bytes: &[u8], is_whole: bool, random: &mut Random) {
    if is_whole {
        write(found, at, bytes);
    } else if random.coin() {
        write(found, at, &bytes[..random.below(bytes.len() + 1)]);
    } else {
        let mut done = 0;
        while done < bytes.len() {
            let end = (done + SECTOR - (at + done) % SECTOR).min(bytes.len());
            if random.coin() {
                write(found, at + done, &bytes[done..end]);
            }
            done = end;
        }
    }
}
