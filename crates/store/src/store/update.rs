use super::Store;
use crate::{Error, Result, batch::Batch, locks::Lock, metadata::Commit};

/// The lock that updates share. An update that others overtook holds it exclusively.
const UPDATES: Lock = Lock::new("updates");

/// The number of attempts of an update beside others.
const SHARED_ATTEMPTS: usize = 3;

/// The number of attempts of an update while no other update runs. A commit that is not an update can still overtake
/// it.
const EXCLUSIVE_ATTEMPTS: usize = 5;

impl Store {
    /// Commits the batch of `plan`, which reads records and expects them to be unchanged. If another commit changed
    /// them, `plan` runs again, a bounded number of times. An update that was overtaken several times runs alone, so
    /// that every update completes. A batch without changes is not committed.
    ///
    /// `plan` must not wait for another update, nor for a lock whose holder waits for one.
    ///
    /// # Errors
    /// The error of `plan`, or of the [commit](Store::commit). [`Error::Overtaken`] if other commits kept changing the
    /// records.
    pub async fn update<T, E, F>(&self, plan: impl Fn() -> F) -> Result<T, E>
    where
        E: From<Error>,
        F: Future<Output = Result<(Batch, T), E>>,
    {
        for attempt in 0..SHARED_ATTEMPTS + EXCLUSIVE_ATTEMPTS {
            let _guard = if attempt < SHARED_ATTEMPTS {
                self.lock_shared(&UPDATES, &[]).await?
            } else {
                self.lock_exclusive(&UPDATES, &[]).await?
            };
            let (batch, result) = plan().await?;
            if batch.is_empty() || self.commit(batch).await? == Commit::Done {
                return Ok(result);
            }
        }
        Err(Error::Overtaken.into())
    }
}
