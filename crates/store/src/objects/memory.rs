use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sealock_core::ObjectId;

use super::{Object, Objects, Staged};
use crate::{Result, metadata::Failure};

type Shared = Arc<Mutex<HashMap<ObjectId, Arc<Vec<u8>>>>>;

/// Objects that are gone with the process.
#[derive(Default)]
pub struct MemoryObjects {
    published: Shared,
    /// What was kept, and is not being written any more.
    staged: Shared,
}

fn open(shared: &Shared, id: ObjectId) -> Option<Arc<dyn Object>> {
    let bytes = lock(shared).get(&id).cloned();
    bytes.map(|bytes| Arc::new(Bytes(bytes)) as Arc<dyn Object>)
}

fn lock(shared: &Shared) -> MutexGuard<'_, HashMap<ObjectId, Arc<Vec<u8>>>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Objects for MemoryObjects {
    fn stage(&self) -> Result<Box<dyn Staged>> {
        Ok(Box::new(StagedBytes {
            id: ObjectId::random(),
            bytes: Vec::new(),
            kept: false,
            published: Arc::clone(&self.published),
            staged: Arc::clone(&self.staged),
        }))
    }

    fn open(&self, id: ObjectId) -> Result<Option<Arc<dyn Object>>> {
        Ok(open(&self.published, id))
    }

    fn remove(&self, id: ObjectId) -> Result<bool> {
        Ok(lock(&self.published).remove(&id).is_some())
    }

    fn list(&self) -> Result<Vec<ObjectId>> {
        Ok(lock(&self.published).keys().copied().collect())
    }

    fn set_aside(&self, id: ObjectId, _: i64) -> Result<bool> {
        self.remove(id)
    }

    fn unpublish(&self, id: ObjectId) -> Result<bool> {
        let published = lock(&self.published).remove(&id);
        Ok(published.is_some_and(|bytes| {
            lock(&self.staged).insert(id, bytes);
            true
        }))
    }

    fn open_staged(&self, id: ObjectId) -> Result<Option<Arc<dyn Object>>> {
        Ok(open(&self.staged, id))
    }

    fn discard(&self, id: ObjectId) -> Result<bool> {
        Ok(lock(&self.staged).remove(&id).is_some())
    }

    fn list_staged(&self) -> Result<Vec<ObjectId>> {
        Ok(lock(&self.staged).keys().copied().collect())
    }

    fn set_staged_aside(&self, id: ObjectId, _: i64) -> Result<bool> {
        self.discard(id)
    }

    fn failure(&self) -> Option<Failure> {
        None
    }
}

struct StagedBytes {
    id: ObjectId,
    bytes: Vec<u8>,
    kept: bool,
    published: Shared,
    staged: Shared,
}

impl Staged for StagedBytes {
    fn id(&self) -> ObjectId {
        self.id
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn keep(&mut self) -> Result<()> {
        self.kept = true;
        Ok(())
    }

    fn publish(mut self: Box<Self>) -> Result<()> {
        self.kept = false;
        let bytes = Arc::new(std::mem::take(&mut self.bytes));
        lock(&self.published).insert(self.id, bytes);
        Ok(())
    }
}

impl Drop for StagedBytes {
    fn drop(&mut self) {
        if self.kept {
            let bytes = Arc::new(std::mem::take(&mut self.bytes));
            lock(&self.staged).insert(self.id, bytes);
        }
    }
}

struct Bytes(Arc<Vec<u8>>);

impl Object for Bytes {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let bytes = usize::try_from(offset)
            .ok()
            .and_then(|start| self.0.get(start..)?.get(..buffer.len()))
            .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}
