use serde::{Deserialize, Serialize};

use crate::metadata::{ledger::TableDifference, state::Source};

/// The report of a repair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    /// The findings, one sentence each.
    pub findings: Vec<String>,
    /// The source from which the metadata was restored; `None` if nothing was wrong and nothing was changed.
    pub source: Option<Source>,
    /// The engine that now holds the metadata.
    pub engine: String,
    /// The number of the newest restored commit.
    pub reached: u64,
    /// The number of the newest known commit.
    pub newest: u64,
    /// True if the file `newest` could be read. Otherwise newer commits may have existed.
    pub is_newest_known: bool,
    /// The number of known commits that are missing.
    pub missing_commits: u64,
    /// The tables whose records are known to differ from the expected ones.
    pub tables: Vec<TableDifference>,
    /// The number of lost journal bytes, as far as the length of the journal is known.
    pub missing_journal_bytes: u64,
    /// True if the restored vaults, keys, policies, identities, roles or networks may be outdated. They may permit what
    /// was revoked later.
    pub control_state_is_older: bool,
    /// The former paths of the files that were quarantined.
    pub quarantined: Vec<String>,
}

impl Repair {
    /// Returns true if the repair changed anything.
    pub fn is_done(&self) -> bool {
        self.source.is_some()
    }
}
