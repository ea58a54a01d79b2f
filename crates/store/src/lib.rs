//! Where everything that must survive is kept: metadata records, objects (large, immutable files),
//! notes (small, replaceable ones) and the append-only journal.
//!
//! There is one write, [`Store::commit`]: atomic, and durable before it is visible. Each
//! commit to a *control* table raises the [`Epoch`] after the write is visible and before it is acknowledged, so
//! that a verdict remembered under an older epoch is known to be stale. The commit of a change contains its lines for
//! the journal. It also names the objects that lose their owner, so that they are removed even after a crash.
//!
//! The store knows no other crate's records: their tables are declared by the crates that own them.

mod authentication;
mod data_dir;
pub mod disk;
mod durable;
mod error;
mod format;
mod journal;
mod locks;
pub mod metadata;
pub mod notes;
pub mod objects;
pub mod ownership;
mod quarantine;
mod removals;
mod repair;
mod scan;
mod table;
mod update;

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    ops::Bound,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

pub use authentication::Authenticator;
pub use data_dir::{DataDir, check_directory};
pub use durable::{create_dir, create_secret};
pub use error::{Error, Fault, Result, fault};
pub use journal::Journal;
pub use locks::{Lock, LockGuard};
pub use quarantine::{Quarantine, Quarantined};
pub use repair::{
    Look, Repair, Source, TableDifference, check_offline, engine_of, finish, look, repair,
};
pub use scan::Scan;
pub use table::{Batch, Entry, Record, Table};

use crate::{
    disk::{Disk, RealDisk},
    format::Format,
    locks::Locks,
    metadata::{Condition, Database, EngineKind, MemoryMetadata, Metadata, copies},
    notes::{Durability, NoteFiles, Notes},
    objects::{ObjectFiles, ObjectSet, Objects},
    scan::Range,
};

/// What became of a commit.
#[must_use = "a conflict means that nothing was written"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// Written, durable and visible.
    Done,
    /// An expectation did not hold; nothing was written.
    Conflict,
}

/// How many control commits there have been. What was concluded under an older epoch may be stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(u64);

/// The location of a store, with its engine and its authenticator.
#[derive(Clone, Debug)]
pub struct StoreFiles {
    /// The disk.
    pub disk: Arc<dyn Disk>,
    /// The data directory.
    pub dir: PathBuf,
    /// The engine that holds the records.
    pub engine: EngineKind,
    /// The authenticator of all that the store writes.
    pub authenticator: Authenticator,
}

/// The emulator's whole persistent state. Clones share it.
#[derive(Clone)]
pub struct Store {
    metadata: Arc<dyn Metadata>,
    /// The keys of the records of completed removals. The next commit deletes these records.
    carried_out: Arc<Mutex<Vec<Vec<u8>>>>,
    locks: Locks,
    /// The content of registries.
    pub blobs: Arc<dyn Objects>,
    /// How far each unfinished upload is. Its content is staged among the `blobs`.
    pub uploads: Arc<dyn Notes>,
    /// A second copy of each registry's custody of its key.
    pub custodies: Arc<dyn Notes>,
    /// The vault's private keys, sealed, and the keys that seal them.
    pub vault_keys: Arc<dyn Objects>,
    /// The vault's audit events.
    pub audit: Journal,
    /// The files that no record mentions.
    pub quarantine: Quarantine,
}

impl StoreFiles {
    /// Describes a store in a directory of this machine, with the default engine.
    pub fn new(dir: impl Into<PathBuf>, authenticator: Authenticator) -> Self {
        Self {
            disk: Arc::new(RealDisk),
            dir: dir.into(),
            engine: EngineKind::default(),
            authenticator,
        }
    }

    pub(crate) fn metadata(&self) -> PathBuf {
        self.dir.join("metadata")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.metadata().join(self.engine.file_name())
    }

    /// Creates the data directory if it is missing, and makes it durable in any case: an earlier process may have been
    /// killed before it did.
    fn make_dir(&self) -> Result<()> {
        self.disk.create_dir(&self.dir)?;
        match self.disk.sync_dir(disk::parent(&self.dir)) {
            // Somebody with access to the parent directory made it.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
            synced => Ok(synced?),
        }
    }

