//! Inspection and repair of a data directory that no process uses.
//!
//! A repair restores the best state that the remains allow. It first writes new files to the directory `repair`, and
//! then a plan: the old files to quarantine, and the new files to put in their places. Until the plan is written, the
//! old files are unchanged. Afterwards the store cannot be opened until the repair is finished, and an interrupted
//! repair continues at any point of the plan.

mod journal_restoration;
mod plan;
mod report;

use std::path::Path;

use uuid::Uuid;

pub use self::report::Repair;
use self::{
    journal_restoration::JournalRestoration,
    plan::{Moves, Plan},
};
pub use crate::metadata::{ledger::TableDifference, state::Source};
use crate::{
    Error, Result,
    disk::{self, Access, Disk},
    format::{self, Format},
    journal,
    metadata::{
        EngineKind,
        ledger::Ledger,
        log::Log,
        newest::{self, Acknowledged, Newest},
        recovery,
        remains::Remains,
        state::State,
    },
    quarantine::Quarantine,
    store::Store,
    store_files::{REPAIR_DIR, StoreFiles},
};

/// The result of an inspection.
pub struct Inspection {
    /// The findings on damaged or missing parts of the metadata and the journal, one sentence each.
    pub findings: Vec<String>,
    /// The best state that can be restored, if there is any: its records in memory, and the objects and notes on disk.
    /// Changes made to it do not reach the disk's records.
    pub store: Option<Store>,
}

/// Inspects a store that no process uses, and changes nothing. Returns the findings on damaged or missing parts, one
/// sentence each.
///
/// # Errors
/// If the disk fails, or the directory has another format.
pub fn check_offline(files: &StoreFiles) -> Result<Vec<String>> {
    Ok(inspect(files)?.findings)
}

/// Inspects a store that no process uses, and changes nothing.
///
/// # Errors
/// If the disk fails, or the directory has another format.
pub fn inspect(files: &StoreFiles) -> Result<Inspection> {
    let remains = Remains::examine(files)?;
    let mut findings = remains.findings;
    if files.is_repair_unfinished()? {
        let unfinished = Error::RepairUnfinished(files.dir.display().to_string());
        findings.insert(0, unfinished.to_string());
    }
    let store = remains.best.map(|state| {
        let opened = state.records.0.into_iter().filter_map(|(key, sealed)| {
            let value = files.authenticator.open(&key, &sealed)?.to_vec();
            Some((key, value))
        });
        Store::inspect(files, opened.collect())
    });
    Ok(Inspection { findings, store })
}

/// Returns the engine that wrote a data directory, if the directory shows it, and otherwise the engine of `files`.
///
/// # Errors
/// If the disk fails, or the directory has another format.
pub fn detect_engine(files: &StoreFiles) -> Result<EngineKind> {
    if let (Some(format), _) = Format::examine(files)? {
        return Ok(format.engine);
    }
    let names = files.disk.list(&files.metadata())?;
    let exists = |kind: &EngineKind| names.iter().any(|name| name == kind.file_name());
    let existing: Vec<EngineKind> = EngineKind::ALL.into_iter().filter(exists).collect();
    match existing[..] {
        [only] => Ok(only),
        _ => Ok(files.engine),
    }
}

