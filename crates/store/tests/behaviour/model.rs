//! A model of a store on a simulated disk: all acknowledged changes with their times.

use std::{collections::BTreeMap, ops::Bound, path::Path, sync::Arc, time::Duration};

use futures_util::TryStreamExt as _;
use rustix::io::Errno;
use sealock_core::ObjectId;
use sealock_store::{
    Authenticator, Batch, Commit, Error, JournalLimits, Store, StoreFiles, Table,
    metadata::EngineKind,
    objects::{self, ObjectSet},
};
use uuid::Uuid;

use crate::simulated_disk::{Image, SimulatedDisk};

pub(crate) const DIR: &str = "/data";

const CONTROL: Table<String> = Table::control("keys");
const CONTENT: Table<String> = Table::content("blobs");

/// The limits of the journal. It begins another file after a few commits.
const JOURNAL: JournalLimits = JournalLimits {
    file_bytes: 20,
    files: 3,
};

/// The least number of bytes that a journal keeps whose oldest file was removed.
const FULL_FILES_BYTES: u64 = JOURNAL.file_bytes * (JOURNAL.files as u64 - 1);

/// The time of a change: its start and its acknowledgement, each as the number of effects on the disk until then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct When {
    started: usize,
    acknowledged: usize,
}

impl When {
    const BEFORE: Self = Self {
        started: 0,
        acknowledged: 0,
    };

    /// Returns true if the change must be on a disk that stopped after `effects`.
    fn is_certain(self, effects: usize) -> bool {
        self.acknowledged <= effects
    }

    /// Returns the time of the change on a later disk, where it was found after `seen` effects.
    fn seen(self, effects: usize, seen: usize) -> Self {
        Self {
            started: 0,
            acknowledged: if self.is_certain(effects) { 0 } else { seen },
        }
    }

    /// Returns true if the change may be on a disk that stopped after `effects`.
    fn is_possible(self, effects: usize) -> bool {
        self.started <= effects || self.is_certain(effects)
    }
}

/// The changes of one commit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    puts: Vec<(String, String)>,
    deletes: Vec<String>,
    lines: Vec<String>,
    removes: Vec<ObjectId>,
}

/// A content of a note with its time; `None` if the note was removed.
type Version = (When, Option<Vec<u8>>);

type Records = BTreeMap<String, String>;

/// The lines of a journal that are kept. They equal other lines with the same end, of which more or fewer may be kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    /// The offset of the first line.
    start: usize,
    text: String,
}

impl PartialEq for Lines {
    fn eq(&self, other: &Self) -> bool {
        let start = self.start.max(other.start);
        let kept = |lines: &Self| lines.text.get(start - lines.start..).map(str::to_owned);
        kept(self).is_some() && kept(self) == kept(other)
    }
}

/// All changes that were acknowledged or may have taken effect.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    commits: Vec<(When, Change)>,
    /// The commits that failed since the last one that did not. The next start may find one of them: the log may contain
    /// the first, and then takes no other.
    refused: Vec<(When, Change)>,
    objects: BTreeMap<ObjectId, (When, Vec<u8>)>,
    custodies: BTreeMap<Uuid, Vec<Version>>,
    uploads: BTreeMap<Uuid, Vec<Version>>,
}

pub(crate) fn files(disk: &SimulatedDisk) -> StoreFiles {
    StoreFiles {
        disk: Arc::new(disk.clone()),
        dir: Path::new(DIR).to_owned(),
        engine: EngineKind::Redb,
        authenticator: Authenticator::new(&[7; 32]),
        journal: JOURNAL,
    }
}

/// A store and the account of its changes.
pub(crate) struct Session {
    pub(crate) disk: SimulatedDisk,
    pub(crate) account: Account,
    store: Option<Store>,
}

impl Session {
    pub(crate) fn new(disk: SimulatedDisk) -> Self {
        Self {
            disk,
            account: Account::default(),
            store: None,
        }
    }

