//! The states to which damaged metadata can be restored, and the choice among them.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    engine::Records,
    ledger::{Count, Ledger, TableDifference},
    log::LogPosition,
};
use crate::{Result, journal::JournalMark, key::SEPARATOR};

/// The source from which metadata is restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The database, undamaged as of one of its last two checkpoints, and the commit log.
    Database,
    /// An undamaged copy with everything up to the commit of this number, and the commit log.
    Copy(u64),
    /// The authentic records of a damaged database.
    PartOfDatabase,
    /// The authentic records of a damaged copy.
    PartOfCopy(u64),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database => f.write_str("the database and the commit log"),
            Self::Copy(number) => write!(f, "the copy of commit {number} and the commit log"),
            Self::PartOfDatabase => f.write_str("the readable part of the database"),
            Self::PartOfCopy(number) => {
                write!(f, "the readable part of the copy of commit {number}")
            }
        }
    }
}

/// All records as of some commit.
pub(crate) struct State {
    pub(crate) source: Source,
    pub(crate) ledger: Ledger,
    /// True if the ledger was read; false if it was reconstructed from the records.
    pub(crate) has_ledger: bool,
    pub(crate) records: Map,
    /// The end of the journal before the first commit of the log.
    pub(crate) journal_start: JournalMark,
    /// The ledger that was read, if records may be missing.
    expected: Option<Ledger>,
    /// The tables whose records differ from the ledger, apart from later commits.
    pub(crate) missing: Vec<TableDifference>,
    pub(crate) log_end: LogEnd,
}

/// The end of the commit log that follows a state.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogEnd {
    /// The damage at which the log ends early, if it does.
    pub(crate) damage: Option<String>,
    /// True if the bytes after the last entry are neither an entry nor zeros.
    pub(crate) is_torn: bool,
}

/// Records in memory.
#[derive(Clone, Default)]
pub(crate) struct Map(pub(crate) BTreeMap<Vec<u8>, Vec<u8>>);

impl Records for Map {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.0.get(key).cloned())
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.0.insert(key.to_vec(), value.to_vec()))
    }

    fn delete(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.0.remove(key))
    }
}

impl Map {
    pub(crate) fn count(&self) -> Count {
        let mut count = Count::default();
        for (key, sealed) in &self.0 {
            count.add(key, sealed);
        }
        count
    }
}

impl State {
    /// Creates the state of an undamaged database or copy.
    pub(crate) fn complete(source: Source, ledger: Ledger, records: Map) -> Self {
        Self {
            source,
            journal_start: ledger.journal,
            ledger,
            has_ledger: true,
            records,
            expected: None,
            missing: Vec::new(),
            log_end: LogEnd::default(),
        }
    }

    /// Creates a state from the records of a damaged source; returns `None` if there are no records.
    pub(crate) fn partial(source: Source, ledger: Option<Ledger>, records: Map) -> Option<Self> {
        if records.0.is_empty() {
            return None;
        }
        let count = records.count();
        let has_ledger = ledger.is_some();
        let expected = ledger.clone();
        let mut ledger = ledger.unwrap_or_else(|| Ledger::new(Uuid::nil(), LogPosition::nowhere()));
        let missing = if has_ledger {
            ledger.differences(&count)
        } else {
            Vec::new()
        };
        ledger.recount(count);
        Some(Self {
            source,
            journal_start: ledger.journal,
            ledger,
            has_ledger,
            records,
            expected,
            missing,
            log_end: LogEnd::default(),
        })
    }

    /// Returns true if no record of the state's commit is missing.
    pub(crate) fn is_complete(&self) -> bool {
        self.has_ledger && self.missing.is_empty()
    }
}

/// Fills the gaps of incomplete states with records of undamaged copies. The ledgers of these states show if that makes
/// them complete.
pub(crate) fn fill_gaps(states: &mut [State]) {
    let is_copy = |state: &&State| matches!(state.source, Source::Copy(_));
    let copies: Vec<(u64, Map)> = states
        .iter()
        .filter(is_copy)
        .map(|copy| (copy.ledger.number, copy.records.clone()))
        .collect();
    for state in states {
        let Some(expected) = &state.expected else {
            continue;
        };
        for (number, copy) in &copies {
            if *number > expected.number || state.missing.is_empty() {
                continue;
            }
            for (key, sealed) in &copy.0 {
                let has_gaps = |gap: &TableDifference| {
                    let rest = key.strip_prefix(gap.table.as_bytes());
                    gap.found < gap.expected
                        && rest.is_some_and(|rest| rest.first() == Some(&SEPARATOR))
                };
                if !state.records.0.contains_key(key) && state.missing.iter().any(has_gaps) {
                    state.records.0.insert(key.clone(), sealed.clone());
                }
            }
            let count = state.records.count();
            state.missing = expected.differences(&count);
            state.ledger.recount(count);
        }
    }
}

/// Chooses the complete state of the newest commit, or an incomplete state of a newer commit with at least as many
/// records.
pub(crate) fn choose_best(states: Vec<State>) -> Option<State> {
    let mut best: Option<State> = None;
    for state in states {
        let rank = |state: &State| (state.ledger.number, state.records.0.len());
        let is_better = |complete: &State, partial: &State| {
            partial.ledger.number > complete.ledger.number
                && partial.records.0.len() >= complete.records.0.len()
        };
        let is_better = match &best {
            None => true,
            Some(best) if best.is_complete() && state.is_complete() => {
                state.ledger.number > best.ledger.number
            }
            Some(best) if best.is_complete() => is_better(best, &state),
            Some(best) if state.is_complete() => !is_better(&state, best),
            Some(best) => rank(&state) > rank(best),
        };
        if is_better {
            best = Some(state);
        }
    }
    best
}
