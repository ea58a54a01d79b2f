//! Checks and repairs of a data directory that no process has open. A repair brings a damaged directory to the state
//! that reaches furthest.
//!
//! A repair first writes the new files into the directory `repair`. Then it writes a plan there, which lists the old
//! files that go into quarantine and the new files that take their places. From then on, the store is not opened
//! before the plan is carried out. An interrupted plan can be resumed at any point. Before the plan is written, the
//! old files are unchanged.

use std::{ffi::OsStr, path::Path};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use crate::metadata::{ledger::TableDifference, state::Source};
use crate::{
    Error, Quarantine, Result, Store, StoreFiles,
    authentication::{Label, TAG_LEN},
    disk::{self, Access, Disk},
    format::{self, Format},
    journal::{self, JournalMark},
    metadata::{
        EngineKind,
        ledger::Ledger,
        log::Log,
        newest::{self, Acknowledged, Newest},
        recovery,
        remains::Remains,
        state::State,
    },
};

/// The directory that holds the new files until they take their places.
const DIR: &str = "repair";

const PLAN: &str = "plan";

/// The number of bytes of the journal that are copied at once.
const COPY_BYTES: u64 = 1024 * 1024;

/// The findings and the outcome of a repair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    /// The findings, one sentence each.
    pub findings: Vec<String>,
    /// The source that the metadata was restored from; `None` if nothing was wrong, and so nothing was changed.
    pub source: Option<Source>,
    /// The engine that holds the metadata now.
    pub engine: String,
    /// The number of the commit that was reached.
    pub reached: u64,
    /// The number of the newest known commit.
    pub newest: u64,
    /// True if the file that repeats the number of the newest commit could be read. Otherwise there may be newer ones.
    pub is_newest_known: bool,
    /// The number of commits missing in between.
    pub missing_commits: u64,
    /// The tables that are known to have other records than they should.
    pub tables: Vec<TableDifference>,
    /// The number of journal bytes that are lost, as far as the journal's full length is known.
    pub missing_journal_bytes: u64,
    /// True if vaults, keys, policies, identities, roles or networks may be earlier ones, which may permit what was
    /// revoked since.
    pub control_state_is_older: bool,
    /// The files that were moved into quarantine, by their former names.
    pub quarantined: Vec<String>,
}

impl Repair {
    /// Returns true if anything was changed.
    pub fn is_done(&self) -> bool {
        self.source.is_some()
    }
}

/// The outcome of a repair, and the moves that put its files in their places.
#[derive(Serialize, Deserialize)]
struct Plan {
    repair: Repair,
    /// Paths below the data directory, in order. A move is due while the first is there and the second is not.
    moves: Vec<(String, String)>,
}

/// The result of a look at a store that no process has open.
pub struct Look {
    /// The findings on damaged or missing parts of the metadata and the journal, one sentence each.
    pub findings: Vec<String>,
    /// The state that reaches furthest, if there is any: its records in memory, and the objects and notes on disk. A
    /// look does not deal with changes that are made to it, on disk or in memory.
    pub store: Option<Store>,
}

/// Checks a store that no process has open, and changes nothing. Returns the findings on damaged or missing parts,
/// one sentence each.
///
/// # Errors
/// If the disk fails, or another version of sealock wrote the directory.
pub fn check_offline(files: &StoreFiles) -> Result<Vec<String>> {
    Ok(look(files)?.findings)
}

/// Looks at a store that no process has open, and changes nothing.
///
/// # Errors
/// If the disk fails, or another version of sealock wrote the directory.
pub fn look(files: &StoreFiles) -> Result<Look> {
    let remains = Remains::examine(files)?;
    let mut findings = remains.findings;
    if is_unfinished(&*files.disk, &files.dir)? {
        let unfinished = Error::RepairUnfinished(files.dir.display().to_string());
        findings.insert(0, unfinished.to_string());
    }
    let store = remains.best.map(|state| {
        let opened = state.records.0.into_iter().filter_map(|(key, sealed)| {
            let value = files.authenticator.open(&key, &sealed)?.to_vec();
            Some((key, value))
        });
        Store::look(files, opened.collect())
    });
    Ok(Look { findings, store })
}

