use sealock_core::ObjectId;
use serde::Serialize;

use crate::{
    Error, Result,
    key::readable,
    metadata::{Changes, Expectation},
    objects::ObjectSet,
    table::{Record, Table},
};

/// The maximum length of a key and its value together, in bytes. Either engine can hold it: above some 4 KiB, sled
/// moves pages into files that it never syncs.
const RECORD_LIMIT: usize = 4000;

/// The objects to remove. A removal has a record until it is complete.
pub(crate) const REMOVALS: Table<()> = Table::content("removals");

/// An object to remove.
pub(crate) type Removal = (ObjectSet, ObjectId);

/// Puts, deletes and journal lines that take effect together if all expectations hold, and not at all otherwise.
#[derive(Default)]
pub struct Batch {
    changes: Changes,
    removals: Vec<Removal>,
}

impl Batch {
    /// Creates a batch without changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a record.
    ///
    /// # Panics
    /// If `value` cannot be written as JSON. No record's type allows that.
    #[must_use]
    #[expect(clippy::expect_used, reason = "records are plain data")]
    pub fn put<T: Serialize>(mut self, table: &Table<T>, key: &[&str], value: &T) -> Self {
        let raw = serde_json::to_vec(value).expect("a record is plain data");
        self.changes.puts.push((table.key(key), raw));
        self.changes.is_control |= table.is_control;
        self
    }

    /// Deletes a record, if it exists.
    #[must_use]
    pub fn delete<T>(mut self, table: &Table<T>, key: &[&str]) -> Self {
        self.changes.deletes.push(table.key(key));
        self.changes.is_control |= table.is_control;
        self
    }

    /// Expects the record to be unchanged since it was read.
    #[must_use]
    pub fn expect<T>(mut self, table: &Table<T>, key: &[&str], record: &Record<T>) -> Self {
        let unchanged = Expectation::Unchanged(record.raw.clone());
        self.changes.expectations.push((table.key(key), unchanged));
        self
    }

    /// Expects a record under `key`, with any value.
    #[must_use]
    pub fn expect_present<T>(mut self, table: &Table<T>, key: &[&str]) -> Self {
        self.changes
            .expectations
            .push((table.key(key), Expectation::Present));
        self
    }

    /// Expects no record under `key`.
    #[must_use]
    pub fn expect_absent<T>(mut self, table: &Table<T>, key: &[&str]) -> Self {
        self.changes
            .expectations
            .push((table.key(key), Expectation::Absent));
        self
    }

    /// Expects the result of an earlier read: the unchanged record, or still none.
    #[must_use]
    pub fn expect_same<T>(self, table: &Table<T>, key: &[&str], read: Option<&Record<T>>) -> Self {
        match read {
            Some(record) => self.expect(table, key, record),
            None => self.expect_absent(table, key),
        }
    }

    /// Appends an event to the journal.
    #[must_use]
    pub fn journal(mut self, event: &impl Serialize) -> Self {
        self.changes.lines.push(json_line(event));
        self
    }

    /// Removes an object after the commit.
    #[must_use]
    pub fn remove(self, set: ObjectSet, object: ObjectId) -> Self {
        let mut batch = self.put(&REMOVALS, &[set.name(), &object.to_string()], &());
        batch.removals.push((set, object));
        batch
    }

    /// Returns true if the batch changes nothing.
    pub fn is_empty(&self) -> bool {
        self.changes.is_only_lines() && self.changes.lines.is_empty()
    }

    pub(crate) fn into_changes(self) -> Result<(Changes, Vec<Removal>)> {
        for (key, value) in &self.changes.puts {
            let bytes = key.len() + value.len();
            if bytes > RECORD_LIMIT {
                return Err(Error::RecordTooLarge {
                    key: readable(key),
                    bytes,
                    limit: RECORD_LIMIT,
                });
            }
        }
        Ok((self.changes, self.removals))
    }
}

/// Encodes an event as a line of the journal.
#[expect(clippy::expect_used, reason = "events are plain data")]
pub(crate) fn json_line(event: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(event).expect("an event is plain data");
    line.push(b'\n');
    line
}
