use std::{
    ops::Bound,
    path::Path,
    sync::{Mutex, PoisonError, mpsc},
    thread::JoinHandle,
};

use async_trait::async_trait;
use tokio::sync::watch;

use super::{Changes, Items, Metadata, Outcome, Ticket};
use crate::{
    Error, Result,
    durable::{create_dir, sync_dir},
    ownership::open_inside,
};

const CACHE_BYTES: u64 = 32 * 1024 * 1024;

/// Metadata in a sled database.
///
/// sled 0.34 flushes with `sync_file_range`, which is no barrier, so one thread does what is missing:
/// it flushes, then syncs sled's `db` file, once for all commits that wait.
pub struct SledMetadata {
    db: sled::Db,
    applied: Mutex<u64>,
    synced: watch::Receiver<Synced>,
    wake: Option<mpsc::SyncSender<u64>>,
    syncer: Option<JoinHandle<()>>,
}

#[derive(Clone, Default)]
struct Synced {
    up_to: u64,
    failure: Option<String>,
}

impl SledMetadata {
    /// Opens the database in the directory `dir`, or creates it.
    ///
    /// # Errors
    /// If the directory cannot be used or the database is damaged.
    pub fn open(dir: &Path) -> Result<Self> {
        create_dir(dir)?;
        let db = sled::Config::new()
            .path(dir)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None)
            .open()?;
        let db_file = open_inside(&dir.join("db"))?;
        sync_dir(dir)?;

        let (wake, woken) = mpsc::sync_channel(1);
        let (publish, synced) = watch::channel(Synced::default());
        let syncer = std::thread::Builder::new()
            .name("metadata-sync".to_owned())
            .spawn({
                let db = db.clone();
                move || {
                    while let Ok(up_to) = woken.recv() {
                        let result = db
                            .flush()
                            .map_err(Error::from)
                            .and_then(|_| Ok(db_file.sync_data()?));
                        publish.send_modify(|synced| match result {
                            Ok(()) => synced.up_to = synced.up_to.max(up_to),
                            Err(error) => synced.failure = Some(error.to_string()),
                        });
                    }
                }
            })?;
        Ok(Self {
            db,
            applied: Mutex::new(0),
            synced,
            wake: Some(wake),
            syncer: Some(syncer),
        })
    }

    fn check_not_poisoned(&self) -> Result<()> {
        match &self.synced.borrow().failure {
            Some(failure) => Err(Error::Poisoned(failure.clone())),
            None => Ok(()),
        }
    }
}

#[async_trait]
impl Metadata for SledMetadata {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.db.get(key)?.map(|value| value.to_vec()))
    }

    fn range(&self, start: Bound<Vec<u8>>, end: Vec<u8>) -> Items<'_> {
        let range = self.db.range::<Vec<u8>, _>((start, Bound::Excluded(end)));
        Box::new(range.map(|item| {
            let (key, value) = item?;
            Ok((key.to_vec(), value.to_vec()))
        }))
    }

    fn apply(&self, changes: Changes) -> Result<Outcome> {
        self.check_not_poisoned()?;
        let mut applied = self.applied.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, expectation) in &changes.expectations {
            if !expectation.holds(self.db.get(key)?.as_deref()) {
                return Ok(Outcome::Conflict);
            }
        }
        let mut batch = sled::Batch::default();
        for key in changes.deletes {
            batch.remove(key);
        }
        for (key, value) in changes.puts {
            batch.insert(key, value);
        }
        self.db.apply_batch(batch)?;
        *applied += 1;
        Ok(Outcome::Applied(Ticket(*applied)))
    }

    fn latest(&self) -> Ticket {
        Ticket(*self.applied.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn durable(&self, Ticket(ticket): Ticket) -> Result<()> {
        // With one wake-up waiting already, the sync that it starts covers this ticket too, if its
        // number is no smaller; so the newest number is what counts, not whose it is.
        let mut synced = self.synced.clone();
        while synced.borrow_and_update().up_to < ticket {
            self.check_not_poisoned()?;
            let Ticket(newest) = self.latest();
            if let Some(wake) = &self.wake {
                let _ = wake.try_send(newest);
            }
            if synced.changed().await.is_err() {
                return Err(Error::Poisoned("the syncing thread has ended".to_owned()));
            }
        }
        Ok(())
    }
}

impl Drop for SledMetadata {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(syncer) = self.syncer.take() {
            let _ = syncer.join();
        }
    }
}
