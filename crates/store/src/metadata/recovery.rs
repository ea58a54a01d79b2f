//! Recovery of the acknowledged commits at a start: the database as of its last checkpoint, and the later commits from
//! the log.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Instant};

use uuid::Uuid;

use super::{
    KeyRange, copies,
    engine::{Engine, GuardedSnapshot, catch_panic},
    ledger::{Count, LEDGER, Ledger},
    log::{self, Log, LogEntry, LogPosition},
    newest::Newest,
};
use crate::{
    Error, Journal, Result, StoreFiles, authentication::Authenticator, journal, key::readable,
};

/// A database that is up to date with its log.
pub(crate) struct Recovered {
    pub(crate) engine: Box<dyn Engine>,
    pub(crate) ledger: Ledger,
    pub(crate) log: Log,
    pub(crate) newest: Newest,
    pub(crate) journal: Journal,
}

/// Creates the database of a new store. A crash in between leaves no database.
pub(crate) fn create(files: &StoreFiles, store: Uuid) -> Result<()> {
    let StoreFiles {
        disk,
        authenticator,
        ..
    } = files;
    let dir = files.metadata();
    disk.create_dir(&dir)?;
    let log = Log::create(&**disk, &dir, 0, store, authenticator)?;
    let ledger = Ledger::new(store, log.position());
    // The journal must exist before the database does.
    drop(Journal::open(files, &ledger.journal_files, ledger.journal)?);
    create_with_records(files, &dir, &ledger, &BTreeMap::new())
}

/// Creates a database in `dir` and a copy of it, from the keys and sealed values that `ledger` accounts for.
pub(crate) fn create_with_records(
    files: &StoreFiles,
    dir: &Path,
    ledger: &Ledger,
    records: &BTreeMap<Vec<u8>, Vec<u8>>,
) -> Result<()> {
    let StoreFiles {
        disk,
        authenticator,
        ..
    } = files;
    let file = dir.join(files.engine.file_name());
    let engine = files.engine.create(disk, &file, &mut |database| {
        for (key, sealed) in records {
            database.put(key, sealed)?;
        }
        ledger.write(database, authenticator)?;
        Ok(true)
    })?;
    let snapshot = engine.snapshot()?;
    let snapshot = GuardedSnapshot { snapshot, file };
    copies::write(&**disk, dir, &snapshot, ledger, authenticator)
}

/// Opens a database and brings it up to date with its log.
///
/// # Errors
/// If an acknowledged commit is missing.
pub(crate) fn open(files: &StoreFiles) -> Result<Recovered> {
    let StoreFiles {
        disk,
        authenticator,
        ..
    } = files;
    let (dir, database) = (files.metadata(), files.database());
    crate::disk::sweep_unfinished(&**disk, &dir)?;
    // A kill may leave file names that are not durable. No commit may be acknowledged in such a file.
    disk.sync_dir(&dir)?;
    let mut engine = files.engine.open(disk, &database)?;
    let mut ledger = read_ledger(&*engine, &database, authenticator)?;
    let newest = Newest::open(&**disk, &dir, ledger.store, authenticator)?;
    let journal = Journal::open(files, &ledger.journal_files, ledger.journal)?;
    let LogTail {
        commits,
        end,
        is_torn,
    } = commits_after(files, &ledger)?;
    let mut log = Log::open(&**disk, &dir, end, authenticator)?;
    // After a kill, the last entry may not be synced. It must be durable before it becomes visible.
    log.sync()?;
    catch_panic(&database, || {
        replay(&mut *engine, &mut ledger, &journal, &commits, authenticator)
    })?;
    // Without a later commit, the database may still refer to the previous log.
    ledger.log = end;
    let acknowledged = newest.read()?.unwrap_or_default().number;
    if acknowledged > ledger.number {
        let why = format!(
            "it ends with commit {} (byte {}), but commit {acknowledged} was acknowledged",
            ledger.number, ledger.log.offset
        );
        return Err(Error::damaged_file(log::path(&dir, ledger.log.base), why));
    }
    journal.truncate(files)?;
    if is_torn {
        tracing::info!(file = %log.path().display(), "a crash interrupted the last commit, which was not acknowledged");
        log.erase_tail()?;
    }
    Ok(Recovered {
        engine,
        ledger,
        log,
        newest,
        journal,
    })
}

