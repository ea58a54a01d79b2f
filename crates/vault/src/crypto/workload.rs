use std::{num::NonZero, sync::Arc, thread::available_parallelism};

use sealock_store::LongWork;
use tokio::{sync::Semaphore, task::spawn_blocking};

use super::key_material::KeyMaterial;
use crate::{Error, KeyShape, Result};

/// The maximum number of clients whose RSA keys are being generated, or wait for that.
const GENERATIONS: usize = 32;

/// The seconds after which a refused client may ask again for the generation of a key. Azure counts over as many.
const RETRY_AFTER: i64 = 10;

/// The computations with private keys: those of clients run a few at a time, so that other requests find a processor.
///
/// The operator, the rotation policies and the registries never wait behind many clients.
pub(crate) struct Workload {
    generations: LongWork,
    places: Arc<Semaphore>,
    operations: LongWork,
}

impl Workload {
    pub(crate) fn new() -> Self {
        Self {
            generations: LongWork::beside_requests(),
            places: Arc::new(Semaphore::new(GENERATIONS)),
            operations: LongWork::new(available_parallelism().map_or(1, NonZero::get)),
        }
    }

    /// Generates a key. An RSA key takes seconds, so a client is refused if too many others wait.
    pub(crate) async fn generate(&self, shape: KeyShape, for_client: bool) -> Result<KeyMaterial> {
        let generate = move || KeyMaterial::generate(shape);
        if let KeyShape::Rsa { .. } = shape {
            self.run_generation(for_client, generate).await?
        } else {
            spawn_blocking(generate).await?
        }
    }

    async fn run_generation<T: Send + 'static>(
        &self,
        for_client: bool,
        generate: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let place = if for_client {
            let place = Arc::clone(&self.places).try_acquire_owned();
            let full = |_| Error::Throttled {
                retry_after: RETRY_AFTER,
            };
            Some(place.map_err(full)?)
        } else {
            None
        };
        let generated = self.generations.run(move || {
            let _place = place;
            generate()
        });
        Ok(generated.await?)
    }

    /// Runs an operation with a private key.
    pub(crate) async fn operate<T: Send + 'static>(
        &self,
        for_client: bool,
        operate: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        if for_client {
            Ok(self.operations.run(operate).await?)
        } else {
            Ok(spawn_blocking(operate).await?)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    };

    use futures_util::{FutureExt as _, future::join_all};

    use super::*;

    #[tokio::test]
    async fn clients_beyond_the_queue_are_refused_and_few_generations_run_at_once() {
        let workload = Workload {
            generations: LongWork::new(2),
            ..Workload::new()
        };
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (finish, finished) = mpsc::channel::<()>();
        let finished = Arc::new(std::sync::Mutex::new(finished));
        let generate = |for_client| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            let finished = Arc::clone(&finished);
            Box::pin(workload.run_generation(for_client, move || {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                finished.lock().unwrap().recv().unwrap();
                running.fetch_sub(1, Ordering::SeqCst);
            }))
        };
        let mut admitted: Vec<_> = (0..GENERATIONS).map(|_| generate(true)).collect();
        for generation in &mut admitted {
            assert!(generation.now_or_never().is_none());
        }
        let refused = generate(true).await;
        assert!(matches!(refused, Err(Error::Throttled { retry_after: 10 })));
        // A rotation that is due waits, however many clients do.
        let mut due = generate(false);
        assert!((&mut due).now_or_never().is_none());
        for _ in 0..=GENERATIONS {
            finish.send(()).unwrap();
        }
        for generated in join_all(admitted).await {
            generated.unwrap();
        }
        due.await.unwrap();
        assert!(most.load(Ordering::SeqCst) <= 2);
        finish.send(()).unwrap();
        generate(true).await.unwrap();
    }
}
