use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{PoisonError, RwLock, RwLockReadGuard},
};

use async_trait::async_trait;

use super::{Changes, Items, Metadata, Outcome, Ticket};
use crate::Result;

/// Metadata that is gone with the process.
#[derive(Default)]
pub struct MemoryMetadata {
    map: RwLock<BTreeMap<Vec<u8>, Vec<u8>>>,
}

impl MemoryMetadata {
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Vec<u8>, Vec<u8>>> {
        self.map.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Metadata for MemoryMetadata {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.read().get(key).cloned())
    }

    fn range(&self, mut start: Bound<Vec<u8>>, end: Vec<u8>) -> Items<'_> {
        // Looked up anew for each item, so that no lock is held between two of them.
        Box::new(std::iter::from_fn(move || {
            let map = self.read();
            let begins_behind = match &start {
                Bound::Included(key) | Bound::Excluded(key) => *key >= end,
                Bound::Unbounded => false,
            };
            if begins_behind {
                return None;
            }
            let bounds = (start.as_ref(), Bound::Excluded(&end));
            let (key, value) = map.range::<Vec<u8>, _>(bounds).next()?;
            start = Bound::Excluded(key.clone());
            Some(Ok((key.clone(), value.clone())))
        }))
    }

    fn apply(&self, changes: Changes) -> Result<Outcome> {
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        for (key, expectation) in &changes.expectations {
            if !expectation.holds(map.get(key).map(Vec::as_slice)) {
                return Ok(Outcome::Conflict);
            }
        }
        for key in &changes.deletes {
            map.remove(key);
        }
        map.extend(changes.puts);
        Ok(Outcome::Applied(Ticket(0)))
    }

    fn latest(&self) -> Ticket {
        Ticket(0)
    }

    async fn durable(&self, _: Ticket) -> Result<()> {
        Ok(())
    }
}
