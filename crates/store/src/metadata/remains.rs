//! The remains of the metadata in a directory that may be damaged, and the states to which they can be restored. An
//! examination changes nothing on disk.

use std::{io, ops::Bound, path::Path};

use uuid::Uuid;

use super::{
    KeyRange, copies,
    engine::{GuardedSnapshot, catch_panic},
    engine_kind::EngineKind,
    ledger::{LEDGER, Ledger, TableDifference},
    log,
    logged_lines::LoggedLines,
    newest::{self, Acknowledged},
    state::{LogEnd, Map, Source, State, choose_best, fill_gaps},
};
use crate::{
    Error, Fault, Result, StoreFiles,
    format::Format,
    journal,
    key::{SEPARATOR, end_of, readable},
};

/// The maximum number of damaged records that the findings name for a database.
const DAMAGED_RECORDS: usize = 20;

/// The remains of the metadata.
pub(crate) struct Remains {
    pub(crate) format: Option<Format>,
    pub(crate) store: Option<Uuid>,
    /// The findings, one sentence each.
    pub(crate) findings: Vec<String>,
    /// The best state to restore.
    pub(crate) best: Option<State>,
    /// The highest known numbers of commits.
    pub(crate) known: Acknowledged,
    /// True if the file `newest` could be read.
    pub(crate) is_newest_known: bool,
    /// The newest ledger found.
    pub(crate) newest_ledger: Option<Ledger>,
    pub(crate) lines: LoggedLines,
}

impl Remains {
    /// Examines all files of the metadata and the journal.
    ///
    /// # Errors
    /// If the disk fails, access is denied, or the directory has another format.
    pub(crate) fn examine(files: &StoreFiles) -> Result<Self> {
        let (format, problem) = Format::examine(files)?;
        let mut remains = Self {
            format,
            store: format.map(|format| format.store),
            findings: problem.into_iter().collect(),
            best: None,
            known: Acknowledged::default(),
            is_newest_known: false,
            newest_ledger: None,
            lines: LoggedLines::default(),
        };
        if let Some(format) = format
            && format.engine != files.engine
        {
            let found = format.engine;
            let dir = files.dir.display().to_string();
            let differs = Error::EngineDiffers {
                dir,
                found: found.to_string(),
            };
            remains.findings.push(differs.to_string());
        }
        let mut states = remains.databases(files)?;
        states.extend(remains.copies(files)?);
        if remains.store.is_none() {
            let named = states.iter().find(|state| state.has_ledger);
            remains.store = named.map(|state| state.ledger.store);
        }
        let store = remains.store;
        states.retain(|state| !state.has_ledger || Some(state.ledger.store) == store);
        fill_gaps(&mut states);
        for state in &mut states {
            for mark in state
                .ledger
                .journal_files
                .iter()
                .chain([&state.ledger.journal])
            {
                remains.lines.add(*mark, &[]);
            }
            if state.has_ledger {
                remains.consider_ledger(&state.ledger);
                replay_logs(files, state, &mut remains.lines)?;
                remains.known = remains.known.max(state.ledger.acknowledged());
            }
        }
        remains.find_newest(files)?;
        remains.add_log_and_journal_findings(files, &states)?;
        remains.best = choose_best(states);
        Ok(remains)
    }

