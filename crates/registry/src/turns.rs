use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use sealock_core::RegistryId;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use crate::{Registry, RepositoryName};

/// Whose turn it is to write to which repository. Clones share it.
///
/// A commit only sees to the records that it names. What must hold for a repository as a whole, for instance
/// that no manifest comes to refer to a blob while that is being deleted, is judged by whoever has the
/// repository to itself.
#[derive(Clone, Default)]
pub(crate) struct Turns(Arc<Mutex<HashMap<Key, Weak<RwLock<()>>>>>);

type Key = (RegistryId, RepositoryName);

impl Turns {
    fn of(&self, registry: RegistryId, repository: &RepositoryName) -> Arc<RwLock<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (registry, repository.clone());
        if let Some(turn) = turns.get(&key).and_then(Weak::upgrade) {
            return turn;
        }
        turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::default();
        turns.insert(key, Arc::downgrade(&turn));
        turn
    }
}

impl Registry {
    /// Waits until the repository may be written to, beside others that do the same.
    ///
    /// Whoever has a turn must not ask for another: somebody may wait between the two for one alone.
    pub(crate) async fn shared_turn(
        &self,
        repository: &RepositoryName,
    ) -> OwnedRwLockReadGuard<()> {
        let turn = self.turns.of(self.record.id, repository);
        turn.read_owned().await
    }

    /// Waits until nobody else writes to the repository.
    pub(crate) async fn sole_turn(&self, repository: &RepositoryName) -> OwnedRwLockWriteGuard<()> {
        let turn = self.turns.of(self.record.id, repository);
        turn.write_owned().await
    }
}
