use std::{
    io,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

/// A sync that all who wait for it share. It covers what changed before it began.
#[derive(Debug, Default)]
pub(crate) struct SharedSync {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The number of syncs that have begun.
    begun: u64,
    is_running: bool,
    /// The number of the newest sync that succeeded.
    succeeded: u64,
}

/// The caller that runs a sync for all. Its drop ends the sync, even after a panic.
struct Leader<'a> {
    shared: &'a SharedSync,
    number: u64,
    has_succeeded: bool,
}

impl SharedSync {
    /// Makes the caller's changes durable: waits for the sync of another caller that began after them, or calls `sync`.
    ///
    /// # Errors
    /// If the caller's own `sync` fails. Those who wait for it then try themselves.
    pub(crate) fn run(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut state = self.lock();
        // A running sync may have begun before the caller's changes.
        let needed = state.begun + 1;
        while state.is_running && state.succeeded < needed {
            let woken = self.ended.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        }
        if state.succeeded >= needed {
            return Ok(());
        }
        state.begun += 1;
        state.is_running = true;
        let mut leader = Leader {
            shared: self,
            number: state.begun,
            has_succeeded: false,
        };
        drop(state);
        let synced = sync();
        leader.has_succeeded = synced.is_ok();
        synced
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_running = false;
        if self.has_succeeded {
            state.succeeded = self.number;
        }
        self.shared.ended.notify_all();
    }
}
