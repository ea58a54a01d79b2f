mod copying;
mod locking;
mod opening;
mod removals;
mod update;

use std::{
    ops::Bound,
    sync::{Arc, Mutex},
};

use serde::{Serialize, de::DeserializeOwned};
use tokio::task::coop::consume_budget;

use crate::{
    Error, Result,
    batch::{Batch, json_line},
    journal::Journal,
    locks::Locks,
    long_work::LongWork,
    metadata::{Commit, Condition, Direction, Metadata},
    notes::Notes,
    objects::Objects,
    quarantine::Quarantine,
    scan::{Range, Scan},
    table::{Entry, Record, Table},
};

/// The number of control commits so far. A conclusion reached under an older epoch may be stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(u64);

/// The emulator's whole persistent state. Clones share it.
#[derive(Clone)]
pub struct Store {
    metadata: Arc<dyn Metadata>,
    /// The keys of the records of completed removals. The next commit deletes these records.
    completed_removals: Arc<Mutex<Vec<Vec<u8>>>>,
    locks: Locks,
    /// The longer scans.
    scans: LongWork,
    /// The content of registries.
    pub blobs: Arc<dyn Objects>,
    /// The progress of each unfinished upload. The content of uploads is staged among the `blobs`.
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

impl Store {
    /// Replaces the metadata with `wrap(metadata)`. Tests use it to make the metadata slow or failing.
    #[must_use]
    pub fn wrap_metadata(self, wrap: impl FnOnce(Arc<dyn Metadata>) -> Arc<dyn Metadata>) -> Self {
        Self {
            metadata: wrap(self.metadata),
            ..self
        }
    }

    /// Returns the current epoch. Read it before the records on which a verdict rests.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn epoch(&self) -> Result<Epoch> {
        Ok(Epoch(self.metadata.epoch().await?))
    }

    /// Returns the record under `key`, or `None` if there is none.
    ///
    /// # Errors
    /// If the record is damaged, or the disk fails.
    pub async fn get<T: DeserializeOwned>(
        &self,
        table: &Table<T>,
        key: &[&str],
    ) -> Result<Option<Record<T>>> {
        // The embedded store never waits, so a task of many reads yields to the others here.
        consume_budget().await;
        let key = table.key(key);
        let found = self.metadata.get(&key).await?;
        found.map(|raw| Record::decode(&key, raw)).transpose()
    }

    /// Returns the first record that [`scan`](Self::scan) finds.
    ///
    /// # Errors
    /// If the record is damaged, or the disk fails.
    pub async fn first<T: DeserializeOwned>(
        &self,
        table: &Table<T>,
        prefix: &[&str],
        from: Bound<&str>,
    ) -> Result<Option<Entry<T>>> {
        consume_budget().await;
        let range = Range::new(table, prefix, from, Direction::Forward);
        let found = self.metadata.page(range.keys(), 1).await;
        let mut entries = found.into_iter().map(|item| {
            let (key, raw) = item?;
            Entry::decode(&range.prefix, &key, raw)
        });
        entries.next().transpose()
    }

    /// Returns the records whose keys begin with the segments of `prefix`, in the byte order of their keys. The scan
    /// starts where the key's next segment satisfies `from`.
    ///
    /// The records are read in pages, so a change during the scan may or may not appear.
    pub fn scan<T: DeserializeOwned + Send + 'static>(
        &self,
        table: &Table<T>,
        prefix: &[&str],
        from: Bound<&str>,
    ) -> Scan<T> {
        self.scan_range(Range::new(table, prefix, from, Direction::Forward))
    }

    /// Returns the same records as [`scan`](Self::scan) in the reverse order. The scan starts where the key's next
    /// segment satisfies `from` as an upper bound.
    pub fn scan_back<T: DeserializeOwned + Send + 'static>(
        &self,
        table: &Table<T>,
        prefix: &[&str],
        from: Bound<&str>,
    ) -> Scan<T> {
        self.scan_range(Range::new(table, prefix, from, Direction::Backward))
    }

    fn scan_range<T: DeserializeOwned + Send + 'static>(&self, range: Range) -> Scan<T> {
        Scan::new(Arc::clone(&self.metadata), self.scans.clone(), range)
    }

    /// Writes all of `batch` or nothing. After [`Commit::Done`], the changes are durable and the objects that the batch
    /// removes are gone.
    ///
    /// # Errors
    /// If a record is too large or the disk fails: nothing is written. [`Error::NotRemoved`] if an
    /// object cannot be removed: the rest is done, and the next start removes the object.
    pub async fn commit(&self, batch: Batch) -> Result<Commit> {
        let (mut changes, removals) = batch.into_changes()?;
        let completed = self.take_completed_removals();
        changes.deletes.extend(completed.iter().cloned());
        let committed = self.metadata.commit(changes).await;
        match &committed {
            Ok(Commit::Done) if !removals.is_empty() => {
                let removed = self.remove_objects(removals).await;
                removed.map_err(|error| Error::NotRemoved(Box::new(error)))?;
            }
            Ok(Commit::Done) => {}
            _ => self.add_completed_removals(completed),
        }
        committed
    }

    /// Appends an event that changes no record to the journal.
    ///
    /// # Errors
    /// If the disk fails.
    pub async fn journal(&self, event: &impl Serialize) -> Result<()> {
        // A batch without expectations cannot conflict.
        let _done = self.commit(Batch::new().journal(event)).await?;
        Ok(())
    }

    /// Appends an event to the journal, now or once the disk works again. For events that a failing disk must not stop.
    pub async fn journal_or_hold(&self, event: &impl Serialize) {
        self.metadata.journal_or_hold(json_line(event)).await;
    }

    /// Returns the condition of the store. Blocks.
    pub fn condition(&self) -> Condition {
        Condition {
            content_failure: self.blobs.failure(),
            ..self.metadata.condition()
        }
    }

    /// Checks all metadata and the journal, and returns the damage found. Changes nothing.
    ///
    /// # Errors
    /// If the disk fails.
    pub async fn check(&self) -> Result<Vec<String>> {
        self.metadata.check().await
    }

    /// Returns true if no record is missing, so that an object without a record has no owner. Waits for the end of the
    /// check that the start began.
    pub async fn is_sound(&self) -> bool {
        self.metadata.is_sound().await
    }

    /// Finishes all writes and copies the metadata. The store then takes no further writes.
    pub async fn close(&self) {
        self.metadata.close().await;
    }
}
