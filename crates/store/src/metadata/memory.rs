use std::{
    collections::BTreeMap,
    sync::{
        PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;

use super::{Changes, Commit, Condition, Item, KeyRange, Metadata};
use crate::{Journal, Result};

/// Metadata in memory, which ends with the process.
pub struct MemoryMetadata {
    map: RwLock<BTreeMap<Vec<u8>, Vec<u8>>>,
    epoch: AtomicU64,
    journal: Journal,
}

impl MemoryMetadata {
    /// Creates metadata without records. Commits append their lines to `journal`.
    pub fn new(journal: Journal) -> Self {
        Self {
            map: RwLock::default(),
            epoch: AtomicU64::default(),
            journal,
        }
    }

    /// Creates metadata with the given records.
    pub(crate) fn with_records(map: BTreeMap<Vec<u8>, Vec<u8>>, journal: Journal) -> Self {
        Self {
            map: RwLock::new(map),
            ..Self::new(journal)
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Vec<u8>, Vec<u8>>> {
        self.map.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Metadata for MemoryMetadata {
    async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.read().get(key).cloned())
    }

    async fn page(&self, range: KeyRange<'_>, limit: usize) -> Vec<Result<Item>> {
        if range.is_empty() {
            return Vec::new();
        }
        let map = self.read();
        let items = range.direction.of(map.range::<[u8], _>(range.bounds()));
        let items = items.map(|(key, value)| Ok((key.clone(), value.clone())));
        items.take(limit).collect()
    }

    async fn commit(&self, changes: Changes) -> Result<Commit> {
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        for (key, expectation) in &changes.expectations {
            if !expectation.holds(map.get(key).map(Vec::as_slice)) {
                return Ok(Commit::Conflict);
            }
        }
        for key in &changes.deletes {
            map.remove(key);
        }
        map.extend(changes.puts);
        // The lock is still held, to keep the lines in the order of their changes.
        self.journal.append(&changes.lines.concat());
        drop(map);
        if changes.is_control {
            self.epoch.fetch_add(1, Ordering::SeqCst);
        }
        Ok(Commit::Done)
    }

    async fn journal_or_hold(&self, line: Vec<u8>) {
        self.journal.append(&line);
    }

    async fn epoch(&self) -> Result<u64> {
        Ok(self.epoch.load(Ordering::SeqCst))
    }

    fn condition(&self) -> Condition {
        Condition::default()
    }

    async fn check(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn is_sound(&self) -> bool {
        true
    }

    async fn close(&self) {}
}
