use std::ops::Bound;

use futures_util::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use sealock_core::excerpt;
use sealock_store::{Batch, Table};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Error, ResourceManager, Result};

/// Keyed by id.
const OPERATIONS: Table<Operation> = Table::content("arm-operations");

/// The time for which the result of an operation can be fetched.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);

/// The number of operations beyond which the expired ones are removed.
const SWEEP_BEYOND: usize = 256;

/// An asynchronous operation. Its work is done when it is recorded.
///
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations>
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Operation {
    pub(crate) id: Uuid,
    pub(crate) finished: Timestamp,
}

impl ResourceManager {
    /// Records an operation that has succeeded.
    pub(crate) async fn record_operation(&self) -> Result<Operation> {
        let now = self.clock.now();
        let operation = Operation {
            id: Uuid::new_v4(),
            finished: now,
        };
        let mut batch = Batch::new().put(&OPERATIONS, &[&operation.id.to_string()], &operation);
        let known = self.store.scan(&OPERATIONS, &[], Bound::Unbounded);
        let known: Vec<_> = known
            .map_ok(|entry| entry.record.value)
            .try_collect()
            .await?;
        if known.len() > SWEEP_BEYOND {
            for old in known
                .iter()
                .filter(|old| now.duration_since(old.finished) > KEPT_FOR)
            {
                batch = batch.delete(&OPERATIONS, &[&old.id.to_string()]);
            }
        }
        let _unconditional = self.store.commit(batch).await?;
        Ok(operation)
    }

    /// Returns an operation.
    pub(crate) async fn operation(&self, id: &str) -> Result<Operation> {
        let not_found = || Error::OperationNotFound(excerpt(id).to_owned());
        let id: Uuid = id.parse().map_err(|_| not_found())?;
        let found = self.store.get(&OPERATIONS, &[&id.to_string()]).await?;
        Ok(found.ok_or_else(not_found)?.value)
    }
}
