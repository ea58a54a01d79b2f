use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
};

use sealock_core::ObjectId;

use super::{Object, Objects, Staged};
use crate::{Result, metadata::Failure};

type Content = Arc<RwLock<Vec<u8>>>;
type Shared = Arc<Mutex<HashMap<ObjectId, Content>>>;

/// Objects in memory, which end with the process.
#[derive(Default)]
pub struct MemoryObjects {
    published: Shared,
    /// The retained staged objects, which may still be written.
    retained: Shared,
}

impl MemoryObjects {
    /// Creates a set with these published objects.
    pub(crate) fn with_contents(contents: HashMap<ObjectId, Vec<u8>>) -> Self {
        let contents = contents.into_iter();
        let contents = contents.map(|(id, bytes)| (id, Arc::new(RwLock::new(bytes))));
        Self {
            published: Arc::new(Mutex::new(contents.collect())),
            retained: Shared::default(),
        }
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, HashMap<ObjectId, Content>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open(shared: &Shared, id: ObjectId) -> Option<Arc<dyn Object>> {
    let content = lock(shared).get(&id).cloned();
    content.map(|content| Arc::new(Bytes(content)) as _)
}

impl Objects for MemoryObjects {
    fn stage(&self) -> Result<Box<dyn Staged>> {
        Ok(Box::new(StagedBytes {
            id: ObjectId::random(),
            content: Content::default(),
            published: Arc::clone(&self.published),
            retained: Arc::clone(&self.retained),
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

    fn quarantine(&self, id: ObjectId, _: i64) -> Result<bool> {
        self.remove(id)
    }

    fn unpublish(&self, id: ObjectId) -> Result<bool> {
        let published = lock(&self.published).remove(&id);
        Ok(published.is_some_and(|content| {
            lock(&self.retained).insert(id, content);
            true
        }))
    }

    fn open_staged(&self, id: ObjectId) -> Result<Option<Arc<dyn Object>>> {
        Ok(open(&self.retained, id))
    }

    fn discard(&self, id: ObjectId) -> Result<bool> {
        Ok(lock(&self.retained).remove(&id).is_some())
    }

    fn list_staged(&self) -> Result<Vec<ObjectId>> {
        Ok(lock(&self.retained).keys().copied().collect())
    }

    fn quarantine_staged(&self, id: ObjectId, _: i64) -> Result<bool> {
        self.discard(id)
    }

    fn failure(&self) -> Option<Failure> {
        None
    }
}

struct StagedBytes {
    id: ObjectId,
    content: Content,
    published: Shared,
    retained: Shared,
}

impl Staged for StagedBytes {
    fn id(&self) -> ObjectId {
        self.id
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let content = self.content.write();
        let mut content = content.unwrap_or_else(PoisonError::into_inner);
        content.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn retain(&mut self) -> Result<()> {
        lock(&self.retained).insert(self.id, Arc::clone(&self.content));
        Ok(())
    }

    fn publish(self: Box<Self>) -> Result<()> {
        lock(&self.published).insert(self.id, self.content);
        lock(&self.retained).remove(&self.id);
        Ok(())
    }
}

struct Bytes(Content);

impl Bytes {
    fn read(&self) -> RwLockReadGuard<'_, Vec<u8>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Object for Bytes {
    fn len(&self) -> u64 {
        self.read().len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let content = self.read();
        let bytes = usize::try_from(offset)
            .ok()
            .and_then(|start| content.get(start..)?.get(..buffer.len()))
            .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}
