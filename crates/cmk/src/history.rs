//! The history of a registry's custody: its keys over time, and its revocations.

use std::ops::Bound;

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use sealock_core::{ClientId, Kid, RegistryId};
use sealock_store::{Batch, Store, Table};
use serde::{Deserialize, Serialize};

use crate::{Cause, Custodian, Error, context::Context};

/// Keyed by registry and number.
const HISTORY: Table<CustodyEvent> = Table::content("custody-history");

/// The number of events that are kept of a registry.
const KEPT: u64 = 1000;

/// The history of a registry's custody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustodyHistory {
    /// The events, the oldest first.
    pub events: Vec<CustodyEvent>,
    /// False if older events were dropped.
    pub is_complete: bool,
}

/// An event in the history of a registry's custody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustodyEvent {
    /// Its time.
    pub time: Timestamp,
    /// Its change.
    pub change: CustodyChange,
}

/// A change of a registry's custody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CustodyChange {
    /// A key version wraps the DEK from now on.
    Wrapped {
        /// The key version.
        kid: Kid,
        /// The identity that uses it.
        identity: ClientId,
    },
    /// The registry met a refusal of its key.
    Revoked(Cause),
    /// The registry can use its key again.
    Restored,
}

impl Custodian {
    /// Returns the history of a registry's custody.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn history(&self, registry: RegistryId) -> Result<CustodyHistory, Error> {
        let id = registry.to_string();
        let mut history = CustodyHistory {
            is_complete: true,
            ..CustodyHistory::default()
        };
        let mut entries = self.context.store.scan(&HISTORY, &[&id], Bound::Unbounded);
        while let Some(entry) = entries.try_next().await? {
            if history.events.is_empty() {
                history.is_complete = number(&entry.key) == 0;
            }
            history.events.push(entry.record.value);
        }
        Ok(history)
    }
}

impl Context {
    /// Adds events to a registry's history in `batch`. The caller holds the lock of the custody.
    pub(crate) async fn plan_events(
        &self,
        registry: RegistryId,
        changes: impl IntoIterator<Item = CustodyChange>,
        mut batch: Batch,
    ) -> Result<Batch, Error> {
        let id = registry.to_string();
        let newest = {
            let mut entries = self.store.scan_back(&HISTORY, &[&id], Bound::Unbounded);
            entries.try_next().await?
        };
        let first = newest.map_or(0, |newest| number(&newest.key) + 1);
        for (number, change) in (first..).zip(changes) {
            let event = CustodyEvent {
                time: self.clock.now(),
                change,
            };
            batch = batch.put(&HISTORY, &[&id, &key(number)], &event);
            if let Some(oldest) = number.checked_sub(KEPT) {
                batch = batch.delete(&HISTORY, &[&id, &key(oldest)]);
            }
        }
        Ok(batch)
    }
}

/// Adds to `batch` the removal of a registry's history.
pub(crate) async fn remove_history(
    store: &Store,
    registry: RegistryId,
    mut batch: Batch,
) -> Result<Batch, Error> {
    let id = registry.to_string();
    let mut entries = store.scan(&HISTORY, &[&id], Bound::Unbounded);
    while let Some(entry) = entries.try_next().await? {
        batch = batch.delete(&HISTORY, &[&id, &entry.key.concat()]);
    }
    Ok(batch)
}

/// Returns the key of an event, which sorts by its number.
fn key(number: u64) -> String {
    format!("{number:020}")
}

fn number(key: &[String]) -> u64 {
    key.concat().parse().unwrap_or_default()
}