pub(crate) fn read_ledger(
    engine: &dyn Engine,
    database: &Path,
    authenticator: &Authenticator,
) -> Result<Ledger> {
    let sealed = catch_panic(database, || engine.snapshot()?.get(LEDGER))?;
    let Some(sealed) = sealed else {
        return Err(Error::damaged_file(
            database,
            "it has no ledger: it is empty, or another program wrote it",
        ));
    };
    Ledger::open(&sealed, authenticator)
        .ok_or_else(|| Error::damaged_file(database, "its ledger differs from what was written"))
}

/// The content of the logs after a ledger.
pub(crate) struct LogTail {
    /// The commits, each with the position after it.
    pub(crate) commits: Vec<(LogEntry, LogPosition)>,
    /// The end of the newest log.
    pub(crate) end: LogPosition,
    /// True if an unfinished commit follows the end.
    pub(crate) is_torn: bool,
}

/// Returns the commits that follow those that `ledger` accounts for.
pub(crate) fn commits_after(files: &StoreFiles, ledger: &Ledger) -> Result<LogTail> {
    let StoreFiles {
        disk,
        authenticator,
        ..
    } = files;
    let dir = files.metadata();
    let bases = log::list(&**disk, &dir)?;
    let mut position = ledger.log;
    let mut number = ledger.number;
    let mut commits = Vec::new();
    loop {
        if !bases.contains(&position.base) {
            return Err(Error::damaged_file(
                log::path(&dir, position.base),
                "it is missing",
            ));
        }
        // A later log replaces the entries of an earlier log from its own start on.
        let next = bases.iter().copied().find(|base| *base > position.base);
        let last = next.unwrap_or(u64::MAX);
        let read = log::read(&**disk, &dir, position, last, authenticator)?;
        for (entry, after) in read.entries {
            number += 1;
            if entry.number != number {
                let why = format!("it has commit {} instead of commit {number}", entry.number);
                return Err(Error::damaged_file(log::path(&dir, position.base), why));
            }
            commits.push((entry, after));
            position = after;
        }
        let Some(next) = next else {
            return Ok(LogTail {
                commits,
                end: position,
                is_torn: read.is_torn,
            });
        };
        if number != next {
            let why = format!(
                "it ends with commit {number}, but the next log starts after commit {next}"
            );
            return Err(Error::damaged_file(log::path(&dir, position.base), why));
        }
        position = log::check_header(&**disk, &dir, next, ledger.store, authenticator)?;
    }
}

/// Applies commits from the log, and appends their lines to the journal.
pub(crate) fn replay(
    engine: &mut dyn Engine,
    ledger: &mut Ledger,
    journal: &Journal,
    commits: &[(LogEntry, LogPosition)],
    authenticator: &Authenticator,
) -> Result<()> {
    apply(engine, ledger, commits, authenticator)?;
    for (entry, _) in commits {
        journal.append(&entry.lines);
    }
    Ok(())
}

/// Applies commits from the log.
pub(crate) fn apply(
    engine: &mut dyn Engine,
    ledger: &mut Ledger,
    commits: &[(LogEntry, LogPosition)],
    authenticator: &Authenticator,
) -> Result<()> {
    if commits.is_empty() {
        return Ok(());
    }
    engine.write(&mut |records| {
        for (entry, position) in commits {
            if entry.journal != ledger.journal.length {
                return Err(Error::damaged_file(
                    journal::FILE,
                    "its end differs from the start of the log",
                ));
            }
            ledger.apply(records, entry)?;
            ledger.log = *position;
        }
        ledger.write(records, authenticator)?;
        Ok(true)
    })
}

