//! The thread that writes the metadata.

mod copier;
mod message;

use std::{
    sync::{Arc, atomic::Ordering, mpsc},
    time::{Duration, Instant},
};

use self::copier::Copier;
pub(crate) use self::message::{Expected, Message, Request};
use super::{
    Changes, Commit,
    engine::{Engine, catch_panic},
    group::{Group, account},
    ledger::Ledger,
    log::{Encoded, Log, LogEntry, LogPosition},
    newest::Newest,
    recovery::{self, Recovered},
    shared::Shared,
};
use crate::{Error, Journal, Result, StoreFiles};

/// The maximum number of commits that share one sync.
const GROUP: usize = 256;

/// The number of syncs between checkpoints of the database. A start replays at most as many groups of commits.
const CHECKPOINT_AFTER: usize = 512;

/// The time without a commit after which a checkpoint is made, and failed writes are tried again.
const IDLE: Duration = Duration::from_secs(1);

/// The number of unsynced journal bytes at which a checkpoint syncs the journal.
const UNSYNCED_BYTES: usize = 4 * 1024 * 1024;

/// The maximum number of unsynced journal bytes while the journal's file fails. Beyond it, commits are refused.
const UNSYNCED_LIMIT: usize = 64 * 1024 * 1024;

/// The only thread that writes the metadata.
///
/// It takes the waiting commits, appends them to the log with one sync for all, and only then makes them visible. A
/// commit that the log does not take has not happened.
pub(crate) struct Writer {
    files: StoreFiles,
    engine: Box<dyn Engine>,
    ledger: Ledger,
    log: Log,
    /// True if the log may contain an entry that was reported as failed. Then a new log must replace it.
    is_in_doubt: bool,
    newest: Newest,
    journal: Journal,
    shared: Arc<Shared>,
    since_checkpoint: usize,
    /// The time of the last checkpoint, if it failed.
    failed_checkpoint: Option<Instant>,
    /// The start of the journal as of the checkpoint before the last one, which the engine may still hold.
    journal_start: u64,
    copier: Copier,
}

impl Writer {
    pub(crate) fn new(
        files: StoreFiles,
        recovered: Recovered,
        shared: Arc<Shared>,
    ) -> Result<Self> {
        let Recovered {
            engine,
            ledger,
            log,
            newest,
            journal,
        } = recovered;
        Ok(Self {
            copier: Copier::new(&files)?,
            journal_start: ledger.journal_start(),
            files,
            engine,
            ledger,
            log,
            is_in_doubt: false,
            newest,
            journal,
            shared,
            since_checkpoint: 1,
            failed_checkpoint: None,
        })
    }

    pub(crate) fn run(mut self, messages: &mpsc::Receiver<Message>) {
        let mut stopped = None;
        while stopped.is_none() {
            let mut group = Vec::new();
            let mut next = messages.recv_timeout(IDLE);
            loop {
                match next {
                    Ok(Message::Commit(request)) => group.push(request),
                    Ok(Message::Check(done)) => {
                        let checked =
                            recovery::check_files(&self.files, &self.ledger, &self.journal);
                        let _ = done.send(checked);
                    }
                    Ok(Message::Expect(done)) => {
                        let _ = done.send(Box::new(Expected {
                            files: self.files.clone(),
                            ledger: self.ledger.clone(),
                            journal: self.journal.clone(),
                        }));
                    }
                    Ok(Message::Stop(done)) => {
                        stopped = Some(Some(done));
                        break;
                    }
                    Err(mpsc::RecvTimeoutError::Disconnected) => {
                        stopped = Some(None);
                        break;
                    }
                    Err(mpsc::RecvTimeoutError::Timeout) => break,
                }
                if group.len() == GROUP {
                    break;
                }
                next = match messages.try_recv() {
                    Ok(message) => Ok(message),
                    Err(_) => break,
                };
            }
            if group.is_empty() {
                self.work_while_idle();
            } else {
                self.commit(group);
            }
            self.copy_if_due();
        }
        self.stop();
        if let Some(Some(done)) = stopped {
            let _ = done.send(());
        }
    }

    /// Commits a group. If a damaged record makes the group fail, commits each of its members alone.
    fn commit(&mut self, requests: Vec<Request>) {
        let (changes, waiting): (Vec<Changes>, Vec<_>) = requests
            .into_iter()
            .map(|request| (request.changes, (request.done, request.slot)))
            .unzip();
        let outcomes = match self.commit_together(&changes) {
            Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
            Err(error) if error.fault().is_none() && changes.len() > 1 => changes
                .iter()
                .map(|changes| {
                    let outcome = self.commit_together(std::slice::from_ref(changes));
                    outcome.map(|outcomes| outcomes.first().copied().unwrap_or(Commit::Conflict))
                })
                .collect(),
            Err(error) => changes
                .iter()
                .map(|_| Err(error.duplicate()))
                .collect::<Vec<_>>(),
        };
        for ((done, _slot), outcome) in waiting.into_iter().zip(outcomes) {
            let _ = done.send(outcome);
        }
    }

