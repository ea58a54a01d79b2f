//! Where everything that must survive is kept: metadata records, objects (large, immutable files),
//! notes (small, replaceable ones) and the append-only journal.
//!
//! Reads are synchronous. There is one write, [`Store::commit`]: atomic, and durable once it
//! returns. Each commit to a *control* table raises the [`Epoch`] after the write is visible and
//! before it is acknowledged, so that whoever remembers a verdict under an epoch notices.
//!
//! The store knows no other crate's records: their tables are declared by the crates that own them.

mod data_dir;
mod durable;
mod error;
mod journal;
pub mod metadata;
pub mod notes;
pub mod objects;
pub mod ownership;
mod table;

use std::{
    ops::Bound,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::de::DeserializeOwned;

pub use data_dir::DataDir;
pub use durable::{create_dir, create_secret};
pub use error::{Error, Result};
pub use journal::Journal;
pub use table::{Batch, Entry, Record, Table};

use crate::{
    metadata::{Metadata, Outcome},
    notes::Notes,
    objects::Objects,
};

/// What became of a commit.
#[must_use = "a conflict means that nothing was written"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// Written, visible and durable.
    Done,
    /// An expectation did not hold; nothing was written.
    Conflict,
}

/// How many control commits there have been. What was concluded under an older epoch may be stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(u64);

/// The emulator's whole persistent state. Clones share it.
#[derive(Clone)]
pub struct Store {
    metadata: Arc<dyn Metadata>,
    epoch: Arc<AtomicU64>,
    /// The content of registries.
    pub blobs: Arc<dyn Objects>,
    /// How far each unfinished upload is. Its content is staged among the `blobs`.
    pub uploads: Arc<dyn Notes>,
    /// The vault's private keys, sealed, and the keys that seal them.
    pub vault_keys: Arc<dyn Objects>,
    /// The vault's audit events.
    pub audit: Journal,
}

impl Store {
    /// Opens the store in a data directory, and creates what is missing.
    ///
    /// # Errors
    /// If the directory cannot be read or written, or its content is damaged.
    pub fn open(dir: &Path) -> Result<Self> {
        let vault_keys = objects::ObjectFiles::open(&dir.join("vault-keys"))?;
        // None of these is ever kept; of the blobs, the registry knows which are.
        for unfinished in vault_keys.list_staged()? {
            vault_keys.discard(unfinished)?;
        }
        Ok(Self {
            metadata: Arc::new(metadata::SledMetadata::open(&dir.join("metadata"))?),
            epoch: Arc::default(),
            blobs: Arc::new(objects::ObjectFiles::open(&dir.join("blobs"))?),
            uploads: Arc::new(notes::NoteFiles::open(&dir.join("uploads"))?),
            vault_keys: Arc::new(vault_keys),
            audit: Journal::open(&dir.join("audit.jsonl"))?,
        })
    }

    /// A store in memory, gone with the process.
    pub fn ephemeral() -> Self {
        Self {
            metadata: Arc::new(metadata::MemoryMetadata::default()),
            epoch: Arc::default(),
            blobs: Arc::new(objects::MemoryObjects::default()),
            uploads: Arc::new(notes::MemoryNotes::default()),
            vault_keys: Arc::new(objects::MemoryObjects::default()),
            audit: Journal::in_memory(),
        }
    }

    /// The epoch now. Read it before what is concluded under it.
    pub fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::SeqCst))
    }

    /// The record under `key`, if there is one.
    pub fn get<T: DeserializeOwned>(
        &self,
        table: &Table<T>,
        key: &[&str],
    ) -> Result<Option<Record<T>>> {
        let key = table.key(key);
        self.metadata
            .get(&key)?
            .map(|raw| Record::decode(&key, raw))
            .transpose()
    }

    /// The records whose keys begin with the parts of `prefix`, in the order of the bytes of their
    /// keys, starting where the next part of the key satisfies `from`.
    pub fn scan<T: DeserializeOwned>(
        &self,
        table: &Table<T>,
        prefix: &[&str],
        from: Bound<&str>,
    ) -> impl Iterator<Item = Result<Entry<T>>> + use<'_, T> {
        let prefix = table.prefix(prefix);
        let start = from.map(|part| [prefix.as_slice(), part.as_bytes()].concat());
        let start = match start {
            Bound::Unbounded => Bound::Included(prefix.clone()),
            bound => bound,
        };
        self.metadata
            .range(start, table::end_of(&prefix))
            .map(move |item| item.and_then(|(key, raw)| Entry::decode(&prefix, &key, raw)))
    }

    /// Returns once everything that is visible now is durable: for whoever acknowledges what another
    /// has committed.
    ///
    /// # Errors
    /// If the disk fails.
    pub async fn settled(&self) -> Result<()> {
        self.metadata.durable(self.metadata.latest()).await
    }

    /// Writes all of `batch` or nothing. Done means durable.
    ///
    /// # Errors
    /// If a record is too large (nothing is written), or the disk fails: the store then refuses every
    /// further commit, because what is on disk is no longer known.
    pub async fn commit(&self, batch: Batch) -> Result<Commit> {
        let control = batch.is_control();
        match self.metadata.apply(batch.into_changes()?)? {
            Outcome::Conflict => Ok(Commit::Conflict),
            Outcome::Applied(ticket) => {
                // Not after the wait below: its future may be dropped with the client's connection.
                if control {
                    self.epoch.fetch_add(1, Ordering::SeqCst);
                }
                self.metadata.durable(ticket).await?;
                Ok(Commit::Done)
            }
        }
    }
}