    /// Creates the database of a new store, or checks that the existing one is there.
    fn find_or_create(&self) -> Result<()> {
        let is_there = self.is_there(&self.database())?;
        match Format::read(self)? {
            Some(format) if format.engine != self.engine => Err(Error::EngineDiffers {
                dir: self.dir.display().to_string(),
                found: format.engine.to_string(),
            }),
            Some(_) if !is_there => Err(self.missing(self.database())),
            Some(_) => Ok(()),
            None if is_there => Ok(()),
            // The first copy is written after the database.
            None if !copies::list(&*self.disk, &self.metadata())?.is_empty() => {
                Err(self.missing(self.database()))
            }
            None => {
                // A directory with objects is not new: its records are gone.
                for set in [ObjectSet::Blobs, ObjectSet::VaultKeys] {
                    let names = self.disk.list(&self.dir.join(set.name()))?;
                    if names.iter().any(|name| name != "staging") {
                        return Err(self.missing(format::path(&self.dir)));
                    }
                }
                Database::create(self, Uuid::new_v4())
            }
        }
    }

    fn is_there(&self, path: &std::path::Path) -> Result<bool> {
        let name = path.file_name();
        let names = self.disk.list(&self.metadata())?;
        Ok(names.iter().any(|found| Some(found.as_os_str()) == name))
    }

    fn missing(&self, file: PathBuf) -> Error {
        Error::Missing {
            dir: self.dir.display().to_string(),
            file,
        }
    }

    /// Checks that the file `format` belongs to the database. Writes the file if it is missing.
    fn check_format(&self, store: Uuid) -> Result<()> {
        match Format::read(self)? {
            Some(format) if format.store == store => Ok(()),
            Some(_) => {
                let why = "it is another data directory's";
                Err(Error::damaged_file(self.database(), why))
            }
            None => {
                let engine = self.engine;
                Format { store, engine }.write(&*self.disk, &self.dir, &self.authenticator)
            }
        }
    }
}

impl Store {
    /// Opens the store in a data directory. Creates the missing files of a new store.
    ///
    /// # Errors
    /// If the directory cannot be read or written, or something that was acknowledged is missing or damaged.
    pub fn open(files: StoreFiles) -> Result<Self> {
        if repair::is_unfinished(&*files.disk, &files.dir)? {
            return Err(Error::RepairUnfinished(files.dir.display().to_string()));
        }
        Self::open_whatever(files)
    }

    /// Opens the store, even while a repair is unfinished.
    fn open_whatever(files: StoreFiles) -> Result<Self> {
        files.make_dir()?;
        files.find_or_create()?;
        let (database, audit, store) = Database::open(files.clone())?;
        files.check_format(store)?;
        let StoreFiles { disk, dir, .. } = files;
        Ok(Self {
            metadata: Arc::new(database),
            carried_out: Arc::default(),
            locks: Locks::default(),
            blobs: Arc::new(ObjectFiles::open(&disk, &dir, ObjectSet::Blobs)?),
            uploads: Arc::new(NoteFiles::open(
                &disk,
                &dir,
                "uploads",
                Durability::Process,
            )?),
            custodies: Arc::new(NoteFiles::open(
                &disk,
                &dir,
                "custodies",
                Durability::Power,
            )?),
            vault_keys: Arc::new(ObjectFiles::open(&disk, &dir, ObjectSet::VaultKeys)?),
            audit,
            quarantine: Quarantine::open(&disk, &dir),
        })
    }

    /// Opens the objects and notes on disk for inspection, with the given records in memory.
    fn look(files: &StoreFiles, records: BTreeMap<Vec<u8>, Vec<u8>>) -> Self {
        let StoreFiles { disk, dir, .. } = files;
        let notes = |name, durability| NoteFiles::look(disk, dir, name, durability);
        let audit = Journal::in_memory();
        Self {
            metadata: Arc::new(MemoryMetadata::with(records, audit.clone())),
            carried_out: Arc::default(),
            locks: Locks::default(),
            blobs: Arc::new(ObjectFiles::look(disk, dir, ObjectSet::Blobs)),
            uploads: Arc::new(notes("uploads", Durability::Process)),
            custodies: Arc::new(notes("custodies", Durability::Power)),
            vault_keys: Arc::new(ObjectFiles::look(disk, dir, ObjectSet::VaultKeys)),
            audit,
            quarantine: Quarantine::open(disk, dir),
        }
    }

    /// A store in memory, gone with the process.
    pub fn ephemeral() -> Self {
        let audit = Journal::in_memory();
        Self {
            metadata: Arc::new(MemoryMetadata::new(audit.clone())),
            carried_out: Arc::default(),
            locks: Locks::default(),
            blobs: Arc::new(objects::MemoryObjects::default()),
            uploads: Arc::new(notes::MemoryNotes::default()),
            custodies: Arc::new(notes::MemoryNotes::default()),
            vault_keys: Arc::new(objects::MemoryObjects::default()),
            audit,
            quarantine: Quarantine::in_memory(),
        }
    }