/// Returns the engine that a data directory was written with, as far as it tells; otherwise the engine of `files`.
///
/// # Errors
/// If the disk fails, or another version of sealock wrote the directory.
pub fn engine_of(files: &StoreFiles) -> Result<EngineKind> {
    if let (Some(format), _) = Format::examine(files)? {
        return Ok(format.engine);
    }
    let names = files.disk.list(&files.metadata())?;
    let is_there = |kind: &EngineKind| names.iter().any(|name| name == kind.file_name());
    let there: Vec<EngineKind> = EngineKind::ALL.into_iter().filter(is_there).collect();
    match there[..] {
        [only] => Ok(only),
        _ => Ok(files.engine),
    }
}

/// Brings the metadata of a store that no process has open to the state that reaches furthest, at `now`, in seconds
/// since 1970. Replaced files go into quarantine. If nothing is wrong, nothing is changed. Otherwise only
/// [`Store::open_repaired`] opens the store before [`finish`].
///
/// # Errors
/// If the disk fails, another version of sealock wrote the directory, or nothing can be restored.
pub fn repair(files: &StoreFiles, now: i64) -> Result<Repair> {
    if let Some(plan) = Plan::read(files)? {
        return plan.carry_out(files);
    }
    let remains = Remains::examine(files)?;
    // A plan that is not authentic keeps the store from being opened, too.
    if remains.findings.is_empty() && !is_unfinished(&*files.disk, &files.dir)? {
        return Ok(Repair {
            findings: Vec::new(),
            source: None,
            engine: files.engine.to_string(),
            reached: remains.known.number,
            newest: remains.known.number,
            is_newest_known: remains.is_newest_known,
            missing_commits: 0,
            tables: Vec::new(),
            missing_journal_bytes: 0,
            control_state_is_older: false,
            quarantined: Vec::new(),
        });
    }
    let plan = prepare(files, remains, now)?;
    plan.write(files)?;
    plan.carry_out(files)
}

/// Lets the store be opened again after a repair. The caller first makes sure that nothing in it permits what it
/// must not.
///
/// # Errors
/// If the disk fails.
pub fn finish(files: &StoreFiles) -> Result<()> {
    let dir = files.dir.join(DIR);
    if disk::remove_if_present(&*files.disk, &dir.join(PLAN))? {
        files.disk.sync_dir(&dir)?;
    }
    // The directory is empty. A simulated disk has no directories.
    let _ = std::fs::remove_dir(dir);
    Ok(())
}

/// Returns true if a repair was begun and not finished.
pub(crate) fn is_unfinished(disk: &dyn Disk, dir: &Path) -> Result<bool> {
    has(disk, &dir.join(DIR).join(PLAN))
}

impl Store {
    /// Opens a store that was repaired, before [`finish`].
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_repaired(files: StoreFiles) -> Result<Self> {
        Self::open_whatever(files)
    }
}