    pub(crate) async fn open(&mut self) -> Result<(), Error> {
        self.store = None;
        self.store = Some(Store::open(files(&self.disk))?);
        if !self.account.refused.is_empty() {
            let found = read_content(self.store()).await?;
            self.account.accept_refused(&found);
        }
        Ok(())
    }

    pub(crate) fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    /// Drops the store without any further write, like a kill.
    pub(crate) fn kill(&mut self) {
        self.disk.fail(|_| Some(Errno::IO.into()));
        self.store = None;
    }

    pub(crate) async fn close(&mut self) {
        self.store().close().await;
        self.store = None;
    }

    fn since(&self, started: usize) -> When {
        When {
            started,
            acknowledged: self.disk.effects(),
        }
    }

    pub(crate) async fn try_commit(&mut self, change: Change) -> Result<(), Error> {
        let started = self.disk.effects();
        let outcome = self.store().commit(change.batch()).await;
        if outcome.is_err() {
            let (mut records, mut lines) = self.account.content();
            change.apply(&mut records, &mut lines);
            if !change.removes.is_empty() && self.wait_for_content().await == (records, lines) {
                // Only the removal of the object failed.
                self.account.commits.push((self.since(started), change));
                return outcome.map(drop);
            }
            let when = When {
                started,
                acknowledged: usize::MAX,
            };
            self.account.refused.push((when, change));
            return outcome.map(drop);
        }
        assert_eq!(outcome?, Commit::Done);
        self.account.refused.clear();
        self.account.commits.push((self.since(started), change));
        Ok(())
    }

    pub(crate) async fn commit(&mut self, change: Change) {
        self.try_commit(change).await.unwrap();
    }

    /// Commits several changes that share one sync.
    pub(crate) async fn commit_together(&mut self, changes: Vec<Change>) {
        let started = self.disk.effects();
        let store = self.store().clone();
        let commits = changes.iter().map(|change| {
            let (store, batch) = (store.clone(), change.batch());
            tokio::spawn(async move { store.commit(batch).await })
        });
        let commits: Vec<_> = commits.collect();
        for commit in commits {
            assert_eq!(commit.await.unwrap().unwrap(), Commit::Done);
        }
        let when = self.since(started);
        let changes = changes.into_iter().map(|change| (when, change));
        self.account.commits.extend(changes);
    }

    /// Commits a change that expects no record under `key`. Returns `None` if the disk fails.
    pub(crate) async fn commit_expecting_absence(&self, key: &str) -> Option<Commit> {
        let change = Change::default().put("conflict", "x").line("conflict");
        let batch = change.batch().expect_absent(&CONTENT, &[key]);
        self.store().commit(batch).await.ok()
    }

    pub(crate) async fn journal_or_hold(&mut self, line: &str) {
        let started = self.disk.effects();
        self.store().journal_or_hold(&line).await;
        let change = Change::default().line(line);
        self.account.commits.push((self.since(started), change));
    }

    pub(crate) fn publish(&mut self, bytes: &[u8]) -> Result<ObjectId, Error> {
        let started = self.disk.effects();
        let mut staged = self.store().blobs.stage()?;
        let half = bytes.len() / 2;
        staged.append(&bytes[..half])?;
        staged.append(&bytes[half..])?;
        let id = staged.id();
        let published = staged.publish();
        let mut when = self.since(started);
        if published.is_err() {
            when.acknowledged = usize::MAX;
        }
        self.account.objects.insert(id, (when, bytes.to_vec()));
        published.map(|()| id)
    }

    pub(crate) fn write_note(&mut self, id: Uuid, bytes: Option<&[u8]>) -> Result<(), Error> {
        let mut result = Ok(());
        for is_custody in [true, false] {
            let started = self.disk.effects();
            let store = self.store();
            let notes = if is_custody {
                &store.custodies
            } else {
                &store.uploads
            };
            let written = match bytes {
                Some(bytes) => notes.put(id, bytes),
                None => notes.remove(id).map(drop),
            };
            let mut when = self.since(started);
            if written.is_err() {
                when.acknowledged = usize::MAX;
            }
            let version = (when, bytes.map(<[u8]>::to_vec));
            result = result.and(written);
            let account = if is_custody {
                &mut self.account.custodies
            } else {
                &mut self.account.uploads
            };
            account.entry(id).or_default().push(version);
        }
        result
    }

