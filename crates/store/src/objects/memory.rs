use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sealock_core::ObjectId;

use super::{Object, Objects, Staged};
use crate::Result;

type Published = Arc<Mutex<HashMap<ObjectId, Arc<Vec<u8>>>>>;

/// Objects that are gone with the process.
#[derive(Default)]
pub struct MemoryObjects {
    published: Published,
}

fn lock(published: &Published) -> MutexGuard<'_, HashMap<ObjectId, Arc<Vec<u8>>>> {
    published.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Objects for MemoryObjects {
    fn stage(&self) -> Result<Box<dyn Staged>> {
        Ok(Box::new(StagedBytes {
            id: ObjectId::random(),
            bytes: Vec::new(),
            published: Arc::clone(&self.published),
        }))
    }

    fn open(&self, id: ObjectId) -> Result<Option<Arc<dyn Object>>> {
        let bytes = lock(&self.published).get(&id).cloned();
        Ok(bytes.map(|bytes| Arc::new(Bytes(bytes)) as Arc<dyn Object>))
    }

    fn remove(&self, id: ObjectId) -> Result<bool> {
        Ok(lock(&self.published).remove(&id).is_some())
    }

    fn list(&self) -> Result<Vec<ObjectId>> {
        Ok(lock(&self.published).keys().copied().collect())
    }
}

struct StagedBytes {
    id: ObjectId,
    bytes: Vec<u8>,
    published: Published,
}

impl Staged for StagedBytes {
    fn id(&self) -> ObjectId {
        self.id
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let start = position(offset)?;
        let end = start + bytes.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[start..end].copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn publish(mut self: Box<Self>) -> Result<()> {
        let bytes = Arc::new(std::mem::take(&mut self.bytes));
        lock(&self.published).insert(self.id, bytes);
        Ok(())
    }
}

struct Bytes(Arc<Vec<u8>>);

impl Object for Bytes {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let start = position(offset)?;
        let bytes = start
            .checked_add(buffer.len())
            .and_then(|end| self.0.get(start..end))
            .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}

fn position(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof.into())
}
