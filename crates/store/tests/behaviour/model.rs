//! A store on a simulated disk, with a plain account of all acknowledged changes and their times.

use std::{collections::BTreeMap, ops::Bound, path::Path, sync::Arc, time::Duration};

use futures_util::TryStreamExt as _;
use rustix::io::Errno;
use sealock_core::ObjectId;
use sealock_store::{
    Authenticator, Batch, Commit, Error, Store, StoreFiles, Table,
    metadata::EngineKind,
    objects::{self, ObjectSet},
};
use uuid::Uuid;

use crate::simulated_disk::{Image, SimulatedDisk};

pub(crate) const DIR: &str = "/data";

const CONTROL: Table<String> = Table::control("keys");
const CONTENT: Table<String> = Table::content("blobs");

/// The beginning and the acknowledgement of a change, each as the number of effects on the disk until then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct When {
    begun: usize,
    done: usize,
}

impl When {
    const BEFORE: Self = Self { begun: 0, done: 0 };

    /// Returns true if the change must have happened if the disk stopped after `effects`.
    fn is_certain(self, effects: usize) -> bool {
        self.done <= effects
    }

    /// Returns the time on a later disk, where the change was found after `seen` effects.
    fn seen(self, effects: usize, seen: usize) -> Self {
        Self {
            begun: 0,
            done: if self.is_certain(effects) { 0 } else { seen },
        }
    }

    fn is_possible(self, effects: usize) -> bool {
        self.begun <= effects || self.is_certain(effects)
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

/// The content of a note at a time; `None` if the note was removed.
type Version = (When, Option<Vec<u8>>);

type Records = BTreeMap<String, String>;

/// All changes that were acknowledged or may have happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    commits: Vec<(When, Change)>,
    /// The last commit, if it was refused: the next start may find it.
    refused: Option<(When, Change)>,
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
    }
}

