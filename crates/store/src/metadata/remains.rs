//! The remains of the metadata in a directory that may be damaged, and the states that it can be brought to.
//! Nothing here changes anything on disk.

use std::{collections::BTreeMap, io, ops::Bound, path::Path};

use uuid::Uuid;

use super::{
    copies,
    engine::{EngineKind, Guarded, guard},
    ledger::{LEDGER, Ledger, TableDifference},
    log,
    newest::{self, Acknowledged},
    state::{End, Map, Source, State, choose, fill},
};
use crate::{
    Error, Result, StoreFiles,
    format::Format,
    journal::{self, JournalMark},
    table::{SEPARATOR, end_of, readable},
};

/// The maximum number of damaged records that are named for a database.
const NAMED: usize = 20;

/// The remains of the metadata.
pub(crate) struct Remains {
    pub(crate) format: Option<Format>,
    pub(crate) store: Option<Uuid>,
    /// The findings, one sentence each.
    pub(crate) findings: Vec<String>,
    /// The state that reaches furthest.
    pub(crate) best: Option<State>,
    /// The numbers of the newest known commits.
    pub(crate) known: Acknowledged,
    /// True if the file that repeats the number of the newest commit can be read.
    pub(crate) is_newest_known: bool,
    /// The newest of the ledgers that were found.
    pub(crate) newest_ledger: Option<Ledger>,
    pub(crate) lines: Lines,
}

/// The journal's lines in the commit logs, each with the mark before it.
#[derive(Default)]
pub(crate) struct Lines {
    marks: BTreeMap<u64, JournalMark>,
    behind: BTreeMap<u64, Vec<u8>>,
}

impl Lines {
    fn add(&mut self, before: JournalMark, lines: &[u8]) {
        self.marks.insert(before.length, before);
        if !lines.is_empty() {
            let after = before.after(lines);
            self.marks.insert(after.length, after);
            self.behind.insert(before.length, lines.to_vec());
        }
    }

    /// Returns true if the journal ended at `mark` at some time.
    pub(crate) fn knows(&self, mark: &JournalMark) -> bool {
        self.marks.get(&mark.length) == Some(mark)
    }

    /// Returns the lines from the offset `from` up to `to`, as far as they are there.
    pub(crate) fn between(&self, from: u64, to: u64) -> Vec<u8> {
        let mut lines = Vec::new();
        for (offset, behind) in self.behind.range(from..to) {
            if offset + behind.len() as u64 <= to {
                lines.extend(behind);
            }
        }
        lines
    }
}

