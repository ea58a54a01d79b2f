use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    engine::Records,
    log::{LogEntry, LogPosition},
    newest::Acknowledged,
};
use crate::{
    Result,
    authentication::{Authenticator, TAG_LEN, Tag},
    journal::JournalMark,
    key::SEPARATOR,
};

/// The key of the ledger among the records. No table has an empty name.
pub(crate) const LEDGER: &[u8] = b"\0ledger";

/// The expected content of the database, table by table. It reveals a missing record, and an outdated record in place
/// of a newer one, even if the tag of each record is valid.
///
/// The ledger is itself a record, which each write updates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ledger {
    /// The id of the store. The data directory's `format` file repeats it.
    pub(crate) store: Uuid,
    /// The number of the newest commit. They are numbered without gaps.
    pub(crate) number: u64,
    /// The number of commits so far that changed who may use which key.
    pub(crate) control: u64,
    /// The position in the commit log after that commit.
    pub(crate) log: LogPosition,
    /// The end of the journal after that commit.
    pub(crate) journal: JournalMark,
    /// The marks at which the journal's files start. From the first of them on, the journal's lines are authenticated
    /// though the earlier ones are gone.
    pub(crate) journal_files: Vec<JournalMark>,
    tables: BTreeMap<String, Account>,
}

/// The number of records in a table and the sum of their tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Account {
    count: u64,
    sum: [u64; 2],
}

impl Account {
    fn add(&mut self, tag: Tag) {
        self.count += 1;
        for (sum, half) in self.sum.iter_mut().zip(halves(tag)) {
            *sum = sum.wrapping_add(half);
        }
    }

    fn remove(&mut self, tag: Tag) {
        self.count = self.count.wrapping_sub(1);
        for (sum, half) in self.sum.iter_mut().zip(halves(tag)) {
            *sum = sum.wrapping_sub(half);
        }
    }
}

fn halves(tag: Tag) -> [u64; 2] {
    let tag = u128::from_be_bytes(tag);
    #[expect(clippy::cast_possible_truncation, reason = "the lower half is wanted")]
    let lower = tag as u64;
    [(tag >> 64) as u64, lower]
}

/// The accounts of records that were counted one by one.
#[derive(Clone, Default)]
pub(crate) struct Count(BTreeMap<String, Account>);

impl Count {
    pub(crate) fn add(&mut self, key: &[u8], sealed: &[u8]) {
        self.0.entry(table(key)).or_default().add(tag(sealed));
    }
}

impl Ledger {
    /// Creates the ledger of a new store.
    pub(crate) fn new(store: Uuid, log: LogPosition) -> Self {
        Self {
            store,
            number: 0,
            control: 0,
            log,
            journal: JournalMark::default(),
            journal_files: vec![JournalMark::default()],
            tables: BTreeMap::new(),
        }
    }

    /// Writes a sealed record and accounts for it.
    pub(crate) fn put(
        &mut self,
        records: &mut dyn Records,
        key: &[u8],
        sealed: &[u8],
    ) -> Result<()> {
        let replaced = records.put(key, sealed)?;
        let account = self.tables.entry(table(key)).or_default();
        if let Some(replaced) = replaced {
            account.remove(tag(&replaced));
        }
        account.add(tag(sealed));
        Ok(())
    }

    /// Deletes a record and accounts for it.
    pub(crate) fn delete(&mut self, records: &mut dyn Records, key: &[u8]) -> Result<()> {
        let Some(removed) = records.delete(key)? else {
            return Ok(());
        };
        let table = table(key);
        let account = self.tables.entry(table.clone()).or_default();
        account.remove(tag(&removed));
        if *account == Account::default() {
            self.tables.remove(&table);
        }
        Ok(())
    }

