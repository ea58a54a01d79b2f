use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, atomic::AtomicU64},
};

use super::{Condition, engine::GuardedSnapshot};
use crate::Error;

/// The maximum number of journal lines that are held while the disk fails.
const HELD_LINES: usize = 1024;

/// The state that the writer shares with the readers.
pub(crate) struct Shared {
    snapshot: RwLock<Arc<GuardedSnapshot>>,
    pub(crate) epoch: AtomicU64,
    condition: Mutex<Condition>,
    held: Mutex<VecDeque<Vec<u8>>>,
}

impl Shared {
    pub(crate) fn new(snapshot: Arc<GuardedSnapshot>) -> Self {
        Self {
            snapshot: RwLock::new(snapshot),
            epoch: AtomicU64::default(),
            condition: Mutex::default(),
            held: Mutex::default(),
        }
    }

    pub(crate) fn snapshot(&self) -> Arc<GuardedSnapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the snapshot that readers see.
    pub(crate) fn set_snapshot(&self, snapshot: Arc<GuardedSnapshot>) {
        *self
            .snapshot
            .write()
            .unwrap_or_else(PoisonError::into_inner) = snapshot;
    }

    pub(crate) fn condition(&self) -> MutexGuard<'_, Condition> {
        self.condition
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a journal line until the disk accepts it.
    pub(crate) fn hold(&self, line: Vec<u8>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let mut condition = self.condition();
        if held.len() < HELD_LINES {
            held.push_back(line);
        } else {
            condition.lost_lines += 1;
        }
        condition.held_lines = held.len();
    }

    pub(crate) fn take_held(&self) -> Vec<Vec<u8>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        self.condition().held_lines = 0;
        held.drain(..).collect()
    }

    pub(crate) fn report(&self, error: &Error) {
        let mut condition = self.condition();
        if condition.failure.is_none() {
            tracing::error!(%error, "the store cannot write");
        }
        condition.failure = Some(error.into());
    }

    pub(crate) fn report_recovery(&self) {
        if self.condition().failure.take().is_some() {
            tracing::info!("the store can write again");
        }
    }
}