impl Remains {
    /// Looks at everything.
    ///
    /// # Errors
    /// If the disk fails, the directory may not be read, or another version of sealock wrote it.
    pub(crate) fn examine(files: &StoreFiles) -> Result<Self> {
        let (format, wrong) = Format::examine(files)?;
        let mut remains = Self {
            format,
            store: format.map(|format| format.store),
            findings: wrong.into_iter().collect(),
            best: None,
            known: Acknowledged::default(),
            is_newest_known: false,
            newest_ledger: None,
            lines: Lines::default(),
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
        fill(&mut states);
        for state in &mut states {
            remains.lines.add(state.ledger.journal, &[]);
            if state.has_ledger {
                remains.note_ledger(&state.ledger);
                follow(files, state, &mut remains.lines)?;
                remains.known = remains.known.furthest(state.ledger.acknowledged());
            }
        }
        remains.note_newest(files)?;
        remains.judge(files, &states)?;
        remains.best = choose(states);
        Ok(remains)
    }

    /// Returns the states of the databases, and adds the findings on the database that the directory names.
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
            let mut found = DatabaseAside::read(files, kind, &path, false)?;
            let checked = DatabaseAside::read(files, kind, &path, true)?;
            let is_whole = found.findings.is_empty();
            if is_whole && checked.ledger != found.ledger {
                let why = "a page of it is not the one that was written";
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
                let why = "it is another data directory's";
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
                .push(format!("there is no copy of the metadata in {dir}"));
        }
        for number in numbers.into_iter().rev() {
            match copies::read(&**disk, &dir, number, authenticator) {
                Ok(copy) => {
                    let records = Map(copy.records.into_iter().collect());
                    states.push(State::whole(Source::Copy(number), copy.ledger, records));
                }
                Err(error) => {
                    self.findings.push(finding(error)?);
                    let read = copies::read_partly(&**disk, &dir, number, authenticator);
                    match read {
                        Ok(copies::Part { ledger, records }) => {
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

    fn note_ledger(&mut self, ledger: &Ledger) {
        self.known = self.known.furthest(ledger.acknowledged());
        let newest = self.newest_ledger.as_ref().map(|newest| newest.number);
        if newest < Some(ledger.number) {
            self.newest_ledger = Some(ledger.clone());
        }
    }

    /// Notes the newest commits that the file `newest` and the logs know of.
    fn note_newest(&mut self, files: &StoreFiles) -> Result<()> {
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
            self.known = self.known.furthest(newest);
        }
        let bases = log::list(&**disk, &dir)?;
        for base in bases.iter().copied() {
            if log::beginning(&**disk, &dir, base, store, authenticator).is_ok() {
                self.known.number = self.known.number.max(base);
            }
            let position = log::behind_header(base, store, authenticator);
            // Entries behind the beginning of a later log were taken back.
            let next = bases.iter().copied().find(|next| *next > base);
            let last = next.unwrap_or(u64::MAX);
            let read = log::read(&**disk, &dir, position, last, authenticator);
            if let Some((last, _)) = read.ok().and_then(|mut read| read.entries.pop()) {
                self.known = self.known.furthest(Acknowledged {
                    number: last.number,
                    control: last.control,
                });
            }
        }
        Ok(())
    }

    /// Adds the findings on the file `newest`, on the logs that lead on from database and copies, and on the journal.
    fn judge(&mut self, files: &StoreFiles, states: &[State]) -> Result<()> {
        let dir = files.metadata();
        let database = states.iter().find(|state| state.source == Source::Database);
        let newest = dir.join(newest::FILE);
        if !self.is_newest_known && self.known.number > 0 {
            let why = "it does not say which commit is the newest";
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
            self.findings.extend(state.end.broken.clone());
            if reached < self.known.number {
                let known = self.known.number;
                self.findings.push(format!(
                    "the commit log leads from {what} to the commit {reached}, but {known} was acknowledged"
                ));
            }
        }
        if let Some(state) = database {
            let path = files.dir.join(journal::FILE);
            // A start writes the lines behind the last checkpoint anew.
            let wanted = state.begins;
            let found = journal::authentic(&*files.disk, &path, |mark| *mark == wanted)?;
            if found.authentic != wanted {
                let why = match found.length {
                    Some(length) if length < wanted.length => {
                        format!("it has {length} bytes instead of {} or more", wanted.length)
                    }
                    Some(_) => "its lines are not those that were written".to_owned(),
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

/// The readable part of a database. The read changes nothing on disk.
#[derive(Default)]
struct DatabaseAside {
    ledger: Option<Ledger>,
    /// The records that are authentic.
    records: Map,
    findings: Vec<String>,
    differences: Vec<TableDifference>,
}

impl DatabaseAside {
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
        let engine = kind.open_aside(&files.disk, path, check)?;
        let snapshot = Guarded {
            snapshot: guard(path, || engine.snapshot())?,
            file: path.to_owned(),
        };
        let walked = self.walk(files, &snapshot);
        // The library may also panic over a damaged file when it is dropped.
        let ended = guard(path, move || {
            drop(snapshot);
            drop(engine);
            Ok(())
        });
        walked.and(ended)
    }

    fn walk(&mut self, files: &StoreFiles, snapshot: &Guarded) -> Result<()> {
        let ledger = snapshot.get(LEDGER)?;
        self.ledger = ledger.and_then(|sealed| Ledger::open(&sealed, &files.authenticator));
        let Some(ledger) = self.ledger.clone() else {
            let why = "its ledger is not the one that was written";
            self.findings
                .push(Error::damaged_file(&snapshot.file, why).to_string());
            self.take(files, snapshot, Bound::Unbounded, Bound::Unbounded)?;
            return Ok(());
        };
        if let Err(error) = self.take(files, snapshot, Bound::Unbounded, Bound::Unbounded) {
            self.findings.push(finding(error)?);
            // Records behind the damage may be found from the beginning of their table.
            for table in ledger.tables() {
                let start = [table.as_bytes(), &[SEPARATOR]].concat();
                let end = end_of(&start);
                let _rest_is_damaged = self.take(
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

    /// Takes the authentic records of a range.
    fn take(
        &mut self,
        files: &StoreFiles,
        snapshot: &Guarded,
        start: Bound<&[u8]>,
        end: Bound<&[u8]>,
    ) -> Result<()> {
        for item in snapshot.range(start, end) {
            let (key, sealed) = item?;
            if key == LEDGER {
                continue;
            }
            if files.authenticator.open(&key, &sealed).is_some() {
                self.records.0.insert(key, sealed);
            } else if self.findings.len() < NAMED {
                let key = readable(&key);
                self.findings.push(format!(
                    "the record '{key}' is not the one that was written"
                ));
            }
        }
        Ok(())
    }

    fn into_state(self) -> Option<State> {
        match self.ledger {
            Some(ledger) if self.findings.is_empty() => {
                Some(State::whole(Source::Database, ledger, self.records))
            }
            ledger => State::partial(Source::PartOfDatabase, ledger, self.records),
        }
    }
}

/// Carries out the commits in the logs that lead on from a state, as far as they are whole.
fn follow(files: &StoreFiles, state: &mut State, lines: &mut Lines) -> Result<()> {
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
        let mut end = End::default();
        match read {
            Ok(read) => {
                for (entry, _) in read.entries {
                    let is_next = entry.number == state.ledger.number + 1
                        && entry.journal == state.ledger.journal.length;
                    if !is_next {
                        let why = format!("the commit {} follows on another", entry.number);
                        end.broken = Some(Error::damaged_file(&path, why).to_string());
                        break;
                    }
                    lines.add(state.ledger.journal, &entry.lines);
                    state.ledger.carry_out(&mut state.records, &entry)?;
                }
                end.is_torn = read.rest.is_some();
            }
            Err(error) => end.broken = Some(finding(error)?),
        }
        match next {
            Some(next) if next == state.ledger.number => {
                state.end.broken = state.end.broken.take().or(end.broken);
                position = log::behind_header(next, state.ledger.store, authenticator);
                let header = log::beginning(&**disk, &dir, next, state.ledger.store, authenticator);
                if let Err(error) = header {
                    state.end.broken = Some(finding(error)?);
                }
            }
            Some(next) if end.broken.is_none() => {
                let number = state.ledger.number;
                let why = format!(
                    "it ends at the commit {number}, and the next log begins behind {next}"
                );
                end.broken = Some(Error::damaged_file(&path, why).to_string());
                state.end = end;
                return Ok(());
            }
            _ => {
                state.end.broken = state.end.broken.take().or(end.broken);
                state.end.is_torn = end.is_torn;
                return Ok(());
            }
        }
    }
}

/// Returns the finding for an error that tells of damage. Any other error stays an error.
fn finding(error: Error) -> Result<String> {
    match error {
        Error::Io(error)
            if error.kind() == io::ErrorKind::PermissionDenied
                || error.kind() == io::ErrorKind::StorageFull
                || crate::fault(&error) == Some(crate::Fault::TooManyFiles) =>
        {
            Err(error.into())
        }
        error => Ok(error.to_string()),
    }
}
