use std::{collections::BTreeMap, io::ErrorKind, path::PathBuf, sync::Arc};

use uuid::Uuid;

use super::Store;
use crate::{
    Error, Result, disk,
    format::{self, Format},
    journal::{Journal, JournalLimits},
    locks::Locks,
    long_work::LongWork,
    metadata::{Database, MemoryMetadata, copies},
    notes::{Durability, MemoryNotes, NoteFiles},
    objects::{MemoryObjects, ObjectFiles, ObjectSet},
    quarantine::Quarantine,
    store_files::StoreFiles,
};

const UPLOADS: &str = "uploads";
const CUSTODIES: &str = "custodies";

impl Store {
    /// Opens the store in a data directory. Creates the missing files of a new store.
    ///
    /// # Errors
    /// If the directory cannot be read or written, or if acknowledged data is missing or damaged.
    pub fn open(files: StoreFiles) -> Result<Self> {
        if files.is_repair_unfinished()? {
            return Err(Error::RepairUnfinished(files.dir.display().to_string()));
        }
        Self::open_repaired(files)
    }

    /// Opens the store, even between a repair and [`finish_repair`](crate::finish_repair).
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_repaired(files: StoreFiles) -> Result<Self> {
        create_dir(&files)?;
        find_or_create_database(&files)?;
        let (database, audit, store) = Database::open(files.clone())?;
        check_or_write_format(&files, store)?;
        let StoreFiles { disk, dir, .. } = files;
        let notes = |name, durability| NoteFiles::open(&disk, &dir, name, durability);
        Ok(Self {
            metadata: Arc::new(database),
            completed_removals: Arc::default(),
            locks: Locks::default(),
            scans: LongWork::beside_requests(),
            blobs: Arc::new(ObjectFiles::open(&disk, &dir, ObjectSet::Blobs)?),
            uploads: Arc::new(notes(UPLOADS, Durability::Process)?),
            custodies: Arc::new(notes(CUSTODIES, Durability::Power)?),
            vault_keys: Arc::new(ObjectFiles::open(&disk, &dir, ObjectSet::VaultKeys)?),
            audit,
            quarantine: Quarantine::open(&disk, &dir),
        })
    }

    /// Opens the objects and notes on disk for inspection, with the given records in memory.
    pub(crate) fn inspect(files: &StoreFiles, records: BTreeMap<Vec<u8>, Vec<u8>>) -> Self {
        let StoreFiles { disk, dir, .. } = files;
        let notes = |name, durability| NoteFiles::inspect(disk, dir, name, durability);
        let audit = Journal::in_memory(files.journal);
        Self {
            metadata: Arc::new(MemoryMetadata::with_records(records, audit.clone())),
            completed_removals: Arc::default(),
            locks: Locks::default(),
            scans: LongWork::beside_requests(),
            blobs: Arc::new(ObjectFiles::inspect(disk, dir, ObjectSet::Blobs)),
            uploads: Arc::new(notes(UPLOADS, Durability::Process)),
            custodies: Arc::new(notes(CUSTODIES, Durability::Power)),
            vault_keys: Arc::new(ObjectFiles::inspect(disk, dir, ObjectSet::VaultKeys)),
            audit,
            quarantine: Quarantine::open(disk, dir),
        }
    }

    /// Creates a store in memory, which ends with the process.
    pub fn ephemeral() -> Self {
        Self::ephemeral_with(JournalLimits::default())
    }

    /// Creates a store in memory whose journal has these limits.
    pub fn ephemeral_with(journal: JournalLimits) -> Self {
        let audit = Journal::in_memory(journal);
        Self {
            metadata: Arc::new(MemoryMetadata::new(audit.clone())),
            completed_removals: Arc::default(),
            locks: Locks::default(),
            scans: LongWork::beside_requests(),
            blobs: Arc::new(MemoryObjects::default()),
            uploads: Arc::new(MemoryNotes::default()),
            custodies: Arc::new(MemoryNotes::default()),
            vault_keys: Arc::new(MemoryObjects::default()),
            audit,
            quarantine: Quarantine::in_memory(),
        }
    }
}

/// Creates the data directory if it is missing. Syncs its parent even if it exists: an earlier process may have been
/// killed before it did.
fn create_dir(files: &StoreFiles) -> Result<()> {
    files.disk.create_dir(&files.dir)?;
    match files.disk.sync_dir(disk::parent(&files.dir)) {
        // A user with access to the parent directory created it.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        synced => Ok(synced?),
    }
}

/// Checks that the database of a used directory exists, or creates the database of a new store.
fn find_or_create_database(files: &StoreFiles) -> Result<()> {
    let database = files.database();
    let exists = files.exists(&database)?;
    match Format::read(files)? {
        Some(format) if format.engine != files.engine => Err(Error::EngineDiffers {
            dir: files.dir.display().to_string(),
            found: format.engine.to_string(),
        }),
        Some(_) if !exists => Err(missing(files, database)),
        Some(_) => Ok(()),
        None if exists => Ok(()),
        // The first copy is written after the database.
        None if !copies::list(&*files.disk, &files.metadata())?.is_empty() => {
            Err(missing(files, database))
        }
        None => {
            // A directory with objects is not new: it has lost its records.
            for set in [ObjectSet::Blobs, ObjectSet::VaultKeys] {
                let names = files.disk.list(&files.dir.join(set.name()))?;
                if names.iter().any(|name| name != "staging") {
                    return Err(missing(files, format::path(&files.dir)));
                }
            }
            Database::create(files, Uuid::new_v4())
        }
    }
}

fn missing(files: &StoreFiles, file: PathBuf) -> Error {
    Error::Missing {
        dir: files.dir.display().to_string(),
        file,
    }
}

/// Checks that the file `format` belongs to the database. Writes the file if it is missing.
fn check_or_write_format(files: &StoreFiles, store: Uuid) -> Result<()> {
    match Format::read(files)? {
        Some(format) if format.store == store => Ok(()),
        Some(_) => {
            let why = "it belongs to another data directory";
            Err(Error::damaged_file(files.database(), why))
        }
        None => {
            let engine = files.engine;
            Format { store, engine }.write(&*files.disk, &files.dir, &files.authenticator)
        }
    }
}