/// A comparison of all records with the ledger.
pub(crate) struct Walk {
    items: super::Items,
    ledger: Ledger,
    authenticator: Authenticator,
    count: Count,
    pub(crate) findings: Vec<String>,
}

/// The maximum number of findings. A truncated file could cause one for each of its records.
const FINDINGS: usize = 20;

impl Walk {
    pub(crate) fn new(snapshot: &GuardedSnapshot, authenticator: &Authenticator) -> Result<Self> {
        let sealed = snapshot.get(LEDGER)?.unwrap_or_default();
        let ledger = Ledger::open(&sealed, authenticator).ok_or_else(|| {
            Error::damaged_file(&snapshot.file, "its ledger differs from what was written")
        })?;
        Ok(Self {
            items: snapshot.range(KeyRange::ALL),
            ledger,
            authenticator: authenticator.clone(),
            count: Count::default(),
            findings: Vec::new(),
        })
    }

    /// Continues to the end or until `deadline`. Returns true at the end.
    ///
    /// # Errors
    /// If the disk fails. Such a failure says nothing about the records.
    pub(crate) fn run(&mut self, deadline: Option<Instant>) -> Result<bool> {
        for item in self.items.by_ref() {
            match item {
                Ok((key, _)) if key == LEDGER => {}
                Ok((key, sealed)) => {
                    self.count.add(&key, &sealed);
                    if self.authenticator.open(&key, &sealed).is_none() {
                        let key = readable(&key);
                        let finding = format!("the record '{key}' differs from what was written");
                        self.findings.push(finding);
                    }
                }
                Err(error @ Error::Io(_)) => return Err(error),
                Err(error) => {
                    self.findings.push(error.to_string());
                    break;
                }
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(false);
            }
        }
        self.findings.truncate(FINDINGS);
        let differences = self.ledger.differences(&self.count);
        self.findings
            .extend(differences.iter().map(ToString::to_string));
        self.findings.truncate(FINDINGS);
        Ok(true)
    }
}

/// Checks the files beside the database: the copies, the logs that follow them, and the journal. Returns the findings,
/// one sentence each.
pub(crate) fn check_files(
    files: &StoreFiles,
    ledger: &Ledger,
    journal: &Journal,
) -> Result<Vec<String>> {
    let StoreFiles {
        disk,
        authenticator,
        ..
    } = files;
    let dir = files.metadata();
    let mut findings = Vec::new();
    let mut add_finding = |error: Error| match error {
        Error::DamagedFile { .. } => {
            findings.push(error.to_string());
            Ok(())
        }
        error => Err(error),
    };
    for number in copies::list(&**disk, &dir)? {
        let checked = copies::read(&**disk, &dir, number, authenticator)
            .and_then(|copy| commits_after(files, &copy.ledger))
            .and_then(|tail| {
                let last = tail.commits.last().map_or(number, |(last, _)| last.number);
                if last < ledger.number {
                    return Err(Error::damaged_file(
                        log::path(&dir, tail.end.base),
                        format!("it leads from copy {number} only to commit {last}"),
                    ));
                }
                Ok(())
            });
        if let Err(error) = checked {
            add_finding(error)?;
        }
    }
    if let Some(changed) = journal.find_changed(&ledger.journal_files, ledger.journal)? {
        add_finding(Error::damaged_file(
            journal::path(&files.dir, changed),
            "its lines differ from what was written",
        ))?;
    }
    Ok(findings)
}

/// Returns a snapshot whose panics become errors.
pub(crate) fn guarded_snapshot(
    engine: &dyn Engine,
    files: &StoreFiles,
) -> Result<Arc<GuardedSnapshot>> {
    let file = files.database();
    Ok(Arc::new(GuardedSnapshot {
        snapshot: catch_panic(&file, || engine.snapshot())?,
        file,
    }))
}