/// Writes the new files, and plans how they take their places.
fn prepare(files: &StoreFiles, mut remains: Remains, now: i64) -> Result<Plan> {
    let StoreFiles {
        disk,
        authenticator,
        ..
    } = files;
    let nothing = || match remains.format {
        Some(_) => Error::NothingToRestore(files.dir.display().to_string()),
        // The file `format` does not confirm the key, either.
        None => Error::KeyForeign {
            format: format::path(&files.dir),
        },
    };
    let Some(state) = remains.best.take() else {
        return Err(nothing());
    };
    let staging = files.dir.join(DIR);
    disk.create_dir(&staging)?;
    let mut moves = Moves::new(files, now)?;
    if has(&**disk, &staging.join(PLAN))? {
        // The plan is not authentic.
        disk.create_dir(&files.dir.join(Quarantine::DIR))?;
        let aside = Quarantine::name(Some(DIR), PLAN, moves.since);
        disk.rename(&staging.join(PLAN), &files.dir.join(aside))?;
    }
    clear(&**disk, &staging)?;

    let mut repair = describe(files, &remains, &state);
    let newest = Acknowledged {
        // A number above all others keeps a file in quarantine from being taken for a later one.
        number: repair.newest.max(repair.reached) + 1,
        control: remains.known.control.max(state.ledger.control),
    };
    let store = remains.store.unwrap_or_else(Uuid::new_v4);
    let old_journal = files.dir.join(journal::FILE);
    let known = |mark: &JournalMark| *mark == state.ledger.journal || remains.lines.knows(mark);
    let found = journal::authentic(&**disk, &old_journal, known)?;
    let lines = remains
        .lines
        .between(found.authentic.length, state.ledger.journal.length);
    let mark = found.authentic.after(&lines);
    repair.missing_journal_bytes = state.ledger.journal.length.saturating_sub(mark.length);
    let is_journal_whole = found.length.unwrap_or_default() == mark.length && lines.is_empty();
    if !is_journal_whole {
        write_journal(&**disk, &old_journal, &staging, found.authentic, &lines)?;
    }

    let log = Log::create(&**disk, &staging, newest.number, store, authenticator)?;
    let mut ledger: Ledger = state.ledger;
    ledger.store = store;
    ledger.number = newest.number;
    ledger.control = newest.control;
    ledger.log = log.position();
    ledger.journal = mark;
    recovery::write_new(files, &staging, &ledger, &state.records.0)?;
    Newest::open(&**disk, &staging, store, authenticator)?.write(newest)?;
    disk.open(&staging.join(newest::FILE), Access::Write)?
        .sync()?;
    let format = Format {
        store,
        engine: files.engine,
    };
    let is_format_whole = remains.format == Some(format);
    if !is_format_whole {
        format.write(&**disk, &staging, authenticator)?;
    }

    for name in disk.list(&files.metadata())? {
        moves.set_aside(Some("metadata"), &name.to_string_lossy());
    }
    for (file, is_whole) in [
        (journal::FILE, is_journal_whole),
        (format::FILE, is_format_whole),
    ] {
        if !is_whole && has(&**disk, &files.dir.join(file))? {
            moves.set_aside(None, file);
        }
    }
    repair.quarantined = moves.from();
    for name in disk.list(&staging)? {
        let name = name.to_string_lossy();
        match &*name {
            journal::FILE | format::FILE => moves.put(&name, &name),
            _ => moves.put(&name, &format!("metadata/{name}")),
        }
    }
    Ok(Plan {
        repair,
        moves: moves.moves,
    })
}

/// Describes the state that is restored, as far as it is known.
fn describe(files: &StoreFiles, remains: &Remains, state: &State) -> Repair {
    let reached = state.ledger.number;
    let known = remains.known;
    let missing_commits = known.number.saturating_sub(reached);
    let tables = match &remains.newest_ledger {
        Some(newest) if newest.number > reached => newest.differences(&state.ledger.count()),
        _ => state.missing.clone(),
    };
    let may_have_lost_commits = if remains.is_newest_known {
        known.control > state.ledger.control
    } else {
        // Commits may have been cut off without a trace.
        let is_end_known = state.source == Source::Database
            && state.end.broken.is_none()
            && !state.end.is_torn
            && missing_commits == 0;
        !is_end_known
    };
    Repair {
        findings: remains.findings.clone(),
        source: Some(state.source),
        engine: files.engine.to_string(),
        reached,
        newest: known.number,
        is_newest_known: remains.is_newest_known,
        missing_commits,
        tables,
        missing_journal_bytes: 0,
        control_state_is_older: !state.is_whole() || may_have_lost_commits,
        quarantined: Vec::new(),
    }
}

/// Writes the journal anew: the authentic part of the old one, and `lines` behind it.
fn write_journal(
    disk: &dyn Disk,
    old: &Path,
    staging: &Path,
    authentic: JournalMark,
    lines: &[u8],
) -> Result<()> {
    let new = disk.create(&staging.join(journal::FILE))?;
    let mut offset = 0;
    if let Some(old) = disk::open_if_present(disk, old, Access::Read)? {
        while offset < authentic.length {
            let bytes = (authentic.length - offset).min(COPY_BYTES);
            let mut buffer = vec![0; usize::try_from(bytes).unwrap_or_default()];
            old.read_at(offset, &mut buffer)?;
            new.write_at(offset, &buffer)?;
            offset += bytes;
        }
    }
    new.write_at(offset, lines)?;
    Ok(new.sync()?)
}

