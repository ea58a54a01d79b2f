use std::{
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::{
    Error, Result, StoreFiles,
    disk::Access,
    metadata::{copies, engine::GuardedSnapshot, ledger::Ledger},
};

/// The interval between copies of the metadata while it changes.
const INTERVAL: Duration = Duration::from_mins(10);

/// The size of a log, in bytes, at which the metadata is copied.
const LOG_BYTES: u64 = 64 * 1024 * 1024;

/// The size of a copy, in bytes, above which it takes long. A stop waits for such a copy only if much has changed.
const LARGE_COPY: u64 = 64 * 1024 * 1024;

/// Copies the metadata in the background.
pub(super) struct Copier {
    files: StoreFiles,
    /// The number of the newest copied commit.
    copied: u64,
    /// The time at which the last copy began.
    begun: Instant,
    thread: Option<JoinHandle<Result<u64>>>,
}

impl Copier {
    pub(super) fn new(files: &StoreFiles) -> Result<Self> {
        let copies = copies::list(&*files.disk, &files.metadata())?;
        Ok(Self {
            files: files.clone(),
            copied: copies.last().copied().unwrap_or_default(),
            begun: Instant::now(),
            thread: None,
        })
    }

    /// Returns true if a copy is due after the commit `newest`, with a log of `log_bytes` bytes.
    pub(super) fn is_due(&self, newest: u64, log_bytes: u64) -> bool {
        let is_time = self.begun.elapsed() >= INTERVAL || log_bytes >= LOG_BYTES;
        newest > self.copied && is_time && self.thread.is_none()
    }

    /// Returns true if a stop should make a copy. A copy of much metadata takes seconds, and the previous copy with its
    /// log is enough.
    pub(super) fn is_worthwhile(&self, newest: u64, log_bytes: u64) -> bool {
        if newest <= self.copied {
            return false;
        }
        let path = copies::path(&self.files.metadata(), self.copied);
        let copied = self.files.disk.open(&path, Access::Read);
        match copied.and_then(|file| file.len()) {
            Ok(length) if length > LARGE_COPY => log_bytes > length / 8,
            _ => true,
        }
    }

    /// Restarts the interval until the next copy, even if this copy fails.
    pub(super) fn start_interval(&mut self) {
        self.begun = Instant::now();
    }

    /// Copies a snapshot, in the background if later writes leave it unchanged.
    pub(super) fn begin(&mut self, snapshot: Arc<GuardedSnapshot>, ledger: Ledger) -> Result<()> {
        let is_frozen = snapshot.snapshot.is_frozen();
        let files = self.files.clone();
        let copy = move || {
            let dir = files.metadata();
            copies::write(&*files.disk, &dir, &snapshot, &ledger, &files.authenticator)?;
            Ok(ledger.number)
        };
        if is_frozen {
            let thread = std::thread::Builder::new().name("metadata-copy".to_owned());
            self.thread = Some(thread.spawn(copy)?);
            return Ok(());
        }
        self.end(copy()?)
    }

    pub(super) fn finish_if_done(&mut self) {
        if self.thread.as_ref().is_some_and(JoinHandle::is_finished) {
            self.finish();
        }
    }

    /// Waits for the copy in the background, if there is one.
    pub(super) fn finish(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        let copied = thread.join().unwrap_or_else(|_| {
            let why = "it could not be copied";
            Err(Error::damaged_file(self.files.database(), why))
        });
        if let Err(error) = copied.and_then(|number| self.end(number)) {
            tracing::warn!(%error, "the metadata could not be copied");
        }
    }

    fn end(&mut self, number: u64) -> Result<()> {
        self.copied = number;
        copies::remove_old(&*self.files.disk, &self.files.metadata())
    }
}
