//! Recovery of the acknowledged commits from disk: the database as of its last checkpoint, and the commits behind it
//! from the log.

use std::{collections::BTreeMap, ops::Bound, path::Path, sync::Arc, time::Instant};

use uuid::Uuid;

use super::{
    copies,
    engine::{Engine, Guarded, guard},
    ledger::{Count, LEDGER, Ledger},
    log::{self, Log, LogEntry, LogPosition},
    newest::Newest,
};
use crate::{
    Error, Journal, Result, StoreFiles, authentication::Authenticator, journal, table::readable,
};

/// A database that has caught up with its log.
pub(crate) struct Recovered {
    pub(crate) engine: Box<dyn Engine>,
    pub(crate) ledger: Ledger,
    pub(crate) log: Log,
    pub(crate) newest: Newest,
    pub(crate) journal: Journal,
}

/// Makes the database of a new store. A crash on the way leaves no database.
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
    drop(Journal::open(&**disk, &files.dir, ledger.journal)?);
    write_new(files, &dir, &ledger, &BTreeMap::new())
}

/// Makes a database in `dir` and a copy of it, from the records that `ledger` accounts for: keys and sealed values.
pub(crate) fn write_new(
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
    let snapshot = Guarded { snapshot, file };
    copies::write(&**disk, dir, &snapshot, ledger, authenticator)
}

/// Opens a database and brings it up to date with its log.
///
/// # Errors
/// If anything that was acknowledged is missing.
pub(crate) fn open(files: &StoreFiles) -> Result<Recovered> {
    let StoreFiles {
        disk,
        authenticator,
        ..
    } = files;
    let (dir, database) = (files.metadata(), files.database());
    crate::disk::sweep_unfinished(&**disk, &dir)?;
    // A kill may leave file names that are not durable. Nothing may be acknowledged in a file with such a name.
    disk.sync_dir(&dir)?;
    let mut engine = files.engine.open(disk, &database)?;
    let mut ledger = read_ledger(&*engine, &database, authenticator)?;
    let newest = Newest::open(&**disk, &dir, ledger.store, authenticator)?;
    let journal = Journal::open(&**disk, &files.dir, ledger.journal)?;
    let Behind {
        commits,
        end,
        is_torn,
    } = commits_behind(files, &ledger)?;
    let mut log = Log::open(&**disk, &dir, end, authenticator)?;
    // After a kill, the last entry may not be synced yet. Nothing may be visible before it is durable.
    log.sync()?;
    guard(&database, || {
        replay(&mut *engine, &mut ledger, &journal, &commits, authenticator)
    })?;
    // If no commit follows, the database may still point into the previous log.
    ledger.log = end;
    let acknowledged = newest.read()?.unwrap_or_default().number;
    if acknowledged > ledger.number {
        let why = format!(
            "it ends at the commit {} (byte {}), but {acknowledged} was acknowledged",
            ledger.number, ledger.log.offset
        );
        return Err(Error::damaged_file(log::path(&dir, ledger.log.base), why));
    }
    journal.cut()?;
    if is_torn {
        tracing::info!(file = %log.path().display(), "the last commit was not finished before a crash; nobody was told of it");
        log.erase_behind()?;
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
    let sealed = guard(database, || engine.snapshot()?.get(LEDGER))?;
    let Some(sealed) = sealed else {
        return Err(Error::damaged_file(
            database,
            "it has no ledger: it is empty, or another program's",
        ));
    };
    Ledger::open(&sealed, authenticator)
        .ok_or_else(|| Error::damaged_file(database, "its ledger is not the one that was written"))
}

/// The contents of the logs behind a ledger.
pub(crate) struct Behind {
    /// The commits, each with the position behind it.
    pub(crate) commits: Vec<(LogEntry, LogPosition)>,
    /// The position at which the newest log goes on.
    pub(crate) end: LogPosition,
    /// True if an unfinished commit lies there.
    pub(crate) is_torn: bool,
}

/// Returns the commits in the logs behind those that `ledger` accounts for.
pub(crate) fn commits_behind(files: &StoreFiles, ledger: &Ledger) -> Result<Behind> {
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
        // A later log replaces the entries of an earlier one from the later one's beginning on.
        let next = bases.iter().copied().find(|base| *base > position.base);
        let last = next.unwrap_or(u64::MAX);
        let read = log::read(&**disk, &dir, position, last, authenticator)?;
        for (entry, behind) in read.entries {
            number += 1;
            if entry.number != number {
                let why = format!(
                    "it has the commit {} where {number} should be",
                    entry.number
                );
                return Err(Error::damaged_file(log::path(&dir, position.base), why));
            }
            commits.push((entry, behind));
            position = behind;
        }
        let Some(next) = next else {
            return Ok(Behind {
                commits,
                end: position,
                is_torn: read.rest.is_some(),
            });
        };
        if number != next {
            let why =
                format!("it ends at the commit {number}, and the next log begins behind {next}");
            return Err(Error::damaged_file(log::path(&dir, position.base), why));
        }
        position = log::beginning(&**disk, &dir, next, ledger.store, authenticator)?;
    }
}

