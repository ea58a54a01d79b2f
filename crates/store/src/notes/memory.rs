use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

use super::Notes;
use crate::Result;

/// Notes in memory, which end with the process.
#[derive(Default)]
pub struct MemoryNotes(Mutex<HashMap<Uuid, Vec<u8>>>);

impl MemoryNotes {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Notes for MemoryNotes {
    fn put(&self, id: Uuid, bytes: &[u8]) -> Result<()> {
        self.lock().insert(id, bytes.to_vec());
        Ok(())
    }

    fn get(&self, id: Uuid) -> Result<Option<Vec<u8>>> {
        Ok(self.lock().get(&id).cloned())
    }

    fn get_start(&self, id: Uuid, limit: usize) -> Result<Option<Vec<u8>>> {
        let notes = self.lock();
        let note = notes.get(&id);
        Ok(note.map(|note| note[..note.len().min(limit)].to_vec()))
    }

    fn remove(&self, id: Uuid) -> Result<bool> {
        Ok(self.lock().remove(&id).is_some())
    }

    fn list(&self) -> Result<Vec<Uuid>> {
        Ok(self.lock().keys().copied().collect())
    }

    fn quarantine(&self, id: Uuid, _: i64) -> Result<bool> {
        self.remove(id)
    }
}
