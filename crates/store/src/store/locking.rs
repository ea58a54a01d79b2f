use super::Store;
use crate::{
    Result,
    locks::{Lock, LockGuard},
};

impl Store {
    /// Waits for a lock, which other holders may share. Waiting requests are served in order.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn lock_shared(&self, lock: &Lock, scope: &[&str]) -> Result<LockGuard> {
        Ok(self.locks.shared(lock, scope).await)
    }

    /// Waits for a lock, which no one else then holds.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn lock_exclusive(&self, lock: &Lock, scope: &[&str]) -> Result<LockGuard> {
        Ok(self.locks.exclusive(lock, scope).await)
    }

    /// Takes a lock if it is free, and returns `None` otherwise.
    ///
    /// # Errors
    /// If the store fails.
    #[expect(
        clippy::unused_async,
        reason = "a lock that several nodes share needs a request to the store"
    )]
    pub async fn try_lock_exclusive(
        &self,
        lock: &Lock,
        scope: &[&str],
    ) -> Result<Option<LockGuard>> {
        Ok(self.locks.try_exclusive(lock, scope))
    }
}