/// A store, with an account of its changes.
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
        if self.account.refused.is_some() && found(self.store()).await? != self.account.all() {
            self.account.commits.extend(self.account.refused.take());
        }
        self.account.refused = None;
        Ok(())
    }

    pub(crate) fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    /// Ends the store like a kill: the disk takes no more writes.
    pub(crate) fn kill(&mut self) {
        self.disk.fail(|_| Some(Errno::IO.into()));
        self.store = None;
    }

    pub(crate) async fn close(&mut self) {
        self.store().close().await;
        self.store = None;
    }

    fn since(&self, begun: usize) -> When {
        When {
            begun,
            done: self.disk.effects(),
        }
    }

    pub(crate) async fn try_commit(&mut self, change: Change) -> Result<(), Error> {
        let begun = self.disk.effects();
        let outcome = self.store().commit(change.batch()).await;
        if outcome.is_err() {
            let (mut records, mut lines) = self.account.all();
            change.apply(&mut records, &mut lines);
            if !change.removes.is_empty() && self.found_in_time().await == (records, lines) {
                // Only the object could not be removed.
                self.account.commits.push((self.since(begun), change));
                return outcome.map(drop);
            }
            let done = usize::MAX;
            self.account.refused = Some((When { begun, done }, change));
            return outcome.map(drop);
        }
        assert_eq!(outcome?, Commit::Done);
        self.account.refused = None;
        self.account.commits.push((self.since(begun), change));
        Ok(())
    }

    pub(crate) async fn commit(&mut self, change: Change) {
        self.try_commit(change).await.unwrap();
    }

    /// Commits several changes that wait for one sync.
    pub(crate) async fn commit_together(&mut self, changes: Vec<Change>) {
        let begun = self.disk.effects();
        let store = self.store().clone();
        let commits = changes.iter().map(|change| {
            let (store, batch) = (store.clone(), change.batch());
            tokio::spawn(async move { store.commit(batch).await })
        });
        let commits: Vec<_> = commits.collect();
        for commit in commits {
            assert_eq!(commit.await.unwrap().unwrap(), Commit::Done);
        }
        let when = self.since(begun);
        let changes = changes.into_iter().map(|change| (when, change));
        self.account.commits.extend(changes);
    }

    /// Commits a change that expects no record under `key`. Returns `None` if the disk fails.
    pub(crate) async fn conflict(&self, key: &str) -> Option<Commit> {
        let change = Change::default().put("conflict", "x").line("conflict");
        let batch = change.batch().expect_absent(&CONTENT, &[key]);
        self.store().commit(batch).await.ok()
    }

    pub(crate) async fn record_or_hold(&mut self, line: &str) {
        let begun = self.disk.effects();
        self.store().record_or_hold(&line).await;
        let change = Change::default().line(line);
        self.account.commits.push((self.since(begun), change));
    }

    pub(crate) fn publish(&mut self, bytes: &[u8]) -> Result<ObjectId, Error> {
        let begun = self.disk.effects();
        let mut staged = self.store().blobs.stage()?;
        let half = bytes.len() / 2;
        staged.append(&bytes[..half])?;
        staged.append(&bytes[half..])?;
        let id = staged.id();
        let published = staged.publish();
        let mut when = self.since(begun);
        if published.is_err() {
            when.done = usize::MAX;
        }
        self.account.objects.insert(id, (when, bytes.to_vec()));
        published.map(|()| id)
    }

    pub(crate) fn note(&mut self, id: Uuid, bytes: Option<&[u8]>) -> Result<(), Error> {
        let mut result = Ok(());
        for is_custody in [true, false] {
            let begun = self.disk.effects();
            let store = self.store();
            let notes = if is_custody {
                &store.custodies
            } else {
                &store.uploads
            };
            let noted = match bytes {
                Some(bytes) => notes.put(id, bytes),
                None => notes.remove(id).map(drop),
            };
            let mut when = self.since(begun);
            if noted.is_err() {
                when.done = usize::MAX;
            }
            let version = (when, bytes.map(<[u8]>::to_vec));
            result = result.and(noted);
            let account = if is_custody {
                &mut self.account.custodies
            } else {
                &mut self.account.uploads
            };
            account.entry(id).or_default().push(version);
        }
        result
    }

    /// Returns the records and lines as soon as they can be read.
    async fn found_in_time(&self) -> (Records, String) {
        for _ in 0..500 {
            if let Ok(found) = found(self.store()).await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.found().await
    }

    /// Returns the records and lines of the store.
    pub(crate) async fn found(&self) -> (Records, String) {
        found(self.store()).await.unwrap()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns all records and lines of a store.
pub(crate) async fn found(store: &Store) -> Result<(Records, String), Error> {
    let mut records = Records::new();
    for table in [CONTENT, CONTROL] {
        let mut entries = store.scan(&table, &[], Bound::Unbounded);
        while let Some(entry) = entries.try_next().await? {
            records.insert(entry.key.concat(), entry.record.value);
        }
    }
    let (mut lines, mut from) = (Vec::new(), 0);
    while from < store.audit.end() {
        let (read, next) = store.audit.read(from)?;
        lines.extend(read);
        from = next;
    }
    Ok((records, String::from_utf8(lines).unwrap()))
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
            batch = batch.record(line);
        }
        for id in &self.removes {
            batch = batch.remove(ObjectSet::Blobs, *id);
        }
        batch
    }

    fn apply(&self, records: &mut Records, lines: &mut String) {
        for key in &self.deletes {
            records.remove(key);
        }
        records.extend(self.puts.iter().cloned());
        for line in &self.lines {
            lines.extend(["\"", line, "\"\n"]);
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
    pub(crate) fn all(&self) -> (Records, String) {
        let (mut records, mut lines) = <(Records, String)>::default();
        for (_, change) in &self.commits {
            change.apply(&mut records, &mut lines);
        }
        (records, lines)
    }

    /// Compares a store whose disk stopped after `effects` with the account. Forgets the changes that did not happen.
    /// The others are certain after the effects `seen` of the new disk. Returns `Err` with the difference, if there is
    /// one.
    async fn compare(
        &mut self,
        store: &Store,
        effects: usize,
        seen: usize,
        is_loss_of_power: bool,
    ) -> Result<(), String> {
        let found = found(store).await.map_err(|error| error.to_string())?;
        self.commits.extend(self.refused.take());
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
            let (mut records, mut lines) = <(Records, String)>::default();
            for (_, change) in &self.commits[..*count] {
                change.apply(&mut records, &mut lines);
            }
            (records, lines) == found
        });
        let Some(happened) = happened else {
            return Err(format!(
                "the first {certain} to {possible} commits are not what there is: {found:?}"
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
            let is_right = match &read {
                Some(read) => read == bytes && when.is_possible(effects) && !removed.contains(id),
                None => removed.contains(id) || !when.is_certain(effects),
            };
            if !is_right {
                let length = read.as_ref().map(Vec::len);
                differences.push(format!("the object {id} {when:?} is {length:?} long"));
            }
            read.is_some()
        });
        for (id, versions) in &mut self.custodies {
            let read = store.custodies.get(*id).unwrap();
            differences.extend(settle(versions, read, effects, seen).err());
        }
        for (id, versions) in &mut self.uploads {
            let read = store.uploads.get(*id).unwrap();
            if is_loss_of_power {
                *versions = vec![(When::BEFORE, read)];
            } else {
                differences.extend(settle(versions, read, effects, seen).err());
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

/// Compares a note with its possible versions.
fn settle(
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
    let is_right = possible.iter().any(|(_, version)| *version == read);
    let what = format!("a note says {read:?} of {possible:?}");
    let done = seen;
    *versions = possible;
    versions.truncate(1);
    if let Some((when, _)) = versions.first_mut() {
        *when = When::BEFORE;
    }
    versions.push((When { begun: 0, done }, read));
    if is_right { Ok(()) } else { Err(what) }
}

/// Opens the store on a disk that stopped after `effects`, and checks everything.
pub(crate) async fn recover(
    found: Image,
    account: &Account,
    effects: usize,
    is_loss_of_power: bool,
) -> Result<Session, String> {
    let mut session = Session::new(SimulatedDisk::new(found));
    session.account = account.clone();
    session
        .open()
        .await
        .map_err(|error| format!("refused: {error}"))?;
    let seen = session.disk.effects();
    let store = session.store().clone();
    store
        .finish_removals()
        .await
        .map_err(|error| error.to_string())?;
    session
        .account
        .compare(&store, effects, seen, is_loss_of_power)
        .await?;
    let findings = store.check().await.map_err(|error| error.to_string())?;
    if !findings.is_empty() {
        return Err(format!("findings: {findings:?}"));
    }
    Ok(session)
}
