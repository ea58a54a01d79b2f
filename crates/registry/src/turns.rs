use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use crate::RepositoryName;

/// From how many repositories on it is looked which of them nobody waits for any more.
const TIDY_FROM: usize = 256;

/// Whose turn it is in a repository: those who push manifests to it, many at once, or one who takes what
/// no manifest refers to. Clones share it.
///
/// Which blobs are referred to is written in the manifests, which are sealed; no commit can expect
/// that it is still so.
#[derive(Clone, Default)]
pub(crate) struct Turns(Arc<Mutex<Locks>>);

/// By registry and repository.
type Locks = HashMap<(Arc<str>, RepositoryName), Weak<RwLock<()>>>;

/// While it lives, nothing is taken from the repository that a manifest refers to.
pub(crate) struct Pushing(#[expect(dead_code, reason = "held")] OwnedRwLockReadGuard<()>);

/// While it lives, no manifest is added to the repository.
pub(crate) struct Taking(#[expect(dead_code, reason = "held")] OwnedRwLockWriteGuard<()>);

impl Turns {
    pub(crate) async fn push(&self, registry: &Arc<str>, repository: &RepositoryName) -> Pushing {
        Pushing(self.lock(registry, repository).read_owned().await)
    }

    pub(crate) async fn take(&self, registry: &Arc<str>, repository: &RepositoryName) -> Taking {
        Taking(self.lock(registry, repository).write_owned().await)
    }

    fn lock(&self, registry: &Arc<str>, repository: &RepositoryName) -> Arc<RwLock<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (Arc::clone(registry), repository.clone());
        if let Some(lock) = locks.get(&key).and_then(Weak::upgrade) {
            return lock;
        }
        if locks.len() >= TIDY_FROM {
            locks.retain(|_, lock| lock.strong_count() > 0);
        }
        let lock = Arc::new(RwLock::new(()));
        locks.insert(key, Arc::downgrade(&lock));
        lock
    }
}