    /// Returns the states of all databases, and adds the findings on the one that the directory uses.
    fn databases(&mut self, files: &StoreFiles) -> Result<Vec<State>> {
        let dir = files.metadata();
        let names = files.disk.list(&dir)?;
        let main = self.format.map_or(files.engine, |format| format.engine);
        let mut kinds = EngineKind::ALL;
        kinds.sort_by_key(|kind| *kind != main);
        let mut states = Vec::new();
        for kind in kinds {
            let path = dir.join(kind.file_name());
            if !names.iter().any(|name| name == kind.file_name()) {
                if kind == main {
                    self.findings.push(format!("{} is missing", path.display()));
                }
                continue;
            }
            let mut found = ExaminedDatabase::read(files, kind, &path, false)?;
            let checked = ExaminedDatabase::read(files, kind, &path, true)?;
            if found.findings.is_empty() && checked.ledger != found.ledger {
                let why = "one of its pages differs from what was written";
                found
                    .findings
                    .push(Error::damaged_file(&path, why).to_string());
                found.findings.extend(checked.findings.clone());
            }
            let is_foreign = match (&found.ledger, self.format) {
                (Some(ledger), Some(format)) => ledger.store != format.store,
                _ => false,
            };
            if is_foreign {
                let why = "it belongs to another data directory";
                found
                    .findings
                    .push(Error::damaged_file(&path, why).to_string());
            }
            if kind == main {
                self.findings.extend(found.findings.iter().cloned());
            }
            if checked.ledger != found.ledger {
                states.extend(checked.into_state());
            }
            states.splice(0..0, found.into_state());
        }
        Ok(states)
    }

    fn copies(&mut self, files: &StoreFiles) -> Result<Vec<State>> {
        let StoreFiles {
            disk,
            authenticator,
            ..
        } = files;
        let dir = files.metadata();
        let mut states = Vec::new();
        let numbers = copies::list(&**disk, &dir)?;
        if numbers.is_empty() {
            let dir = dir.display();
            self.findings
                .push(format!("{dir} has no copy of the metadata"));
        }
        for number in numbers.into_iter().rev() {
            match copies::read(&**disk, &dir, number, authenticator) {
                Ok(copy) => {
                    let records = Map(copy.records.into_iter().collect());
                    states.push(State::complete(Source::Copy(number), copy.ledger, records));
                }
                Err(error) => {
                    self.findings.push(finding(error)?);
                    let read = copies::read_partly(&**disk, &dir, number, authenticator);
                    match read {
                        Ok(copies::PartialCopy { ledger, records }) => {
                            let source = Source::PartOfCopy(number);
                            let records = Map(records.into_iter().collect());
                            states.extend(State::partial(source, ledger, records));
                        }
                        Err(error) => self.findings.push(finding(error)?),
                    }
                }
            }
        }
        Ok(states)
    }

    fn consider_ledger(&mut self, ledger: &Ledger) {
        self.known = self.known.max(ledger.acknowledged());
        let newest = self.newest_ledger.as_ref().map(|newest| newest.number);
        if newest < Some(ledger.number) {
            self.newest_ledger = Some(ledger.clone());
        }
    }

    /// Finds the numbers of the newest commits in the file `newest` and in the logs.
    fn find_newest(&mut self, files: &StoreFiles) -> Result<()> {
        let StoreFiles {
            disk,
            authenticator,
            ..
        } = files;
        let Some(store) = self.store else {
            return Ok(());
        };
        let dir = files.metadata();
        if let Some(newest) = newest::read(&**disk, &dir, store, authenticator)? {
            self.is_newest_known = true;
            self.known = self.known.max(newest);
        }
        let bases = log::list(&**disk, &dir)?;
        for base in bases.iter().copied() {
            if log::check_header(&**disk, &dir, base, store, authenticator).is_ok() {
                self.known.number = self.known.number.max(base);
            }
            let position = log::first_entry(base, store, authenticator);
            // The entries after the start of a later log were rolled back.
            let next = bases.iter().copied().find(|next| *next > base);
            let last = next.unwrap_or(u64::MAX);
            let read = log::read(&**disk, &dir, position, last, authenticator);
            if let Some((last, _)) = read.ok().and_then(|mut read| read.entries.pop()) {
                self.known = self.known.max(Acknowledged {
                    number: last.number,
                    control: last.control,
                });
            }
        }
        Ok(())
    }

