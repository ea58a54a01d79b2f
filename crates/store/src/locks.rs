use std::{
    any::Any,
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::RwLock;

use crate::{Result, Store, table::key_of};

/// A kind of lock. A commit sees to the records that it names. A lock sees to what concerns records that nobody can
/// name yet, for instance that no manifest comes to refer to a blob while that is deleted.
///
/// A holder must not ask for the same lock again: somebody may wait between the two for it alone.
pub struct Lock {
    name: &'static str,
}

/// A lock that is held until this is dropped.
#[must_use = "a lock is held only as long as its guard"]
pub struct LockGuard(
    #[expect(dead_code, reason = "it is there to be dropped")] Box<dyn Any + Send + Sync>,
);

/// The locks that somebody holds or waits for. Clones share them.
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
    fn of(&self, lock: &Lock, scope: &[&str]) -> Arc<RwLock<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = key_of(lock.name, scope);
        if let Some(held) = locks.get(&name).and_then(Weak::upgrade) {
            return held;
        }
        locks.retain(|_, held| held.strong_count() > 0);
        let held = Arc::default();
        locks.insert(name, Arc::downgrade(&held));
        held
    }
}

impl Store {
    /// Waits for a lock that many can hold at a time. Locks are given in the order in which they are asked for.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn shared(&self, lock: &Lock, scope: &[&str]) -> Result<LockGuard> {
        let held = self.locks.of(lock, scope).read_owned().await;
        Ok(LockGuard(Box::new(held)))
    }

    /// Waits for a lock that nobody else holds then.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn exclusive(&self, lock: &Lock, scope: &[&str]) -> Result<LockGuard> {
        let held = self.locks.of(lock, scope).write_owned().await;
        Ok(LockGuard(Box::new(held)))
    }

    /// Takes a lock if nobody holds it now.
    ///
    /// # Errors
    /// If the store fails.
    #[expect(
        clippy::unused_async,
        reason = "locks that hold between nodes have to be asked for"
    )]
    pub async fn try_exclusive(&self, lock: &Lock, scope: &[&str]) -> Result<Option<LockGuard>> {
        let held = self.locks.of(lock, scope).try_write_owned();
        Ok(held.ok().map(|held| LockGuard(Box::new(held))))
    }
}
