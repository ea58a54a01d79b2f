use std::{num::NonZero, sync::Arc, thread::available_parallelism};

use tokio::{
    sync::Semaphore,
    task::{JoinError, spawn_blocking},
};

/// Work that takes long. It runs on threads beside those that serve requests, a bounded number at once. The rest waits,
/// in order. Clones share the bound.
#[derive(Clone)]
pub struct LongWork(Arc<Semaphore>);

impl LongWork {
    /// Permits `at_once` pieces of work at a time.
    pub fn new(at_once: usize) -> Self {
        Self(Arc::new(Semaphore::new(at_once)))
    }

    /// Permits as many pieces of work at a time as leave a processor to the requests, but at least one.
    pub fn beside_requests() -> Self {
        let processors = available_parallelism().map_or(1, NonZero::get);
        Self::new(processors.saturating_sub(1).max(1))
    }

    /// Runs `work` once it is its turn. Work that has begun ends, even if the future is dropped.
    ///
    /// # Errors
    /// If the work panics, or the runtime shuts down.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        // Nobody closes the semaphore.
        let turn = Arc::clone(&self.0).acquire_owned().await;
        spawn_blocking(move || {
            let _turn = turn;
            work()
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn work_waits_for_its_turn_even_if_nobody_waits_for_the_work_before() {
        let long_work = LongWork::new(1);
        let (finish, finished) = mpsc::channel::<()>();
        let (begin, begun) = tokio::sync::oneshot::channel();
        let first = tokio::spawn({
            let long_work = long_work.clone();
            async move {
                long_work
                    .run(move || {
                        begin.send(()).unwrap();
                        finished.recv().unwrap();
                    })
                    .await
            }
        });
        begun.await.unwrap();
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());

        let mut second = Box::pin(long_work.run(|| "second"));
        assert!((&mut second).now_or_never().is_none());
        assert_eq!(long_work.0.available_permits(), 0);
        finish.send(()).unwrap();
        assert_eq!(second.await.unwrap(), "second");
    }
}
