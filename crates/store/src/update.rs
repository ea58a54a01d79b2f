use crate::{Batch, Commit, Error, Lock, Result, Store};

/// Held by each update, and exclusively by one that others overtook.
const UPDATES: Lock = Lock::new("updates");

/// The number of times that an update is tried beside others.
const SHARED_ATTEMPTS: usize = 3;

/// The number of times that an update is tried while no other one is under way. Commits that are no updates can still
/// overtake it.
const SOLE_ATTEMPTS: usize = 5;

impl Store {
    /// Commits the batch of `plan`, which reads what it needs and expects that to be unchanged. If others changed it in
    /// between, `plan` is asked again, a bounded number of times. An update that is overtaken time and again has its
    /// turn alone, so that all of them come to their end. A batch without changes is not committed.
    ///
    /// `plan` must not wait for another update, nor for a lock whose holder waits for one.
    ///
    /// # Errors
    /// The error of `plan`, or of the [commit](Store::commit). [`Error::Overtaken`] if other changes never let it through.
    pub async fn update<T, E, F>(&self, plan: impl Fn() -> F) -> Result<T, E>
    where
        E: From<Error>,
        F: Future<Output = Result<(Batch, T), E>>,
    {
        for attempt in 0..SHARED_ATTEMPTS + SOLE_ATTEMPTS {
            let _turn = if attempt < SHARED_ATTEMPTS {
                self.shared(&UPDATES, &[]).await?
            } else {
                self.exclusive(&UPDATES, &[]).await?
            };
            let (batch, outcome) = plan().await?;
            if batch.is_empty() || self.commit(batch).await? == Commit::Done {
                return Ok(outcome);
            }
        }
        Err(Error::Overtaken.into())
    }
}
