//! The pace that a client has to keep while an answer waits for it, or while the emulator waits for a body.

use std::{
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// The bytes that a client has to move within each time limit, unless fewer are left. They keep a client from holding a
/// slot with a byte now and then, and any real network moves them.
pub(super) const LEAST_BYTES: usize = 64 << 10;

/// Measures whether a client moves [`LEAST_BYTES`] in each `limit`. Only the time that is spent waiting for the client
/// counts.
pub(super) struct Pace {
    limit: Duration,
    /// The rest of the limit, as of the last time that the wait began or ended.
    remaining: Duration,
    /// The bytes that the client has moved within the limit.
    moved: usize,
    /// The beginning of the current wait.
    waiting: Option<Instant>,
    /// Wakes the task. It exists from the first wait on, since most clients need none. It is set to a later time only
    /// after it has gone off, since setting it costs more than a wake-up.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            limit,
            remaining: limit,
            moved: 0,
            waiting: None,
            timer: None,
        }
    }

    /// Counts the bytes that the client has moved, and ends the wait for it.
    pub(super) fn advance(&mut self, bytes: usize) {
        if let Some(began) = self.waiting.take() {
            self.remaining = self.remaining.saturating_sub(began.elapsed());
        }
        self.moved += bytes;
        if self.moved >= LEAST_BYTES {
            self.moved = 0;
            self.remaining = self.limit;
        }
    }

    /// Begins to wait for the client, unless it does already.
    pub(super) fn wait(&mut self) {
        self.waiting.get_or_insert_with(Instant::now);
    }

    /// Returns once the client has been too slow. Is pending as long as nothing waits for it.
    pub(super) fn poll_too_slow(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(began) = self.waiting else {
            return Poll::Pending;
        };
        let end = began + self.remaining;
        let new_timer = || Box::pin(sleep_until(end));
        let timer = self.timer.get_or_insert_with(new_timer);
        loop {
            ready!(timer.as_mut().poll(context));
            if Instant::now() >= end {
                return Poll::Ready(());
            }
            timer.as_mut().reset(end);
        }
    }
}

/// Logs why an answer ends early.
pub(super) fn log_slow_reader(client: IpAddr) {
    tracing::info!(
        %client,
        "an answer was cut off, since its client accepted less than 64 KiB of it within server.write_timeout"
    );
}
