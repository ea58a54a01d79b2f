use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::Store;
use crate::{
    JournalLimits, Result,
    journal::Journal,
    locks::Locks,
    long_work::LongWork,
    metadata::{KeyRange, MemoryMetadata, Metadata},
    notes::{MemoryNotes, Notes},
    objects::{self, MemoryObjects, Objects},
    quarantine::Quarantine,
};

impl Store {
    /// Copies all records, objects and notes into a store in memory. Unfinished uploads stay behind.
    ///
    /// # Errors
    /// If a record or object is damaged, or the disk fails.
    pub async fn copy_to_memory(&self, journal: JournalLimits) -> Result<Self> {
        let items = self.metadata.page(KeyRange::ALL, usize::MAX).await;
        let records: BTreeMap<_, _> = items.into_iter().collect::<Result<_>>()?;
        let audit = Journal::in_memory(journal);
        let mut offset = self.audit.start();
        while offset < self.audit.end() {
            let passage = self.audit.read(offset)?;
            offset = passage.end();
            audit.append(&passage.lines);
        }
        let metadata: Arc<dyn Metadata> =
            Arc::new(MemoryMetadata::with_records(records, audit.clone()));
        Ok(Self {
            metadata,
            completed_removals: Arc::default(),
            locks: Locks::default(),
            scans: LongWork::beside_requests(),
            blobs: copy_objects(&*self.blobs)?,
            uploads: Arc::new(MemoryNotes::default()),
            custodies: copy_notes(&*self.custodies)?,
            vault_keys: copy_objects(&*self.vault_keys)?,
            audit,
            quarantine: Quarantine::in_memory(),
        })
    }
}

fn copy_objects(from: &dyn Objects) -> Result<Arc<dyn Objects>> {
    let mut contents = HashMap::new();
    for id in from.list()? {
        if let Some(bytes) = objects::read(from, id)? {
            contents.insert(id, bytes);
        }
    }
    Ok(Arc::new(MemoryObjects::with_contents(contents)))
}

fn copy_notes(from: &dyn Notes) -> Result<Arc<dyn Notes>> {
    let notes = MemoryNotes::default();
    for id in from.list()? {
        if let Some(bytes) = from.get(id)? {
            notes.put(id, &bytes)?;
        }
    }
    Ok(Arc::new(notes))
}