/// Restores the metadata of a store that no process uses, at `now`, in seconds since 1970. Replaced files are
/// quarantined. If nothing is wrong, nothing is changed. Otherwise only [`Store::open_repaired`] opens the store until
/// [`finish_repair`].
///
/// # Errors
/// If the disk fails, the directory has another format, or nothing can be restored.
pub fn repair(files: &StoreFiles, now: i64) -> Result<Repair> {
    if let Some(plan) = Plan::read(files)? {
        return plan.carry_out(files);
    }
    let remains = Remains::examine(files)?;
    // Even a plan that is not authentic keeps the store closed.
    if remains.findings.is_empty() && !files.is_repair_unfinished()? {
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

/// Allows the store to be opened again after a repair. The caller must first revoke all access that an outdated state
/// may permit.
///
/// # Errors
/// If the disk fails.
pub fn finish_repair(files: &StoreFiles) -> Result<()> {
    let dir = files.repair_dir();
    if disk::remove_if_present(&*files.disk, &files.repair_plan())? {
        files.disk.sync_dir(&dir)?;
    }
    // The directory is empty. A simulated disk does not have it here.
    let _ = std::fs::remove_dir(dir);
    Ok(())
}

/// Writes the new files, and plans how they take their places.
fn prepare(files: &StoreFiles, mut remains: Remains, now: i64) -> Result<Plan> {
    let StoreFiles {
        disk,
        authenticator,
        ..
    } = files;
    let Some(state) = remains.best.take() else {
        return Err(match remains.format {
            Some(_) => Error::NothingToRestore(files.dir.display().to_string()),
            // Nothing confirms the key, not even the file `format`.
            None => Error::KeyForeign {
                format: format::path(&files.dir),
            },
        });
    };
    let staging = files.repair_dir();
    disk.create_dir(&staging)?;
    let mut moves = Moves::new(files, now)?;
    let plan = files.repair_plan();
    if files.exists(&plan)? {
        // The plan is not authentic.
        disk.create_dir(&files.dir.join(Quarantine::DIR))?;
        let name = plan.file_name().unwrap_or_default().to_string_lossy();
        let quarantined = Quarantine::path_of(Some(REPAIR_DIR), &name, moves.since);
        disk.rename(&plan, &files.dir.join(quarantined))?;
    }
    remove_staged_files(&**disk, &staging)?;

    let mut repair = describe(files, &remains, &state);
    let newest = Acknowledged {
        // The number exceeds all others, so that a quarantined file is never taken for a newer one.
        number: repair.newest.max(repair.reached) + 1,
        control: remains.known.control.max(state.ledger.control),
    };
    let store = remains.store.unwrap_or_else(Uuid::new_v4);
    let journal = JournalRestoration::find(files, &remains, &state)?;
    repair.missing_journal_bytes = journal.missing_bytes;

    let log = Log::create(&**disk, &staging, newest.number, store, authenticator)?;
    let mut ledger: Ledger = state.ledger;
    ledger.store = store;
    ledger.number = newest.number;
    ledger.control = newest.control;
    ledger.log = log.position();
    (ledger.journal_files, ledger.journal) = journal.stage(&**disk, &staging)?;
    recovery::create_with_records(files, &staging, &ledger, &state.records.0)?;
    Newest::open(&**disk, &staging, store, authenticator)?.write(newest)?;
    disk.open(&staging.join(newest::FILE), Access::Write)?
        .sync()?;
    let format = Format {
        store,
        engine: files.engine,
    };
    let is_format_intact = remains.format == Some(format);
    if !is_format_intact {
        format.write(&**disk, &staging, authenticator)?;
    }

    for name in disk.list(&files.metadata())? {
        moves.quarantine(Some("metadata"), &name.to_string_lossy());
    }
    for start in journal.replaced() {
        moves.quarantine(None, &journal::file_name(*start));
    }
    if !is_format_intact && files.exists(&format::path(&files.dir))? {
        moves.quarantine(None, format::FILE);
    }
    repair.quarantined = moves.sources();
    for name in disk.list(&staging)? {
        let is_top = name == format::FILE || journal::start_of(&name).is_some();
        let name = name.to_string_lossy();
        if is_top {
            moves.put(&name, &name);
        } else {
            moves.put(&name, &format!("metadata/{name}"));
        }
    }
    Ok(Plan::new(repair, moves))
}

/// Describes the restored state.
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
        // The newest commits may have been cut off without a trace.
        let is_end_known = state.source == Source::Database
            && state.log_end.damage.is_none()
            && !state.log_end.is_torn
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
        control_state_is_older: !state.is_complete() || may_have_lost_commits,
        quarantined: Vec::new(),
    }
}

/// Removes the staged files of a repair that was interrupted before it wrote its plan.
fn remove_staged_files(disk: &dyn Disk, staging: &Path) -> Result<()> {
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
