use std::{marker::PhantomData, ops::Deref};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Error, Result,
    metadata::{Changes, Expectation},
    removals::Removal,
};

/// The maximum length of key and value together, in bytes. Either engine can hold it: above some 4 KiB, sled moves
/// pages into files that it never syncs.
const RECORD_LIMIT: usize = 4000;

/// Separates the parts of a key; no part contains it.
pub(crate) const SEPARATOR: u8 = 0;

/// A named set of records of one type. A key has one or more parts.
pub struct Table<T> {
    name: &'static str,
    control: bool,
    records: PhantomData<fn() -> T>,
}

impl<T> Table<T> {
    /// Records that decide who may use which key: a change raises the epoch.
    pub const fn control(name: &'static str) -> Self {
        Self {
            name,
            control: true,
            records: PhantomData,
        }
    }

    /// Records that decide nothing about access.
    pub const fn content(name: &'static str) -> Self {
        Self {
            name,
            control: false,
            records: PhantomData,
        }
    }

    pub(crate) fn key(&self, parts: &[&str]) -> Vec<u8> {
        key_of(self.name, parts)
    }

    pub(crate) fn prefix(&self, parts: &[&str]) -> Vec<u8> {
        let mut prefix = self.key(parts);
        prefix.push(SEPARATOR);
        prefix
    }
}

pub(crate) fn key_of(name: &str, parts: &[&str]) -> Vec<u8> {
    debug_assert!(
        parts
            .iter()
            .all(|part| !part.as_bytes().contains(&SEPARATOR))
    );
    let mut key = name.as_bytes().to_vec();
    for part in parts {
        key.push(SEPARATOR);
        key.extend_from_slice(part.as_bytes());
    }
    key
}

/// The first key behind all those that begin with `prefix`.
pub(crate) fn end_of(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    if let Some(last) = end.last_mut() {
        *last = SEPARATOR + 1;
    }
    end
}

pub(crate) fn readable(key: &[u8]) -> String {
    String::from_utf8_lossy(key).replace(char::from(SEPARATOR), "/")
}

/// A stored value, and the bytes that a later commit can expect to find unchanged.
#[derive(Clone, Debug)]
pub struct Record<T> {
    /// The value.
    pub value: T,
    raw: Vec<u8>,
}

impl<T: DeserializeOwned> Record<T> {
    pub(crate) fn decode(key: &[u8], raw: Vec<u8>) -> Result<Self> {
        match serde_json::from_slice(&raw) {
            Ok(value) => Ok(Self { value, raw }),
            Err(error) => Err(Error::Damaged {
                key: readable(key),
                why: error.to_string(),
            }),
        }
    }
}

impl<T> Deref for Record<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// A record that a scan found.
#[derive(Clone, Debug)]
pub struct Entry<T> {
    /// The parts of its key behind the scan's prefix.
    pub key: Vec<String>,
    /// The record.
    pub record: Record<T>,
}

impl<T: DeserializeOwned> Entry<T> {
    pub(crate) fn decode(prefix: &[u8], key: &[u8], raw: Vec<u8>) -> Result<Self> {
        let parts = key.strip_prefix(prefix).unwrap_or(key);
        Ok(Self {
            key: parts
                .split(|byte| *byte == SEPARATOR)
                .map(|part| String::from_utf8_lossy(part).into_owned())
                .collect(),
            record: Record::decode(key, raw)?,
        })
    }
}

/// Puts and deletes that happen together or not at all, if all expectations hold.
#[derive(Default)]
pub struct Batch {
    changes: Changes,
    pub(crate) removals: Vec<Removal>,
}

impl Batch {
    /// A batch without changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a record.
    ///
    /// # Panics
    /// If `value` cannot be written as JSON, which no record's type allows.
    #[must_use]
    #[expect(clippy::expect_used, reason = "records are plain data")]
    pub fn put<T: Serialize>(mut self, table: &Table<T>, key: &[&str], value: &T) -> Self {
        let raw = serde_json::to_vec(value).expect("a record is plain data");
        self.changes.puts.push((table.key(key), raw));
        self.changes.control |= table.control;
        self
    }

    /// Removes a record, if it is there.
    #[must_use]
    pub fn delete<T>(mut self, table: &Table<T>, key: &[&str]) -> Self {
        self.changes.deletes.push(table.key(key));
        self.changes.control |= table.control;
        self
    }

    /// Expects that the record is still the one that was read.
    #[must_use]
    pub fn expect<T>(mut self, table: &Table<T>, key: &[&str], record: &Record<T>) -> Self {
        let unchanged = Expectation::Unchanged(record.raw.clone());
        self.changes.expectations.push((table.key(key), unchanged));
        self
    }

    /// Expects that there is a record, whatever its value.
    #[must_use]
    pub fn expect_present<T>(mut self, table: &Table<T>, key: &[&str]) -> Self {
        self.changes
            .expectations
            .push((table.key(key), Expectation::Present));
        self
    }

    /// Expects that there is no record.
    #[must_use]
    pub fn expect_absent<T>(mut self, table: &Table<T>, key: &[&str]) -> Self {
        self.changes
            .expectations
            .push((table.key(key), Expectation::Absent));
        self
    }

    /// Expects what was read: the unchanged record, or that there is still none.
    #[must_use]
    pub fn expect_same<T>(self, table: &Table<T>, key: &[&str], read: Option<&Record<T>>) -> Self {
        match read {
            Some(record) => self.expect(table, key, record),
            None => self.expect_absent(table, key),
        }
    }

    /// Appends a line to the journal, if the batch is committed.
    #[must_use]
    pub fn record(mut self, event: &impl Serialize) -> Self {
        self.changes.lines.push(line(event));
        self
    }

    /// Returns true if a commit of it would change nothing.
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
pub(crate) fn line(event: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(event).expect("an event is plain data");
    line.push(b'\n');
    line
}
