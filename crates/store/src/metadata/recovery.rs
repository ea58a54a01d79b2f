//! The way from what lies on disk to what was acknowledged: the database as of its last checkpoint, and the
//! commits behind it from the log.

use std::{ops::Bound, path::Path, sync::Arc, time::Instant};

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

/// Makes the database of a new store. After a crash on the way there is none.
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
    // The journal is there before the database is.
    drop(Journal::open(&**disk, &files.dir, ledger.journal)?);
    write_new(files, &dir, &ledger, [])
}

/// Makes a database in `dir` and a copy of it: the records, keys and sealed values, that `ledger` accounts for.
pub(crate) fn write_new<'a>(
    files: &StoreFiles,
    dir: &Path,
    ledger: &Ledger,
    records: impl IntoIterator<Item = (&'a Vec<u8>, &'a Vec<u8>)> + Clone,
) -> Result<()> {
    let StoreFiles {
        disk,
        authenticator,
        ..
    } = files;
    let file = dir.join(files.engine.file_name());
    let engine = files.engine.create(disk, &file, &mut |database| {
        for (key, sealed) in records.clone() {
            database.put(key, sealed)?;
        }
        ledger.write(database, authenticator)?;
        Ok(true)
    })?;
    let snapshot = engine.snapshot()?;
    let snapshot = Guarded { snapshot, file };
    copies::write(&**disk, dir, &snapshot, ledger, authenticator)
}

/// Opens a database and has it catch up with its log.
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
    // A kill leaves names that are not durable, and nothing may be acknowledged in a file that has such a one.
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
    // After a kill, its last entry may be one that was not synced yet, and nothing is visible before it is durable.
    log.sync()?;
    guard(&database, || {
        replay(&mut *engine, &mut ledger, &journal, &commits, authenticator)
    })?;
    // Where no commit lies behind, the database may still point into the log before.
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

/// What the logs have behind a ledger.
pub(crate) struct Behind {
    /// Each commit, with the position behind it.
    pub(crate) commits: Vec<(LogEntry, LogPosition)>,
    /// Where the newest log goes on.
    pub(crate) end: LogPosition,
    /// Whether an unfinished commit lies there.
    pub(crate) is_torn: bool,
}

/// The commits in the logs behind what `ledger` accounts for.
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
        // A later log takes the place of what an earlier one has behind its beginning.
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

/// Carries out commits from the log, and has the journal have their lines.
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
    items: super::Items<'static>,
    ledger: Ledger,
    authenticator: Authenticator,
    count: Count,
    pub(crate) findings: Vec<String>,
}

/// How many findings are named: a file that is cut in the middle has as many as it had records.
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

    /// Goes on until the end, or until `deadline`. True at the end.
    ///
    /// # Errors
    /// If the disk fails: that says nothing of what it holds.
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

/// What is wrong with the files beside the database: the copies, the logs that lead on from them, and the journal.
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

/// A snapshot that can be read without a panic.
pub(crate) fn guarded(engine: &dyn Engine, files: &StoreFiles) -> Result<Arc<Guarded>> {
    let file = files.database();
    Ok(Arc::new(Guarded {
        snapshot: guard(&file, || engine.snapshot())?,
        file,
    }))
}