    /// Applies a commit to the records and accounts for it.
    pub(crate) fn apply(&mut self, records: &mut dyn Records, entry: &LogEntry) -> Result<()> {
        for key in &entry.deletes {
            self.delete(records, key)?;
        }
        for (key, sealed) in &entry.puts {
            self.put(records, key, sealed)?;
        }
        self.advance_to(entry);
        Ok(())
    }

    /// Takes over the numbers of a commit whose records are already accounted for.
    pub(crate) fn advance_to(&mut self, entry: &LogEntry) {
        self.number = entry.number;
        self.control = entry.control;
        self.journal = self.journal.after(&entry.lines);
    }

    /// Takes over that another file of the journal has begun. Beyond `limit` files, drops the oldest.
    pub(crate) fn begin_journal_file(&mut self, limit: usize) {
        self.journal_files.push(self.journal);
        let excess = self.journal_files.len().saturating_sub(limit);
        self.journal_files.drain(..excess);
    }

    /// Returns the offset of the journal's first line that is kept.
    pub(crate) fn journal_start(&self) -> u64 {
        let first = self.journal_files.first();
        first.map_or(self.journal.length, |first| first.length)
    }

    /// Returns the numbers of the newest commit.
    pub(crate) fn acknowledged(&self) -> Acknowledged {
        Acknowledged {
            number: self.number,
            control: self.control,
        }
    }

    /// Writes the ledger to the records.
    pub(crate) fn write(
        &self,
        records: &mut dyn Records,
        authenticator: &Authenticator,
    ) -> Result<()> {
        records.put(LEDGER, &self.seal(authenticator)?)?;
        Ok(())
    }

    pub(crate) fn seal(&self, authenticator: &Authenticator) -> Result<Vec<u8>> {
        let value = serde_json::to_vec(self).map_err(std::io::Error::from)?;
        Ok(authenticator.seal(LEDGER, &value))
    }

    /// Opens a sealed ledger; returns `None` if it is not authentic.
    pub(crate) fn open(sealed: &[u8], authenticator: &Authenticator) -> Option<Self> {
        serde_json::from_slice(authenticator.open(LEDGER, sealed)?).ok()
    }

    /// Returns the tables whose counted records differ from the ledger.
    pub(crate) fn differences(&self, found: &Count) -> Vec<TableDifference> {
        let names = self.tables.keys().chain(found.0.keys());
        let names: std::collections::BTreeSet<&String> = names.collect();
        let mut differences = Vec::new();
        for name in names {
            let expected = self.tables.get(name).copied().unwrap_or_default();
            let found = found.0.get(name).copied().unwrap_or_default();
            if expected != found {
                differences.push(TableDifference {
                    table: name.clone(),
                    found: found.count,
                    expected: expected.count,
                });
            }
        }
        differences
    }

    /// Returns the names of the tables.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &String> {
        self.tables.keys()
    }

    /// Returns the accounts of the expected records.
    pub(crate) fn count(&self) -> Count {
        Count(self.tables.clone())
    }

    /// Replaces the accounts with those of counted records.
    pub(crate) fn recount(&mut self, found: Count) {
        self.tables = found.0;
    }
}

/// A table whose records differ from the expected ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDifference {
    /// The table.
    pub table: String,
    /// The number of records in the table.
    pub found: u64,
    /// The expected number of records. If both numbers are equal, some records are outdated.
    pub expected: u64,
}

impl fmt::Display for TableDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            table,
            found,
            expected,
        } = self;
        if found == expected {
            write!(f, "the table '{table}' has an outdated record")
        } else {
            write!(
                f,
                "the table '{table}' has {found} records instead of {expected}"
            )
        }
    }
}

/// Returns the name of the table that a key belongs to.
fn table(key: &[u8]) -> String {
    let name = key.split(|byte| *byte == SEPARATOR).next().unwrap_or(key);
    String::from_utf8_lossy(name).into_owned()
}

fn tag(sealed: &[u8]) -> Tag {
    sealed.first_chunk::<TAG_LEN>().copied().unwrap_or_default()
}