    /// Waits until the records and lines can be read, and returns them.
    async fn wait_for_content(&self) -> (Records, Lines) {
        // The longest outage ends after 25 failed operations, of which an idle store makes two in a second.
        for _ in 0..1500 {
            if let Ok(found) = read_content(self.store()).await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.content().await
    }

    /// Returns the records and lines of the store.
    pub(crate) async fn content(&self) -> (Records, Lines) {
        read_content(self.store()).await.unwrap()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads all records and lines of a store.
pub(crate) async fn read_content(store: &Store) -> Result<(Records, Lines), Error> {
    let mut records = Records::new();
    for table in [CONTENT, CONTROL] {
        let mut entries = store.scan(&table, &[], Bound::Unbounded);
        while let Some(entry) = entries.try_next().await? {
            records.insert(entry.key.concat(), entry.record.value);
        }
    }
    let start = store.audit.start();
    let (mut lines, mut from) = (Vec::new(), start);
    while from < store.audit.end() {
        let read = store.audit.read(from)?;
        from = read.end();
        lines.extend(read.lines);
    }
    let lines = Lines {
        start: usize::try_from(start).unwrap(),
        text: String::from_utf8(lines).unwrap(),
    };
    Ok((records, lines))
}

impl Change {
    pub(crate) fn put(mut self, key: &str, value: &str) -> Self {
        self.puts.push((key.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn delete(mut self, key: &str) -> Self {
        self.deletes.push(key.to_owned());
        self
    }

    pub(crate) fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    pub(crate) fn remove(mut self, id: ObjectId) -> Self {
        self.removes.push(id);
        self
    }

    fn batch(&self) -> Batch {
        let mut batch = Batch::new();
        for key in &self.deletes {
            batch = batch.delete(table(key), &[key]);
        }
        for (key, value) in &self.puts {
            batch = batch.put(table(key), &[key], value);
        }
        for line in &self.lines {
            batch = batch.journal(line);
        }
        for id in &self.removes {
            batch = batch.remove(ObjectSet::Blobs, *id);
        }
        batch
    }

    fn apply(&self, records: &mut Records, lines: &mut Lines) {
        for key in &self.deletes {
            records.remove(key);
        }
        records.extend(self.puts.iter().cloned());
        for line in &self.lines {
            lines.text.extend(["\"", line, "\"\n"]);
        }
    }
}

fn table(key: &str) -> &'static Table<String> {
    if key.starts_with("key") {
        &CONTROL
    } else {
        &CONTENT
    }
}

impl Account {
    /// Returns the records and lines after all commits.
    pub(crate) fn content(&self) -> (Records, Lines) {
        let (mut records, mut lines) = <(Records, Lines)>::default();
        for (_, change) in &self.commits {
            change.apply(&mut records, &mut lines);
        }
        (records, lines)
    }

    /// Takes over the refused commit that explains the content of a store, if one does.
    fn accept_refused(&mut self, found: &(Records, Lines)) {
        let refused = std::mem::take(&mut self.refused);
        if self.content() == *found {
            return;
        }
        let explaining = refused.into_iter().find(|(_, change)| {
            let (mut records, mut lines) = self.content();
            change.apply(&mut records, &mut lines);
            (records, lines) == *found
        });
        self.commits.extend(explaining);
    }

    /// Compares the account with a store whose disk stopped after `effects`. Drops the changes that did not take
    /// effect. The others are certain after `seen` effects of the new disk. Returns `Err` with a difference.
    async fn compare(
        &mut self,
        store: &Store,
        effects: usize,
        seen: usize,
        is_power_cut: bool,
    ) -> Result<(), String> {
        let found = read_content(store)
            .await
            .map_err(|error| error.to_string())?;
        if found.1.start > 0 && (found.1.text.len() as u64) < FULL_FILES_BYTES {
            return Err(format!("the journal keeps too little: {found:?}"));
        }
        self.accept_refused(&found);
        let certain = self
            .commits
            .iter()
            .filter(|(when, _)| when.is_certain(effects));
        let possible = self
            .commits
            .iter()
            .filter(|(when, _)| when.is_possible(effects));
        let (certain, possible) = (certain.count(), possible.count());
        let happened = (certain..=possible).find(|count| {
            let (mut records, mut lines) = <(Records, Lines)>::default();
            for (_, change) in &self.commits[..*count] {
                change.apply(&mut records, &mut lines);
            }
            (records, lines) == found
        });
        let Some(happened) = happened else {
            return Err(format!(
                "no number of commits from {certain} to {possible} gives the content {found:?}"
            ));
        };
        self.commits.truncate(happened);
        let removed: Vec<_> = self
            .commits
            .iter()
            .flat_map(|(_, change)| &change.removes)
            .copied()
            .collect();
        let mut differences = Vec::new();
        self.objects.retain(|id, (when, bytes)| {
            let read = objects::read(&*store.blobs, *id).unwrap();
            let is_expected = match &read {
                Some(read) => read == bytes && when.is_possible(effects) && !removed.contains(id),
                None => removed.contains(id) || !when.is_certain(effects),
            };
            if !is_expected {
                let length = read.as_ref().map(Vec::len);
                differences.push(format!(
                    "the object {id} {when:?} has the length {length:?}"
                ));
            }
            read.is_some()
        });
        for (id, versions) in &mut self.custodies {
            let read = store.custodies.get(*id).unwrap();
            differences.extend(check_note(versions, read, effects, seen).err());
        }
        for (id, versions) in &mut self.uploads {
            let read = store.uploads.get(*id).unwrap();
            if is_power_cut {
                *versions = vec![(When::BEFORE, read)];
            } else {
                differences.extend(check_note(versions, read, effects, seen).err());
            }
        }
        let commits = self.commits.iter_mut().map(|(when, _)| when);
        let objects = self.objects.values_mut().map(|(when, _)| when);
        for when in commits.chain(objects) {
            *when = when.seen(effects, seen);
        }
        match differences.first() {
            Some(first) => Err(first.clone()),
            None => Ok(()),
        }
    }
}

/// Compares a note with its possible versions, and reduces them to the one that was found.
fn check_note(
    versions: &mut Vec<Version>,
    read: Option<Vec<u8>>,
    effects: usize,
    seen: usize,
) -> Result<(), String> {
    let certain = versions
        .iter()
        .rposition(|(when, _)| when.is_certain(effects));
    let mut possible = versions.split_off(certain.unwrap_or_default());
    if certain.is_none() {
        possible.insert(0, (When::BEFORE, None));
    }
    possible.retain(|(when, _)| when.is_possible(effects));
    let is_expected = possible.iter().any(|(_, version)| *version == read);
    let difference = format!("a note has the content {read:?}, expected one of {possible:?}");
    *versions = possible;
    versions.truncate(1);
    if let Some((when, _)) = versions.first_mut() {
        *when = When::BEFORE;
    }
    let found = When {
        started: 0,
        acknowledged: seen,
    };
    versions.push((found, read));
    if is_expected { Ok(()) } else { Err(difference) }
}

/// Opens the store on a disk that stopped after `effects`, and compares it with its account.
pub(crate) async fn recover(
    found: Image,
    account: &Account,
    effects: usize,
    is_power_cut: bool,
) -> Result<Session, String> {
    let mut session = Session::new(SimulatedDisk::new(found));
    session.account = account.clone();
    session
        .open()
        .await
        .map_err(|error| format!("the store does not open: {error}"))?;
    let seen = session.disk.effects();
    let store = session.store().clone();
    store
        .finish_removals()
        .await
        .map_err(|error| error.to_string())?;
    session
        .account
        .compare(&store, effects, seen, is_power_cut)
        .await?;
    let findings = store.check().await.map_err(|error| error.to_string())?;
    if !findings.is_empty() {
        return Err(format!("findings: {findings:?}"));
    }
    Ok(session)
}
