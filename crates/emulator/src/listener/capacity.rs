use std::{io, sync::Arc, time::Duration};

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// The number of requests that are served at a time. An idle connection counts as one.
const SLOT_LIMIT: u32 = 1024;

/// The number of files that a slot may need: its connection, and a file to read or write.
const FILES_PER_SLOT: u64 = 2;

/// The time that a client waits for a slot after idle connections were asked to end.
pub(super) const SLOT_WAIT_LIMIT: Duration = Duration::from_secs(1);

/// The interval at which idle connections are asked to end while a client waits for a slot.
const ASK_INTERVAL: Duration = Duration::from_millis(50);

/// The body of the answer to a client that gets no slot.
const CROWDED: &str = "{\"errors\":[{\"code\":\"UNAVAILABLE\",\"message\":\"too many clients at once\",\"detail\":null}]}\n";

/// A slot for one request. A request that changes something keeps its slot to the end, even if its client has left.
#[derive(Clone, Debug)]
pub(crate) struct Slot(Arc<OwnedSemaphorePermit>);

impl Slot {
    /// Returns true if no request uses the slot.
    pub(super) fn is_free(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

/// The slots of all connections together.
#[derive(Clone)]
pub(super) struct Capacity {
    slots: Arc<Semaphore>,
    limit: u32,
    /// Notifies connections that clients wait for a slot. Idle connections end then.
    crowded: Arc<Notify>,
    shutdown: CancellationToken,
}

impl Capacity {
    /// Returns as many slots as `open_files` files permit.
    pub(super) fn new(open_files: u64, shutdown: CancellationToken) -> Self {
        let limit = u32::try_from(open_files / FILES_PER_SLOT).unwrap_or(SLOT_LIMIT);
        Self::with_slots(limit.clamp(1, SLOT_LIMIT), shutdown)
    }

    pub(super) fn with_slots(limit: u32, shutdown: CancellationToken) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(limit as usize)),
            limit,
            crowded: Arc::default(),
            shutdown,
        }
    }

    /// Takes a slot. If all are in use, asks idle connections to end and waits up to [`SLOT_WAIT_LIMIT`].
    pub(super) async fn take_slot(&self) -> Option<Slot> {
        let slots = || Arc::clone(&self.slots);
        let slot = |permit| Slot(Arc::new(permit));
        if let Ok(permit) = slots().try_acquire_owned() {
            return Some(slot(permit));
        }
        let freed = async {
            loop {
                self.ask_idle_to_end();
                // A new connection does not listen yet and hears it in a later round.
                if let Ok(permit) = timeout(ASK_INTERVAL, slots().acquire_owned()).await {
                    return permit;
                }
            }
        };
        timeout(SLOT_WAIT_LIMIT, freed).await.ok()?.ok().map(slot)
    }

    /// Asks idle connections to end, since others need their slots or files.
    pub(super) fn ask_idle_to_end(&self) {
        self.crowded.notify_waiters();
    }

    /// Returns once other clients wait for a slot.
    pub(super) async fn crowded(&self) {
        self.crowded.notified().await;
    }

    /// Returns once an idle connection has to end.
    pub(super) async fn idle_must_end(&self) {
        tokio::select! {
            () = self.crowded() => {}
            () = self.shutdown.cancelled() => {}
        }
    }

    /// Returns once the emulator stops.
    pub(super) async fn shutdown(&self) {
        self.shutdown.cancelled().await;
    }

    /// Waits until every connection and every change has ended. Returns false if that takes longer than `limit`.
    pub(super) async fn drain(&self, limit: Duration) -> bool {
        let all = self.slots.acquire_many(self.limit);
        timeout(limit, all).await.is_ok()
    }

    #[cfg(test)]
    pub(super) fn free_slots(&self) -> usize {
        self.slots.available_permits()
    }
}

/// Returns the answer to a request that gets no slot.
pub(super) fn crowded_response() -> Response {
    let headers = [
        (header::RETRY_AFTER, "1"),
        (header::CONTENT_TYPE, "application/json"),
    ];
    (StatusCode::SERVICE_UNAVAILABLE, headers, CROWDED).into_response()
}

/// Answers a client without reading its request. A client of TLS or HTTP/2 cannot parse the answer and sees the
/// connection end.
pub(super) async fn turn_away(mut stream: TcpStream) -> io::Result<()> {
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable: too many open files\r\n\
        retry-after: 1\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{CROWDED}",
        CROWDED.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    // Unread data would reset the connection, and the client would lose the answer.
    let mut sent = [0; 1024];
    while let Ok(1..) = stream.try_read(&mut sent) {}
    stream.shutdown().await
}