/// Removes the files of a repair that was interrupted before its plan was written. Their sources are still there.
fn clear(disk: &dyn Disk, staging: &Path) -> Result<()> {
    for name in disk.list(staging)? {
        let path = staging.join(&name);
        if path.is_dir() {
            fs_err::remove_dir_all(path)?;
        } else {
            disk.remove(&path)?;
        }
    }
    Ok(())
}

fn has(disk: &dyn Disk, path: &Path) -> Result<bool> {
    let names = disk.list(disk::parent(path))?;
    Ok(names
        .iter()
        .any(|name| Some(name.as_os_str()) == path.file_name()))
}

/// The moves of a plan in the making.
struct Moves {
    moves: Vec<(String, String)>,
    since: i64,
}

impl Moves {
    /// Starts without moves. Files that are set aside count as in quarantine since `now`, or a little later if their
    /// names would not be unique otherwise.
    fn new(files: &StoreFiles, now: i64) -> Result<Self> {
        let mut since = now;
        let quarantined = files.disk.list(&files.dir.join(Quarantine::DIR))?;
        let is_taken = |since: i64| {
            let end = format!(".{since}");
            let ends_so = |name: &OsStr| name.to_string_lossy().ends_with(&end);
            quarantined.iter().any(|name| ends_so(name))
        };
        while is_taken(since) {
            since += 1;
        }
        Ok(Self {
            moves: Vec::new(),
            since,
        })
    }

    fn set_aside(&mut self, set: Option<&str>, name: &str) {
        let from = match set {
            Some(set) => format!("{set}/{name}"),
            None => name.to_owned(),
        };
        self.moves
            .push((from, Quarantine::name(set, name, self.since)));
    }

    fn put(&mut self, staged: &str, to: &str) {
        self.moves.push((format!("{DIR}/{staged}"), to.to_owned()));
    }

    fn from(&self) -> Vec<String> {
        self.moves.iter().map(|(from, _)| from.clone()).collect()
    }
}

impl Plan {
    /// Reads the plan that was being carried out. Returns `None` if there is no authentic plan.
    fn read(files: &StoreFiles) -> Result<Option<Self>> {
        let path = files.dir.join(DIR).join(PLAN);
        let bytes = disk::read(&*files.disk, &path)?.unwrap_or_default();
        let Some((tag, plan)) = bytes.split_at_checked(TAG_LEN) else {
            return Ok(None);
        };
        if !files.authenticator.is_tag(tag, Label::Plan, &[plan]) {
            return Ok(None);
        }
        Ok(serde_json::from_slice(plan).ok())
    }

    fn write(&self, files: &StoreFiles) -> Result<()> {
        let plan = serde_json::to_vec(self).map_err(std::io::Error::from)?;
        let tag = files.authenticator.tag(Label::Plan, &[&plan]);
        let path = files.dir.join(DIR).join(PLAN);
        let bytes = [tag.as_slice(), &plan].concat();
        Ok(disk::replace(&*files.disk, &path, &bytes)?)
    }

    fn carry_out(self, files: &StoreFiles) -> Result<Repair> {
        let StoreFiles { disk, dir, .. } = files;
        let dirs = [dir.join(Quarantine::DIR), files.metadata(), dir.clone()];
        for dir in &dirs {
            disk.create_dir(dir)?;
        }
        let (puts, set_aside): (Vec<_>, Vec<_>) = self
            .moves
            .iter()
            .partition(|(from, _)| Path::new(from).starts_with(DIR));
        // No new file takes the place of an old file before the old one is durably in quarantine.
        for moves in [set_aside, puts] {
            for (from, to) in moves {
                let (from, to) = (dir.join(from), dir.join(to));
                if has(&**disk, &from)? && !has(&**disk, &to)? {
                    disk.rename(&from, &to)?;
                }
            }
            for dir in &dirs {
                disk.sync_dir(dir)?;
            }
        }
        Ok(self.repair)
    }
}