/// Carries out commits from the log, and appends their lines to the journal.
pub(crate) fn replay(
    engine: &mut dyn Engine,
    ledger: &mut Ledger,
    journal: &Journal,
    commits: &[(LogEntry, LogPosition)],
    authenticator: &Authenticator,
) -> Result<()> {
    carry_out(engine, ledger, commits, authenticator)?;
    for (entry, _) in commits {
        journal.append(&entry.lines);
    }
    Ok(())
}

/// Carries out commits from the log.
pub(crate) fn carry_out(
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
                    "it does not go on where the log does",
                ));
            }
            ledger.carry_out(records, entry)?;
            ledger.log = *position;
        }
        ledger.write(records, authenticator)?;
        Ok(true)
    })
}

/// A walk over all records, which compares them with the ledger.
pub(crate) struct Walk {
    items: super::Items,
    ledger: Ledger,
    authenticator: Authenticator,
    count: Count,
    pub(crate) findings: Vec<String>,
}

/// The maximum number of findings. A file that is cut in the middle could have as many as it had records.
const FINDINGS: usize = 20;

impl Walk {
    pub(crate) fn new(snapshot: &Guarded, authenticator: &Authenticator) -> Result<Self> {
        let sealed = snapshot.get(LEDGER)?.unwrap_or_default();
        let ledger = Ledger::open(&sealed, authenticator).ok_or_else(|| {
            Error::damaged_file(&snapshot.file, "its ledger is not the one that was written")
        })?;
        Ok(Self {
            items: snapshot.range(Bound::Unbounded, Bound::Unbounded),
            ledger,
            authenticator: authenticator.clone(),
            count: Count::default(),
            findings: Vec::new(),
        })
    }

    /// Goes on until the end, or until `deadline`. Returns true at the end.
    ///
    /// # Errors
    /// If the disk fails. Such a failure says nothing about the records on it.
    pub(crate) fn run(&mut self, deadline: Option<Instant>) -> Result<bool> {
        for item in self.items.by_ref() {
            match item {
                Ok((key, _)) if key == LEDGER => {}
                Ok((key, sealed)) => {
                    self.count.add(&key, &sealed);
                    if self.authenticator.open(&key, &sealed).is_none() {
                        let key = readable(&key);
                        self.findings.push(format!(
                            "the record '{key}' is not the one that was written"
                        ));
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

/// Checks the files beside the database: the copies, the logs that lead on from them, and the journal. Returns the
/// findings, one sentence each.
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
    let mut note = |error: Error| match error {
        Error::DamagedFile { .. } => {
            findings.push(error.to_string());
            Ok(())
        }
        error => Err(error),
    };
    for number in copies::list(&**disk, &dir)? {
        let led = copies::read(&**disk, &dir, number, authenticator)
            .and_then(|copy| commits_behind(files, &copy.ledger))
            .and_then(|behind| {
                let last = behind
                    .commits
                    .last()
                    .map_or(number, |(last, _)| last.number);
                if last < ledger.number {
                    return Err(Error::damaged_file(
                        log::path(&dir, behind.end.base),
                        format!("it leads from the copy {number} to the commit {last} only"),
                    ));
                }
                Ok(())
            });
        if let Err(error) = led {
            note(error)?;
        }
    }
    if !journal.is_whole(ledger.journal)? {
        note(Error::damaged_file(
            files.dir.join(journal::FILE),
            "its lines are not those that were written",
        ))?;
    }
    Ok(findings)
}

/// Returns a snapshot that can be read without a panic.
pub(crate) fn guarded(engine: &dyn Engine, files: &StoreFiles) -> Result<Arc<Guarded>> {
    let file = files.database();
    Ok(Arc::new(Guarded {
        snapshot: guard(&file, || engine.snapshot())?,
        file,
    }))
}
