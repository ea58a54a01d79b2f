use std::{
    sync::{Arc, atomic::Ordering, mpsc},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use tokio::sync::{Semaphore, oneshot, watch};
use uuid::Uuid;

use super::{
    Changes, Commit, Condition, Item, KeyRange, Metadata,
    group::forged,
    ledger::LEDGER,
    recovery::{self, Recovered, Walk},
    shared::Shared,
    writer::{Message, Request, Writer},
};
use crate::{Authenticator, Error, Journal, Result, StoreFiles};

/// The maximum number of commits in the queue. Further commits wait for a slot.
const QUEUE_LENGTH: usize = 1024;

/// The time that a start may spend on comparing records with the ledger. The rest is compared in the background.
const CHECK_AT_START: Duration = Duration::from_millis(50);

/// Metadata in an embedded database with a commit log.
pub struct Database {
    shared: Arc<Shared>,
    authenticator: Authenticator,
    messages: Option<mpsc::Sender<Message>>,
    slots: Arc<Semaphore>,
    writer: Option<JoinHandle<()>>,
    /// True once all records have been compared with the ledger.
    compared: watch::Receiver<bool>,
}

impl Database {
    /// Creates the database of a new store. A crash in between leaves no database.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn create(files: &StoreFiles, store: Uuid) -> Result<()> {
        recovery::create(files, store)
    }

    /// Opens a database. Also returns its journal and the id of the store.
    ///
    /// # Errors
    /// If a brief check finds that acknowledged data is missing or damaged.
    pub fn open(files: StoreFiles) -> Result<(Self, Journal, Uuid)> {
        let recovered: Recovered = recovery::open(&files)?;
        let (store, journal) = (recovered.ledger.store, recovered.journal.clone());
        let snapshot = recovery::guarded_snapshot(&*recovered.engine, &files)?;
        let mut walk = Walk::new(&snapshot, &files.authenticator)?;
        let deadline = Instant::now() + CHECK_AT_START;
        let is_done = walk.run(snapshot.snapshot.is_frozen().then_some(deadline))?;
        if let Some(first) = walk.findings.first() {
            let more = walk.findings.len() - 1;
            let why = match more {
                0 => first.clone(),
                _ => format!("{first} (and {more} more)"),
            };
            return Err(Error::damaged_file(files.database(), why));
        }
        let shared = Arc::new(Shared::new(snapshot));
        let (compare, compared) = watch::channel(is_done);
        if !is_done {
            let shared = Arc::clone(&shared);
            let thread = std::thread::Builder::new().name("metadata-check".to_owned());
            thread.spawn(move || {
                // Records that cannot be read count as damage.
                if let Err(error) = walk.run(None) {
                    walk.findings.push(error.to_string());
                }
                for finding in &walk.findings {
                    tracing::error!(finding, "the metadata is damaged");
                }
                shared.condition().damage.append(&mut walk.findings);
                compare.send_replace(true);
            })?;
        }
        let (messages, received) = mpsc::channel();
        let authenticator = files.authenticator.clone();
        let writer = Writer::new(files, recovered, Arc::clone(&shared))?;
        let thread = std::thread::Builder::new().name("metadata-writer".to_owned());
        let database = Self {
            shared,
            authenticator,
            messages: Some(messages),
            slots: Arc::new(Semaphore::new(QUEUE_LENGTH)),
            writer: Some(thread.spawn(move || writer.run(&received))?),
            compared,
        };
        Ok((database, journal, store))
    }

    fn send(&self, message: Message) -> Result<()> {
        let messages = self.messages.as_ref().ok_or(Error::Closed)?;
        messages.send(message).map_err(|_| Error::Closed)
    }

    fn open_value(&self, key: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        let value = self.authenticator.open(key, sealed);
        value.map(<[u8]>::to_vec).ok_or_else(|| forged(key))
    }
}

#[async_trait]
impl Metadata for Database {
    async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let sealed = self.shared.snapshot().get(key)?;
        sealed
            .map(|sealed| self.open_value(key, &sealed))
            .transpose()
    }

    async fn page(&self, range: KeyRange<'_>, limit: usize) -> Vec<Result<Item>> {
        if range.is_empty() {
            return Vec::new();
        }
        let items = self.shared.snapshot().range(range);
        let items = items.filter(|item| !matches!(item, Ok((key, _)) if key == LEDGER));
        let mut opened = Vec::new();
        for item in items.take(limit) {
            let item = item.and_then(|(key, sealed)| {
                let value = self.open_value(&key, &sealed)?;
                Ok((key, value))
            });
            let is_err = item.is_err();
            opened.push(item);
            if is_err {
                break;
            }
        }
        opened
    }

    async fn commit(&self, changes: Changes) -> Result<Commit> {
        let slot = Arc::clone(&self.slots).acquire_owned().await;
        let (done, outcome) = oneshot::channel();
        self.send(Message::Commit(Request {
            changes,
            done,
            slot: slot.map_err(|_| Error::Closed)?,
        }))?;
        outcome.await.map_err(|_| Error::Closed)?
    }

    async fn journal_or_hold(&self, line: Vec<u8>) {
        let changes = Changes {
            lines: vec![line.clone()],
            ..Changes::default()
        };
        if self.commit(changes).await.is_err() {
            self.shared.hold(line);
        }
    }

    async fn epoch(&self) -> Result<u64> {
        Ok(self.shared.epoch.load(Ordering::SeqCst))
    }

    fn condition(&self) -> Condition {
        self.shared.condition().clone()
    }

    async fn check(&self) -> Result<Vec<String>> {
        self.is_sound().await;
        let snapshot = self.shared.snapshot();
        let authenticator = self.authenticator.clone();
        let walked = tokio::task::spawn_blocking(move || {
            let mut walk = Walk::new(&snapshot, &authenticator)?;
            walk.run(None)?;
            Ok::<_, Error>(walk.findings)
        });
        let mut findings = walked.await.map_err(std::io::Error::from)??;
        let (done, expected) = oneshot::channel();
        self.send(Message::Expect(done))?;
        let expected = expected.await.map_err(|_| Error::Closed)?;
        let checked = tokio::task::spawn_blocking(move || {
            recovery::check_files(&expected.files, &expected.ledger, &expected.journal)
        });
        if !checked.await.map_err(std::io::Error::from)??.is_empty() {
            // The files may have changed during the check. The writer repeats it, and writes nothing meanwhile.
            let (done, checked) = oneshot::channel();
            self.send(Message::Check(done))?;
            findings.append(&mut checked.await.map_err(|_| Error::Closed)??);
        }
        Ok(findings)
    }

    async fn is_sound(&self) -> bool {
        let mut compared = self.compared.clone();
        // The sender is dropped only after it has sent true.
        let _ = compared.wait_for(|compared| *compared).await;
        self.shared.condition().damage.is_empty()
    }

    async fn close(&self) {
        let (done, stopped) = oneshot::channel();
        if self.send(Message::Stop(done)).is_ok() {
            let _ = stopped.await;
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.messages = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}
