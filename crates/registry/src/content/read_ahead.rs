//! The memory of downloads. Each may always hold one small batch. As long as all together stay within a limit, it holds
//! several large ones instead.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// The number of bytes that are read and opened at once, under one lease. Each batch may wake other threads, so a pull
/// in small batches takes longer.
pub(super) const BATCH_BYTES: usize = 512 * 1024;

/// The same for a download that gets no share.
const SMALL_BATCH_BYTES: usize = 128 * 1024;

/// The number of batches that one download may hold. Opening continues while the network sends.
const BATCHES_PER_DOWNLOAD: usize = 6;

/// The number of batches that all downloads together may hold.
const SHARED_BATCHES: usize = 64;

/// The batches that all downloads share. Clones share them, too.
#[derive(Clone)]
pub(crate) struct ReadAhead(Arc<Semaphore>);

/// The buffers of one download. A buffer counts until the client has taken its content, and is then used again.
#[derive(Clone)]
pub(super) struct Buffers(Arc<Pool>);

struct Pool {
    shared: ReadAhead,
    state: Mutex<State>,
    returned: Notify,
}

#[derive(Default)]
struct State {
    free: Vec<Memory>,
    /// The number of buffers, free or not.
    count: usize,
}

#[derive(Default)]
struct Memory {
    bytes: Vec<u8>,
    /// `None` for a small buffer.
    share: Option<OwnedSemaphorePermit>,
}

/// A buffer, which returns to its download when it is dropped.
pub(super) struct Buffer {
    memory: Memory,
    pool: Arc<Pool>,
}

impl Default for ReadAhead {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(SHARED_BATCHES)))
    }
}

impl Buffers {
    pub(super) fn new(shared: ReadAhead) -> Self {
        Self(Arc::new(Pool {
            shared,
            state: Mutex::default(),
            returned: Notify::new(),
        }))
    }

    /// Waits for a buffer.
    pub(super) async fn take(&self) -> Buffer {
        loop {
            match self.try_take() {
                Some(buffer) => return buffer,
                None => self.0.returned.notified().await,
            }
        }
    }

    /// Returns a buffer, unless the client must take the content of others first.
    pub(super) fn try_take(&self) -> Option<Buffer> {
        let mut state = self.0.state();
        let memory = match state.free.pop() {
            Some(memory) => memory,
            None if state.count >= BATCHES_PER_DOWNLOAD => return None,
            None => {
                let share = Arc::clone(&self.0.shared.0).try_acquire_owned().ok();
                if share.is_none() && state.count > 0 {
                    return None;
                }
                state.count += 1;
                Memory {
                    bytes: Vec::new(),
                    share,
                }
            }
        };
        Some(Buffer {
            memory,
            pool: Arc::clone(&self.0),
        })
    }
}

impl Pool {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buffer {
    /// Returns the size of the batches that it is for.
    pub(super) fn batch_bytes(&self) -> usize {
        match self.memory.share {
            Some(_) => BATCH_BYTES,
            None => SMALL_BATCH_BYTES,
        }
    }

    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.memory.bytes
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.memory.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let memory = mem::take(&mut self.memory);
        self.pool.state().free.push(memory);
        self.pool.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take_all(download: &Buffers) -> Vec<Buffer> {
        std::iter::from_fn(|| download.try_take()).collect()
    }

    #[test]
    fn downloads_without_a_share_hold_one_small_batch_each() {
        let shared = ReadAhead::default();
        let downloads: Vec<_> = (0..1000).map(|_| Buffers::new(shared.clone())).collect();
        let held: Vec<_> = downloads.iter().flat_map(take_all).collect();
        let bytes: usize = held.iter().map(Buffer::batch_bytes).sum();
        assert!(bytes <= SHARED_BATCHES * BATCH_BYTES + 1000 * SMALL_BATCH_BYTES);
        let last = take_all(&downloads[999]);
        assert!(last.is_empty(), "it holds its batch already");

        drop((downloads, held));
        let next = take_all(&Buffers::new(shared));
        assert_eq!(next.len(), BATCHES_PER_DOWNLOAD, "the others left");
    }

    #[test]
    fn batch_that_the_client_took_makes_room_for_the_next() {
        let download = Buffers::new(ReadAhead::default());
        let mut held = take_all(&download);
        held[0].bytes().push(7);
        held.swap_remove(0);
        let mut next = download.try_take().unwrap();
        assert_eq!(*next.bytes(), [7], "the memory is used again");
        assert!(download.try_take().is_none());
    }
}
