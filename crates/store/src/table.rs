use std::{marker::PhantomData, ops::Deref};

use serde::de::DeserializeOwned;

use crate::{
    Error, Result,
    key::{SEPARATOR, encode, readable},
};

/// A named set of records of one type. A record's key has one or more segments.
pub struct Table<T> {
    name: &'static str,
    pub(crate) is_control: bool,
    records: PhantomData<fn() -> T>,
}

impl<T> Table<T> {
    /// Declares a table whose records decide who may use which key. A change raises the epoch.
    pub const fn control(name: &'static str) -> Self {
        Self {
            name,
            is_control: true,
            records: PhantomData,
        }
    }

    /// Declares a table whose records do not affect access.
    pub const fn content(name: &'static str) -> Self {
        Self {
            name,
            is_control: false,
            records: PhantomData,
        }
    }

    /// Returns its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn key(&self, segments: &[&str]) -> Vec<u8> {
        encode(self.name, segments)
    }

    pub(crate) fn prefix(&self, segments: &[&str]) -> Vec<u8> {
        let mut prefix = self.key(segments);
        prefix.push(SEPARATOR);
        prefix
    }
}

impl<T> PartialEq for Table<T> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// A stored value, with the bytes that a later commit can expect to find unchanged.
#[derive(Clone, Debug)]
pub struct Record<T> {
    /// The value.
    pub value: T,
    pub(crate) raw: Vec<u8>,
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
    /// The segments of its key after the scan's prefix.
    pub key: Vec<String>,
    /// The record.
    pub record: Record<T>,
}

impl<T: DeserializeOwned> Entry<T> {
    pub(crate) fn decode(prefix: &[u8], key: &[u8], raw: Vec<u8>) -> Result<Self> {
        let segments = key.strip_prefix(prefix).unwrap_or(key);
        Ok(Self {
            key: segments
                .split(|byte| *byte == SEPARATOR)
                .map(|segment| String::from_utf8_lossy(segment).into_owned())
                .collect(),
            record: Record::decode(key, raw)?,
        })
    }
}