    fn commit_together(&mut self, changes: &[Changes]) -> Result<Vec<Commit>> {
        let held = self.shared.take_held();
        let done = self.write(&held, changes);
        match &done {
            Ok(_) => self.report_recovery(),
            Err(error) => {
                for line in held {
                    self.shared.hold(line);
                }
                if error.fault().is_some() || matches!(error, Error::Io(_)) {
                    self.shared.report(error);
                }
            }
        }
        let is_due = self.since_checkpoint >= CHECKPOINT_AFTER
            || self.journal.unsynced() >= UNSYNCED_BYTES
            || self.journal.is_full();
        // A failed checkpoint may have copied the whole database, so the next one has to wait.
        let is_early = self.failed_checkpoint.is_some_and(|at| at.elapsed() < IDLE);
        if is_due && !is_early {
            self.checkpoint_or_report();
        }
        done
    }

    fn write(&mut self, held: &[Vec<u8>], changes: &[Changes]) -> Result<Vec<Commit>> {
        if self.is_in_doubt {
            self.begin_log()?;
        }
        self.reopen_if_needed()?;
        if self.journal.unsynced() >= UNSYNCED_LIMIT {
            self.journal.sync()?;
        }
        let group = Group {
            entry: LogEntry {
                number: self.ledger.number + 1,
                control: self.ledger.control,
                journal: self.ledger.journal.length,
                lines: held.concat(),
                ..LogEntry::default()
            },
            ..Group::default()
        };
        let is_only_lines =
            |changes: &Changes| changes.is_only_lines() && changes.expectations.is_empty();
        let group = if changes.iter().all(is_only_lines) {
            self.write_lines(group, changes)?
        } else {
            self.write_records(group, changes)?
        };
        if group.is_control {
            self.shared.epoch.fetch_add(1, Ordering::SeqCst);
        }
        Ok(group.outcomes)
    }

    /// Appends lines to the log. The database does not contain them.
    fn write_lines(&mut self, mut group: Group, changes: &[Changes]) -> Result<Group> {
        for changes in changes {
            group.entry.lines.extend(changes.lines.concat());
            group.outcomes.push(Commit::Done);
        }
        let ledger = self.ledger.clone();
        let (encoded, ledger) = account(ledger, &group.entry, &self.log);
        self.append(&encoded)?;
        self.acknowledge(ledger, &group.entry);
        Ok(group)
    }

    fn write_records(&mut self, mut group: Group, changes: &[Changes]) -> Result<Group> {
        let mut ledger = self.ledger.clone();
        let before = self.log.position();
        let mut appended = None;
        let database = self.files.database();
        let authenticator = self.files.authenticator.clone();
        let Self {
            engine,
            log,
            is_in_doubt,
            ..
        } = self;
        let written = catch_panic(&database, || {
            engine.write(&mut |records| {
                for changes in changes {
                    let outcome = group.add(changes, records, &mut ledger, &authenticator)?;
                    group.outcomes.push(outcome);
                }
                if !group.outcomes.contains(&Commit::Done) && group.entry.lines.is_empty() {
                    return Ok(false);
                }
                group.entry.control += u64::from(group.is_control);
                let (encoded, accounted) = account(ledger.clone(), &group.entry, log);
                accounted.write(records, &authenticator)?;
                append(log, is_in_doubt, &encoded)?;
                appended = Some(accounted);
                Ok(true)
            })
        });
        match (written, appended) {
            (Ok(()), Some(ledger)) => {
                match recovery::guarded_snapshot(&*self.engine, &self.files) {
                    Ok(snapshot) => {
                        self.acknowledge(ledger, &group.entry);
                        self.shared.set_snapshot(snapshot);
                        Ok(group)
                    }
                    Err(error) => {
                        self.roll_back(before);
                        Err(error)
                    }
                }
            }
            (Ok(()), None) => Ok(group),
            (Err(error), appended) => {
                if appended.is_some() {
                    self.roll_back(before);
                }
                Err(error)
            }
        }
    }

    fn append(&mut self, encoded: &Encoded) -> Result<()> {
        append(&mut self.log, &mut self.is_in_doubt, encoded)
    }

    /// Removes a commit from the log after the database failed to write it or to show it.
    fn roll_back(&mut self, before: LogPosition) {
        self.engine.abandon_writes();
        if let Err(error) = self.log.remove_last(before) {
            tracing::error!(%error, "a failed commit may take effect at the next start");
            self.is_in_doubt = true;
        }
    }

    /// Reopens a failed database and brings it up to date with the log.
    fn reopen_if_needed(&mut self) -> Result<()> {
        if !self.engine.needs_reopening() {
            return Ok(());
        }
        let database = self.files.database();
        let authenticator = &self.files.authenticator;
        catch_panic(&database, || self.engine.reopen())?;
        let mut ledger = recovery::read_ledger(&*self.engine, &database, authenticator)?;
        let mut commits = recovery::commits_after(&self.files, &ledger)?.commits;
        commits.retain(|(commit, _)| commit.number <= self.ledger.number);
        catch_panic(&database, || {
            recovery::apply(&mut *self.engine, &mut ledger, &commits, authenticator)
        })?;
        if ledger.number != self.ledger.number {
            let why = "it could not be brought up to date with the commit log after a failure of the disk";
            self.engine.abandon_writes();
            return Err(Error::damaged_file(database, why));
        }
        self.publish()
    }

