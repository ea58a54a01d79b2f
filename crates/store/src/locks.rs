use std::{
    any::Any,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::RwLock;

use crate::key::encode;

/// A kind of lock. A commit protects the records that it names; a lock protects what no record names yet. For example,
/// it keeps a new manifest from referring to a blob that is being deleted.
///
/// A holder must not request the same lock again: it would deadlock with an exclusive request that arrives in between.
pub struct Lock {
    name: &'static str,
}

/// Holds a lock until it is dropped.
#[must_use = "a lock is held only as long as its guard"]
pub struct LockGuard(
    #[expect(dead_code, reason = "dropping it releases the lock")] Box<dyn Any + Send + Sync>,
);

/// The locks that are held or awaited. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Locks(Arc<Mutex<HashMap<Name, Weak<RwLock<()>>>>>);

type Name = Vec<u8>;

impl Lock {
    /// Names a kind of lock.
    pub const fn new(name: &'static str) -> Self {
        Self { name }
    }
}

impl Locks {
    pub(crate) async fn shared(&self, lock: &Lock, scope: &[&str]) -> LockGuard {
        let guard = self.get_or_insert(lock, scope).read_owned().await;
        LockGuard(Box::new(guard))
    }

    pub(crate) async fn exclusive(&self, lock: &Lock, scope: &[&str]) -> LockGuard {
        let guard = self.get_or_insert(lock, scope).write_owned().await;
        LockGuard(Box::new(guard))
    }

    pub(crate) fn try_exclusive(&self, lock: &Lock, scope: &[&str]) -> Option<LockGuard> {
        let guard = self.get_or_insert(lock, scope).try_write_owned().ok()?;
        Some(LockGuard(Box::new(guard)))
    }

    fn get_or_insert(&self, lock: &Lock, scope: &[&str]) -> Arc<RwLock<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = encode(lock.name, scope);
        if let Some(existing) = locks.get(&name).and_then(Weak::upgrade) {
            return existing;
        }
        locks.retain(|_, lock| lock.strong_count() > 0);
        let new = Arc::default();
        locks.insert(name, Arc::downgrade(&new));
        new
    }
}