    /// Adds the findings on the file `newest`, on the logs that follow the database and the copies, and on the journal.
    fn add_log_and_journal_findings(&mut self, files: &StoreFiles, states: &[State]) -> Result<()> {
        let dir = files.metadata();
        let database = states.iter().find(|state| state.source == Source::Database);
        let newest = dir.join(newest::FILE);
        if !self.is_newest_known && self.known.number > 0 {
            let why = "it does not contain the number of the newest commit";
            self.findings
                .push(Error::damaged_file(newest, why).to_string());
        }
        for state in states {
            let (what, reached) = match state.source {
                Source::Database => ("the database".to_owned(), state.ledger.number),
                Source::Copy(number) => (
                    copies::path(&dir, number).display().to_string(),
                    state.ledger.number,
                ),
                Source::PartOfDatabase | Source::PartOfCopy(_) => continue,
            };
            self.findings.extend(state.log_end.damage.clone());
            if reached < self.known.number {
                let known = self.known.number;
                self.findings.push(format!(
                    "the commit log leads from {what} to commit {reached}, but commit {known} was acknowledged"
                ));
            }
        }
        if let Some(state) = database {
            // A start rewrites the lines after the last checkpoint.
            for (start, end) in journal::spans(&state.ledger.journal_files, state.journal_start) {
                let path = journal::path(&files.dir, start.length);
                let found =
                    journal::find_authentic(&*files.disk, &path, start, |mark| *mark == end)?;
                if found.authentic == end {
                    continue;
                }
                let expected = end.length - start.length;
                let why = match found.length {
                    Some(length) if length < expected => journal::too_short(length, expected),
                    Some(_) => "its lines differ from what was written".to_owned(),
                    None => "it is missing".to_owned(),
                };
                self.findings
                    .push(Error::damaged_file(path, why).to_string());
            }
        }
        let mut seen = std::collections::HashSet::new();
        self.findings.retain(|finding| seen.insert(finding.clone()));
        Ok(())
    }
}

/// The readable part of a database.
#[derive(Default)]
struct ExaminedDatabase {
    ledger: Option<Ledger>,
    /// The authentic records.
    records: Map,
    findings: Vec<String>,
    differences: Vec<TableDifference>,
}

impl ExaminedDatabase {
    fn read(files: &StoreFiles, kind: EngineKind, path: &Path, check: bool) -> Result<Self> {
        let mut read = Self::default();
        let done = read.read_all(files, kind, path, check);
        if let Err(error) = done {
            read.findings.push(finding(error)?);
        }
        Ok(read)
    }

    fn read_all(
        &mut self,
        files: &StoreFiles,
        kind: EngineKind,
        path: &Path,
        check: bool,
    ) -> Result<()> {
        let engine = kind.open_for_inspection(&files.disk, path, check)?;
        let snapshot = GuardedSnapshot {
            snapshot: catch_panic(path, || engine.snapshot())?,
            file: path.to_owned(),
        };
        let read = self.read_records(files, &snapshot);
        // The library may panic over a damaged file even when it is dropped.
        let closed = catch_panic(path, move || {
            drop(snapshot);
            drop(engine);
            Ok(())
        });
        read.and(closed)
    }

    fn read_records(&mut self, files: &StoreFiles, snapshot: &GuardedSnapshot) -> Result<()> {
        let ledger = snapshot.get(LEDGER)?;
        self.ledger = ledger.and_then(|sealed| Ledger::open(&sealed, &files.authenticator));
        let Some(ledger) = self.ledger.clone() else {
            let why = "its ledger differs from what was written";
            self.findings
                .push(Error::damaged_file(&snapshot.file, why).to_string());
            self.read_range(files, snapshot, Bound::Unbounded, Bound::Unbounded)?;
            return Ok(());
        };
        if let Err(error) = self.read_range(files, snapshot, Bound::Unbounded, Bound::Unbounded) {
            self.findings.push(finding(error)?);
            // The start of each table may lead to records after the damage.
            for table in ledger.tables() {
                let start = [table.as_bytes(), &[SEPARATOR]].concat();
                let end = end_of(&start);
                let _may_be_damaged = self.read_range(
                    files,
                    snapshot,
                    Bound::Included(&start),
                    Bound::Excluded(&end),
                );
            }
        }
        self.differences = ledger.differences(&self.records.count());
        let differences = self.differences.iter().map(ToString::to_string);
        self.findings.extend(differences);
        Ok(())
    }

