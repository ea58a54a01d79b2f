use jiff::Timestamp;
use sealock_core::{Kid, RegistryId, RegistryName};
use sealock_store::{Batch, Table};
use serde::{Deserialize, Serialize};

use crate::{Cause, CustodyChange, Error, context::Context, record::CustodyRecord};

const REVOCATIONS: Table<CauseRecord> = Table::content("revocations");

const OBSTACLES: Table<CauseRecord> = Table::content("obstacles");

/// The vault's refusal to let a registry use its key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .cause.message())]
pub struct Revocation {
    /// The cause.
    pub cause: Cause,
    /// The key version that the vault refused.
    pub key: Kid,
    /// The time at which the registry first met this refusal.
    pub since: Timestamp,
}

/// The reason why a registry that follows its key cannot move to the current version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The cause.
    pub cause: Cause,
    /// The current version. `None` if the registry may not read it.
    pub current: Option<Kid>,
    /// The time at which the registry first met this obstacle.
    pub since: Timestamp,
}

/// A revocation that takes effect once the cached permission to use the DEK expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingRevocation {
    /// The time at which the registry asks the vault again.
    pub at: Timestamp,
    /// The cause for which the vault will refuse.
    pub cause: Cause,
}

/// A cause with the time at which it began. It survives restarts.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct CauseRecord {
    cause: Cause,
    since: Timestamp,
}

impl Context {
    /// Records that the vault refuses a registry's key, unless that is recorded already.
    pub(crate) async fn record_revocation(
        &self,
        registry: RegistryId,
        custody: &CustodyRecord,
        cause: Cause,
    ) -> Result<Revocation, Error> {
        let (name, key) = (&custody.name, custody.kid.clone());
        let recorded = self.since(&REVOCATIONS, registry, cause).await?;
        let since = match recorded {
            Some(since) => since,
            None => {
                let since = self.clock.now();
                let begun = self.begin_revocation(registry, cause, since).await;
                tolerate_disk_fault(begun, name, "the start of the revocation")?;
                tracing::warn!(registry = %name, %cause, key = %key, "the registry is revoked");
                since
            }
        };
        Ok(Revocation { cause, key, since })
    }

    /// Records that a registry may use its key again.
    pub(crate) async fn clear_revocation(
        &self,
        registry: RegistryId,
        name: &RegistryName,
    ) -> Result<(), Error> {
        let cleared = self.end_revocation(registry).await;
        if let Ok(true) = cleared {
            tracing::info!(registry = %name, "the registry is available again");
        }
        tolerate_disk_fault(cleared.map(drop), name, "the end of the revocation")
    }

    /// Returns true if a revocation is recorded.
    pub(crate) async fn is_revoked(&self, registry: RegistryId) -> Result<bool, Error> {
        let id = registry.to_string();
        Ok(self.store.get(&REVOCATIONS, &[&id]).await?.is_some())
    }

    async fn begin_revocation(
        &self,
        registry: RegistryId,
        cause: Cause,
        since: Timestamp,
    ) -> Result<(), Error> {
        let batch = put_cause(&REVOCATIONS, registry, cause, since);
        let events = [CustodyChange::Revoked(cause)];
        let batch = self.plan_events(registry, events, batch).await?;
        let _unconditional = self.store.commit(batch).await?;
        Ok(())
    }

    /// Removes the recorded revocation. Returns false if none is recorded.
    async fn end_revocation(&self, registry: RegistryId) -> Result<bool, Error> {
        if !self.is_revoked(registry).await? {
            return Ok(false);
        }
        let batch = Batch::new().delete(&REVOCATIONS, &[&registry.to_string()]);
        let events = [CustodyChange::Restored];
        let batch = self.plan_events(registry, events, batch).await?;
        let _unconditional = self.store.commit(batch).await?;
        Ok(true)
    }

    /// Records that a registry cannot follow its key, unless that is recorded already.
    pub(crate) async fn record_obstacle(
        &self,
        registry: RegistryId,
        name: &RegistryName,
        cause: Cause,
        current: Option<Kid>,
    ) -> Result<Obstacle, Error> {
        let now = self.clock.now();
        let recorded = async {
            if let Some(since) = self.since(&OBSTACLES, registry, cause).await? {
                return Ok(since);
            }
            tracing::warn!(registry = %name, %cause, "the registry cannot follow its key");
            let batch = put_cause(&OBSTACLES, registry, cause, now);
            let _unconditional = self.store.commit(batch).await?;
            Ok(now)
        };
        let since = match recorded.await {
            Ok(since) => since,
            Err(error) => {
                tolerate_disk_fault(Err(error), name, "the start of the obstacle")?;
                now
            }
        };
        Ok(Obstacle {
            cause,
            current,
            since,
        })
    }

    /// Records that a registry can follow its key again.
    pub(crate) async fn clear_obstacle(
        &self,
        registry: RegistryId,
        name: &RegistryName,
    ) -> Result<(), Error> {
        let cleared = self.remove_obstacle(registry).await;
        tolerate_disk_fault(cleared, name, "the end of the obstacle")
    }

    /// Returns the recorded start of `cause`. `None` if no cause or another one is recorded.
    async fn since(
        &self,
        table: &Table<CauseRecord>,
        registry: RegistryId,
        cause: Cause,
    ) -> Result<Option<Timestamp>, Error> {
        let record = self.store.get(table, &[&registry.to_string()]).await?;
        let record = record.filter(|record| record.cause == cause);
        Ok(record.map(|record| record.since))
    }

    async fn remove_obstacle(&self, registry: RegistryId) -> Result<(), Error> {
        let id = registry.to_string();
        if self.store.get(&OBSTACLES, &[&id]).await?.is_some() {
            let batch = Batch::new().delete(&OBSTACLES, &[&id]);
            let _unconditional = self.store.commit(batch).await?;
        }
        Ok(())
    }
}

fn put_cause(
    table: &Table<CauseRecord>,
    registry: RegistryId,
    cause: Cause,
    since: Timestamp,
) -> Batch {
    let id = registry.to_string();
    Batch::new().put(table, &[&id], &CauseRecord { cause, since })
}

/// Adds to `batch` the removal of a registry's recorded causes.
pub(crate) fn remove_causes(registry: RegistryId, batch: Batch) -> Batch {
    let id = registry.to_string();
    batch
        .delete(&REVOCATIONS, &[&id])
        .delete(&OBSTACLES, &[&id])
}

/// Logs a fault of the disk, and returns any other error. The verdict on a key stands even if the disk cannot record it.
fn tolerate_disk_fault(
    recorded: Result<(), Error>,
    registry: &RegistryName,
    what: &str,
) -> Result<(), Error> {
    match recorded {
        Err(Error::Store(error)) if error.fault().is_some() => {
            tracing::warn!(%registry, %error, "{what} could not be recorded");
            Ok(())
        }
        recorded => recorded,
    }
}
