//! The states that metadata can be brought to, and the choice of one of them.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    engine::Records,
    ledger::{Count, Ledger, TableDifference},
    log::LogPosition,
};
use crate::{Result, journal::JournalMark, table::SEPARATOR};

/// The source that metadata is restored from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The database, whole as of its last checkpoint or the one before, and the commit log.
    Database,
    /// A whole copy, which has everything up to a commit, and the commit log.
    Copy(u64),
    /// The records of a damaged database whose tags are right.
    PartOfDatabase,
    /// The records of a damaged copy whose tags are right.
    PartOfCopy(u64),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database => f.write_str("the database and the commit log"),
            Self::Copy(number) => write!(f, "the copy of commit {number} and the commit log"),
            Self::PartOfDatabase => f.write_str("what could be read of the database"),
            Self::PartOfCopy(number) => {
                write!(f, "what could be read of the copy of commit {number}")
            }
        }
    }
}

/// All records as some commit left them.
pub(crate) struct State {
    pub(crate) source: Source,
    pub(crate) ledger: Ledger,
    /// True if the ledger is the one that was written, and not made up from the records.
    pub(crate) has_ledger: bool,
    pub(crate) records: Map,
    /// The end of the journal before the commits of the log.
    pub(crate) begins: JournalMark,
    /// The ledger as it was written, if the state may lack records.
    expected: Option<Ledger>,
    /// The tables that have other records than they should, apart from later commits.
    pub(crate) missing: Vec<TableDifference>,
    pub(crate) end: End,
}

/// The end of the commit log that leads on from a state.
#[derive(Clone, Debug, Default)]
pub(crate) struct End {
    /// The damage that ends the log early, if there is any.
    pub(crate) broken: Option<String>,
    /// True if something that is no entry lies behind the last entry.
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
    /// Makes the state of a whole database or copy.
    pub(crate) fn whole(source: Source, ledger: Ledger, records: Map) -> Self {
        Self {
            source,
            begins: ledger.journal,
            ledger,
            has_ledger: true,
            records,
            expected: None,
            missing: Vec::new(),
            end: End::default(),
        }
    }

    /// Makes a state of some records, if there are any.
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
            begins: ledger.journal,
            ledger,
            has_ledger,
            records,
            expected,
            missing,
            end: End::default(),
        })
    }

    /// Returns true if the state has everything that there was at some time.
    pub(crate) fn is_whole(&self) -> bool {
        self.has_ledger && self.missing.is_empty()
    }
}

/// Fills the gaps of states that are not whole with the records of whole copies. The ledgers of these states tell if
/// that makes them whole.
pub(crate) fn fill(states: &mut [State]) {
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

/// Chooses the whole state that reaches furthest, or a state that is not whole but reaches further and has at least
/// as many records.
pub(crate) fn choose(states: Vec<State>) -> Option<State> {
    let mut best: Option<State> = None;
    for state in states {
        let rank = |state: &State| (state.ledger.number, state.records.0.len());
        let is_better = |whole: &State, part: &State| {
            part.ledger.number > whole.ledger.number
                && part.records.0.len() >= whole.records.0.len()
        };
        let is_better = match &best {
            None => true,
            Some(best) if best.is_whole() && state.is_whole() => {
                state.ledger.number > best.ledger.number
            }
            Some(best) if best.is_whole() => is_better(best, &state),
            Some(best) if state.is_whole() => !is_better(&state, best),
            Some(best) => rank(&state) > rank(best),
        };
        if is_better {
            best = Some(state);
        }
    }
    best
}