    /// Reads the authentic records of a range.
    fn read_range(
        &mut self,
        files: &StoreFiles,
        snapshot: &GuardedSnapshot,
        start: Bound<&[u8]>,
        end: Bound<&[u8]>,
    ) -> Result<()> {
        let range = KeyRange {
            start,
            end,
            ..KeyRange::ALL
        };
        for item in snapshot.range(range) {
            let (key, sealed) = item?;
            if key == LEDGER {
                continue;
            }
            if files.authenticator.open(&key, &sealed).is_some() {
                self.records.0.insert(key, sealed);
            } else if self.findings.len() < DAMAGED_RECORDS {
                let key = readable(&key);
                let finding = format!("the record '{key}' differs from what was written");
                self.findings.push(finding);
            }
        }
        Ok(())
    }

    fn into_state(self) -> Option<State> {
        match self.ledger {
            Some(ledger) if self.findings.is_empty() => {
                Some(State::complete(Source::Database, ledger, self.records))
            }
            ledger => State::partial(Source::PartOfDatabase, ledger, self.records),
        }
    }
}

/// Applies to a state the commits of the logs that follow it, up to the first damage.
fn replay_logs(files: &StoreFiles, state: &mut State, lines: &mut LoggedLines) -> Result<()> {
    let StoreFiles {
        disk,
        authenticator,
        ..
    } = files;
    let dir = files.metadata();
    let bases = log::list(&**disk, &dir)?;
    let mut position = state.ledger.log;
    loop {
        let path = log::path(&dir, position.base);
        let next = bases.iter().copied().find(|base| *base > position.base);
        let read = if bases.contains(&position.base) {
            let last = next.unwrap_or(u64::MAX);
            log::read(&**disk, &dir, position, last, authenticator)
        } else {
            Err(Error::damaged_file(&path, "it is missing"))
        };
        let mut end = LogEnd::default();
        match read {
            Ok(read) => {
                for (entry, _) in read.entries {
                    let is_next = entry.number == state.ledger.number + 1
                        && entry.journal == state.ledger.journal.length;
                    if !is_next {
                        let why =
                            format!("commit {} does not follow the previous one", entry.number);
                        end.damage = Some(Error::damaged_file(&path, why).to_string());
                        break;
                    }
                    lines.add(state.ledger.journal, &entry.lines);
                    state.ledger.apply(&mut state.records, &entry)?;
                }
                end.is_torn = read.is_torn;
            }
            Err(error) => end.damage = Some(finding(error)?),
        }
        match next {
            Some(next) if next == state.ledger.number => {
                state.log_end.damage = state.log_end.damage.take().or(end.damage);
                position = log::first_entry(next, state.ledger.store, authenticator);
                let header =
                    log::check_header(&**disk, &dir, next, state.ledger.store, authenticator);
                if let Err(error) = header {
                    state.log_end.damage = Some(finding(error)?);
                }
            }
            Some(next) if end.damage.is_none() => {
                let number = state.ledger.number;
                let why = format!(
                    "it ends with commit {number}, but the next log starts after commit {next}"
                );
                end.damage = Some(Error::damaged_file(&path, why).to_string());
                state.log_end = end;
                return Ok(());
            }
            _ => {
                state.log_end.damage = state.log_end.damage.take().or(end.damage);
                state.log_end.is_torn = end.is_torn;
                return Ok(());
            }
        }
    }
}

/// Turns an error caused by damage into a finding. Passes any other error on.
fn finding(error: Error) -> Result<String> {
    match error {
        Error::Io(error)
            if error.kind() == io::ErrorKind::PermissionDenied
                || error.kind() == io::ErrorKind::StorageFull
                || Fault::of(&error) == Some(Fault::TooManyFiles) =>
        {
            Err(error.into())
        }
        error => Ok(error.to_string()),
    }
}