    /// Makes the written records visible to readers.
    fn publish(&self) -> Result<()> {
        let snapshot = recovery::guarded_snapshot(&*self.engine, &self.files)?;
        self.shared.set_snapshot(snapshot);
        Ok(())
    }

    /// Takes over a commit that is in the log, so that its requests can be answered.
    fn acknowledge(&mut self, ledger: Ledger, entry: &LogEntry) {
        self.ledger = ledger;
        self.since_checkpoint += 1;
        if let Err(error) = self.newest.write(self.ledger.acknowledged()) {
            tracing::warn!(%error, "the number of the newest commit could not be written");
        }
        self.journal.append(&entry.lines);
    }

    /// Starts a new log. The old one cannot be trusted, or a copy replaces it.
    fn begin_log(&mut self) -> Result<()> {
        let StoreFiles {
            disk,
            authenticator,
            ..
        } = &self.files;
        let (base, store) = (self.ledger.number, self.ledger.store);
        // After a failure, the new log may exist nevertheless. Later entries of the old log would then be lost.
        self.is_in_doubt = true;
        self.log = Log::create(&**disk, &self.files.metadata(), base, store, authenticator)?;
        self.ledger.log = self.log.position();
        self.is_in_doubt = false;
        Ok(())
    }

    /// Makes the journal durable, and then the database.
    fn checkpoint(&mut self) -> Result<()> {
        if self.since_checkpoint == 0 {
            return Ok(());
        }
        self.journal.sync()?;
        if self.journal.is_full() {
            self.journal.begin_file(&self.files)?;
            self.ledger.begin_journal_file(self.files.journal.files);
        }
        let database = self.files.database();
        let Self {
            engine,
            ledger,
            files,
            ..
        } = self;
        catch_panic(&database, || {
            engine.write(&mut |records| {
                ledger.write(records, &files.authenticator)?;
                Ok(true)
            })?;
            engine.checkpoint()
        })?;
        self.since_checkpoint = 0;
        // A damaged byte may make the engine open the checkpoint before this one, whose ledger names its files.
        self.journal.remove_before(&self.files, self.journal_start);
        self.journal_start = self.ledger.journal_start();
        Ok(())
    }

    fn checkpoint_or_report(&mut self) {
        let checkpoint = self.checkpoint();
        self.failed_checkpoint = checkpoint.is_err().then(Instant::now);
        match checkpoint {
            Ok(()) => self.report_recovery(),
            Err(error) => self.shared.report(&error),
        }
    }

    /// Reports that writes work again, unless the log has little reserve or the last checkpoint failed.
    fn report_recovery(&self) {
        if self.failed_checkpoint.is_none() && self.log.has_reserve() {
            self.shared.report_recovery();
        }
    }

    /// Makes a checkpoint, and retries failed writes.
    fn work_while_idle(&mut self) {
        let is_failing = self.shared.condition().failure.is_some();
        let has_held = self.shared.condition().held_lines > 0;
        // An entry, even an empty one, shows if the disk accepts writes again.
        let is_broken = self.engine.needs_reopening() || self.is_in_doubt;
        if (is_failing || has_held || is_broken) && self.commit_together(&[]).is_err() {
            return;
        }
        if self.since_checkpoint > 0 {
            self.checkpoint_or_report();
        }
    }

    fn copy_if_due(&mut self) {
        self.copier.finish_if_done();
        let log_bytes = self.log.position().offset;
        if self.is_in_doubt || !self.copier.is_due(self.ledger.number, log_bytes) {
            return;
        }
        if let Err(error) = self.begin_copy() {
            tracing::warn!(%error, "the metadata could not be copied");
        }
    }

    /// Starts a copy of the metadata, and the log that follows it.
    fn begin_copy(&mut self) -> Result<()> {
        self.copier.start_interval();
        self.begin_log()?;
        self.since_checkpoint += 1;
        self.checkpoint()?;
        self.publish()?;
        self.copier
            .begin(self.shared.snapshot(), self.ledger.clone())
    }

    /// Makes everything durable and copies it, unless the copy would take long.
    fn stop(mut self) {
        self.copier.finish();
        if self.is_in_doubt
            && let Err(error) = self.begin_log()
        {
            tracing::warn!(%error, "a failed commit may take effect at the next start");
        }
        let log_bytes = self.log.position().offset;
        let copies = !self.is_in_doubt && self.copier.is_worthwhile(self.ledger.number, log_bytes);
        let stopped = if copies {
            self.begin_copy()
        } else {
            self.checkpoint()
        };
        self.copier.finish();
        if let Err(error) = stopped {
            tracing::warn!(%error, "the store could not be closed properly; the next start will complete that");
        }
    }
}

fn append(log: &mut Log, is_in_doubt: &mut bool, encoded: &Encoded) -> Result<()> {
    log.append(encoded).map_err(|failed| {
        *is_in_doubt |= failed.is_in_doubt;
        failed.error
    })
}