    /// Puts what `wrap` makes of the metadata in its place, to have it slow or failing in a test.
    #[must_use]
    pub fn with_metadata(self, wrap: impl FnOnce(Arc<dyn Metadata>) -> Arc<dyn Metadata>) -> Self {
        Self {
            metadata: wrap(self.metadata),
            ..self
        }
    }

    /// The epoch now. Read it before what is concluded under it.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn epoch(&self) -> Result<Epoch> {
        Ok(Epoch(self.metadata.epoch().await?))
    }

    /// The record under `key`, if there is one.
    ///
    /// # Errors
    /// If it is damaged, or the disk fails.
    pub async fn get<T: DeserializeOwned>(
        &self,
        table: &Table<T>,
        key: &[&str],
    ) -> Result<Option<Record<T>>> {
        let key = table.key(key);
        let found = self.metadata.get(&key).await?;
        found.map(|raw| Record::decode(&key, raw)).transpose()
    }

    /// The first record that [`scan`](Self::scan) finds.
    ///
    /// # Errors
    /// If it is damaged, or the disk fails.
    pub async fn first<T: DeserializeOwned>(
        &self,
        table: &Table<T>,
        prefix: &[&str],
        from: Bound<&str>,
    ) -> Result<Option<Entry<T>>> {
        let Range { prefix, start, end } = Range::new(table, prefix, from);
        let start = start.as_ref().map(Vec::as_slice);
        let found = self.metadata.page(start, &end, 1).await;
        let mut entries = found.into_iter().map(|item| {
            let (key, raw) = item?;
            Entry::decode(&prefix, &key, raw)
        });
        entries.next().transpose()
    }

    /// The records whose keys begin with the parts of `prefix`, in the order of the bytes of their
    /// keys, starting where the next part of the key satisfies `from`.
    ///
    /// They are read in pages. A change that is made in the meantime can be among them or not.
    pub fn scan<T: DeserializeOwned>(
        &self,
        table: &Table<T>,
        prefix: &[&str],
        from: Bound<&str>,
    ) -> Scan<T> {
        Scan::new(Arc::clone(&self.metadata), Range::new(table, prefix, from))
    }

    /// Writes all of `batch` or nothing. After [`Commit::Done`], the changes are durable and the objects that the batch
    /// removes are gone.
    ///
    /// # Errors
    /// If a record is too large or the disk fails: nothing is written. [`Error::NotRemoved`] if an object cannot be
    /// removed: the rest is done, and the next start removes the object.
    pub async fn commit(&self, batch: Batch) -> Result<Commit> {
        let (mut changes, removals) = batch.into_changes()?;
        let carried_out = self.take_carried_out();
        changes.deletes.extend(carried_out.iter().cloned());
        let committed = self.metadata.commit(changes).await;
        match &committed {
            Ok(Commit::Done) if !removals.is_empty() => {
                let removed = self.carry_out(removals).await;
                removed.map_err(|error| Error::NotRemoved(Box::new(error)))?;
            }
            Ok(Commit::Done) => {}
            _ => self.note_carried_out(carried_out),
        }
        committed
    }

    /// Appends a line to the journal about an event that changes no record.
    ///
    /// # Errors
    /// If the disk fails.
    pub async fn record(&self, event: &impl Serialize) -> Result<()> {
        // A batch of lines alone cannot conflict.
        let _done = self.commit(Batch::new().record(event)).await?;
        Ok(())
    }

    /// Appends a line to the journal, now or once the disk works again. For events that a failing disk must not stop.
    pub async fn record_or_hold(&self, event: &impl Serialize) {
        self.metadata.note(table::line(event)).await;
    }

    /// Returns the condition of the store. Blocks.
    pub fn condition(&self) -> Condition {
        Condition {
            content_failure: self.blobs.failure(),
            ..self.metadata.condition()
        }
    }

    /// Checks all of the metadata and the journal, and returns the damage found. Changes nothing.
    ///
    /// # Errors
    /// If the disk fails.
    pub async fn check(&self) -> Result<Vec<String>> {
        self.metadata.check().await
    }

    /// Returns true if no record is missing: an object that no record mentions then has no owner. Waits until the check
    /// of the records at the start is over.
    pub async fn is_sound(&self) -> bool {
        self.metadata.is_sound().await
    }

    /// Finishes all writes, and leaves a copy of the metadata. The store takes no writes afterwards.
    pub async fn close(&self) {
        self.metadata.close().await;
    }
}
