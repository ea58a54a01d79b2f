use std::{ffi::OsStr, path::Path};

use serde::{Deserialize, Serialize};

use super::report::Repair;
use crate::{
    Result,
    authentication::{Label, TAG_LEN},
    disk,
    quarantine::Quarantine,
    store_files::{REPAIR_DIR, StoreFiles},
};

/// The moves that complete a repair, with its report.
#[derive(Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) repair: Repair,
    /// Old and new paths below the data directory, in order. A move is due while only the old path exists.
    moves: Vec<(String, String)>,
}

impl Plan {
    pub(super) fn new(repair: Repair, moves: Moves) -> Self {
        Self {
            repair,
            moves: moves.moves,
        }
    }

    /// Reads the plan of an interrupted repair. Returns `None` if there is no authentic plan.
    pub(super) fn read(files: &StoreFiles) -> Result<Option<Self>> {
        let bytes = disk::read(&*files.disk, &files.repair_plan())?.unwrap_or_default();
        let Some((tag, plan)) = bytes.split_at_checked(TAG_LEN) else {
            return Ok(None);
        };
        if !files.authenticator.is_tag(tag, Label::RepairPlan, &[plan]) {
            return Ok(None);
        }
        Ok(serde_json::from_slice(plan).ok())
    }

    pub(super) fn write(&self, files: &StoreFiles) -> Result<()> {
        let plan = serde_json::to_vec(self).map_err(std::io::Error::from)?;
        let tag = files.authenticator.tag(Label::RepairPlan, &[&plan]);
        let bytes = [tag.as_slice(), &plan].concat();
        Ok(disk::replace(&*files.disk, &files.repair_plan(), &bytes)?)
    }

    /// Makes the moves that are still due, and returns the report.
    pub(super) fn carry_out(self, files: &StoreFiles) -> Result<Repair> {
        let StoreFiles { disk, dir, .. } = files;
        let dirs = [dir.join(Quarantine::DIR), files.metadata(), dir.clone()];
        for dir in &dirs {
            disk.create_dir(dir)?;
        }
        let (new, old): (Vec<_>, Vec<_>) = self
            .moves
            .iter()
            .partition(|(from, _)| Path::new(from).starts_with(REPAIR_DIR));
        // All old files are durably in quarantine before new files take their places.
        for moves in [old, new] {
            for (from, to) in moves {
                let (from, to) = (dir.join(from), dir.join(to));
                if files.exists(&from)? && !files.exists(&to)? {
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

/// The moves of a plan that is being prepared.
pub(super) struct Moves {
    moves: Vec<(String, String)>,
    /// The time in the names of the quarantined files.
    pub(super) since: i64,
}

impl Moves {
    /// Starts without moves. The time of the quarantine is `now`, or a little later where that makes the names unique.
    pub(super) fn new(files: &StoreFiles, now: i64) -> Result<Self> {
        let mut since = now;
        let quarantined = files.disk.list(&files.dir.join(Quarantine::DIR))?;
        let is_used = |since: i64| {
            let suffix = format!(".{since}");
            let has_suffix = |name: &OsStr| name.to_string_lossy().ends_with(&suffix);
            quarantined.iter().any(|name| has_suffix(name))
        };
        while is_used(since) {
            since += 1;
        }
        Ok(Self {
            moves: Vec::new(),
            since,
        })
    }

    /// Moves the file `name` of a directory, or of the data directory itself, into quarantine.
    pub(super) fn quarantine(&mut self, dir: Option<&str>, name: &str) {
        let from = match dir {
            Some(dir) => format!("{dir}/{name}"),
            None => name.to_owned(),
        };
        self.moves
            .push((from, Quarantine::path_of(dir, name, self.since)));
    }

    /// Moves a staged file to `to`.
    pub(super) fn put(&mut self, staged: &str, to: &str) {
        self.moves
            .push((format!("{REPAIR_DIR}/{staged}"), to.to_owned()));
    }

    /// Returns the old paths.
    pub(super) fn sources(&self) -> Vec<String> {
        self.moves.iter().map(|(from, _)| from.clone()).collect()
    }
}
