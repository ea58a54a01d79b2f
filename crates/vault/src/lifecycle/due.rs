//! Work that the clock makes due: rotations, expiry events, purges, and the ends of deletions and recoveries.

use std::ops::Bound;

use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use sealock_core::{KeyIdentifier, KeyName, Kid, ObjectId, VaultName};
use sealock_store::{Batch, Lock};

use crate::{
    Action, Error, Key, KeyBundle, KeyVault, Requester, Result,
    lookup::parse_segment,
    operation::{
        Operation, Permit, ReportExpiry, ReportNearExpiry, RotateKeyIfDue, VersionInVault,
    },
    records::{KEYS, KeyRecord, VAULTS, VersionRecord},
    service::Service,
};

/// Held exclusively while due work runs, so that nothing runs twice.
const DUE: Lock = Lock::new("due");

/// The result of running due work.
#[derive(Clone, Debug, Default)]
pub struct Due {
    /// The key versions that rotation policies made.
    pub rotated: Vec<Kid>,
    /// The time at which work is due next.
    pub next: Option<Timestamp>,
}

/// The due times of a key's work.
#[derive(Default)]
pub(crate) struct Schedule {
    purge: Option<Timestamp>,
    deletion_end: Option<Timestamp>,
    recovery_end: Option<Timestamp>,
    pub(crate) rotation: Option<Timestamp>,
    near_expiry: Option<Timestamp>,
    expiry: Option<Timestamp>,
}

/// A time in the life of a key version that is reported once.
#[derive(Clone, Copy)]
struct Milestone {
    time: fn(&Schedule) -> Option<Timestamp>,
    mark_reported: fn(&mut VersionRecord),
}

const NEAR_EXPIRY: Milestone = Milestone {
    time: |schedule| schedule.near_expiry,
    mark_reported: |version| version.is_near_expiry_reported = true,
};

const EXPIRY: Milestone = Milestone {
    time: |schedule| schedule.expiry,
    mark_reported: |version| version.is_expiry_reported = true,
};

impl KeyVault {
    /// Runs the due work. Call it again at the time that it returns, when the clock is changed, and after a
    /// [change](Self::changed).
    ///
    /// If the clock is advanced over several periods of a rotation policy, the key is rotated once.
    pub async fn run_due(&self) -> Result<Due> {
        let service = &self.service;
        let _guard = service.store.lock_exclusive(&DUE, &[]).await?;
        let now = service.clock.now();
        service.remove_expired().await?;
        let mut times = service.vault_purge_times().await?;
        let mut rotated = Vec::new();
        for (vault, key) in service.key_names().await? {
            let mut schedule = service.schedule(&vault, &key).await?;
            if schedule.times().any(|time| time <= now) {
                rotated.extend(self.run_due_of_key(&vault, &key, &schedule, now).await?);
                // The work may have made other work due.
                schedule = service.schedule(&vault, &key).await?;
            }
            times.extend(schedule.times());
        }
        Ok(Due {
            rotated,
            next: times.into_iter().filter(|time| now < *time).min(),
        })
    }

    /// Runs the due work of a key. Returns the version that a rotation made.
    async fn run_due_of_key(
        &self,
        vault: &VaultName,
        key: &KeyName,
        schedule: &Schedule,
        now: Timestamp,
    ) -> Result<Option<Kid>> {
        let is_due = |time: Option<Timestamp>| time.is_some_and(|time| time <= now);
        if is_due(schedule.recovery_end) {
            self.service.end_recovery(vault, key).await?;
        }
        let rotates = is_due(schedule.rotation);
        if is_due(schedule.near_expiry) {
            self.report(vault, key, ReportNearExpiry, NEAR_EXPIRY).await;
        }
        // If a rotation is due, too, it was due earlier, and the version counts as replaced before it expired.
        if is_due(schedule.expiry) && !rotates {
            self.report(vault, key, ReportExpiry, EXPIRY).await;
        }
        if !rotates {
            return Ok(None);
        }
        match self.rotate_if_due(vault, key).await {
            Ok(rotated) => Ok(rotated.map(|key| key.current.kid)),
            Err(error) => {
                tracing::warn!(%vault, %key, %error, "a key could not be rotated");
                Ok(None)
            }
        }
    }

    /// Waits for a change, which may bring the next due time forward.
    pub async fn changed(&self) {
        self.service.changed.notified().await;
    }

    async fn rotate_if_due(&self, vault: &VaultName, key: &KeyName) -> Result<Option<Key>> {
        let target = KeyIdentifier::current(vault, key);
        let permit = self
            .authorize(&Requester::operator(), RotateKeyIfDue, target)
            .await?;
        ignore_concurrent_change(permit.run().await)
    }

    /// Reports in the audit log that a milestone of the key's current version has come.
    async fn report<O: Operation<Target = KeyIdentifier, Records = VersionInVault>>(
        &self,
        vault: &VaultName,
        key: &KeyName,
        operation: O,
        milestone: Milestone,
    ) {
        let target = KeyIdentifier::current(vault, key);
        let reported = async {
            let permit = self
                .authorize(&Requester::operator(), operation, target)
                .await?;
            ignore_concurrent_change(permit.report(milestone).await)
        };
        if let Err(error) = reported.await {
            tracing::warn!(%vault, %key, %error, "the expiry of a key could not be recorded");
        }
    }
}

/// Returns `None` if a concurrent change has made the work obsolete.
fn ignore_concurrent_change<T>(done: Result<T>) -> Result<Option<T>> {
    match done {
        Err(Error::ConcurrentChange) => Ok(None),
        done => done.map(Some),
    }
}

impl<O: Operation<Target = KeyIdentifier, Records = VersionInVault>> Permit<O> {
    async fn report(self, milestone: Milestone) -> Result<KeyBundle> {
        self.run_change(move |permit, found| async move {
            let (service, KeyIdentifier { vault, key, .. }) = (&permit.service, &permit.target);
            let schedule = service.schedule(vault, key).await?;
            if (milestone.time)(&schedule).is_none_or(|time| service.clock.now() < time) {
                return Err(Error::ConcurrentChange);
            }
            let mut reported = found.version.clone();
            (milestone.mark_reported)(&mut reported.record);
            let release_policy = found.key.release_policy.clone();
            let (batch, (_, bundle)) = service
                .plan_version_replacement(&found, reported, release_policy)
                .await?;
            Ok((batch, bundle))
        })
        .await
    }
}

impl Schedule {
    fn times(&self) -> impl Iterator<Item = Timestamp> {
        let Self {
            purge,
            deletion_end,
            recovery_end,
            rotation,
            near_expiry,
            expiry,
        } = *self;
        let ends = [deletion_end, recovery_end];
        let actions = [purge, rotation, near_expiry, expiry];
        ends.into_iter().chain(actions).flatten()
    }
}

impl Service {
    /// Returns the times at which deleted vaults are purged.
    async fn vault_purge_times(&self) -> Result<Vec<Timestamp>> {
        let mut times = Vec::new();
        let mut vaults = self.store.scan(&VAULTS, &[], Bound::Unbounded);
        while let Some(entry) = vaults.try_next().await? {
            times.extend(entry.record.deletion.map(|it| self.purge_time(it)));
        }
        Ok(times)
    }

    /// Lists the keys of all vaults, deleted ones included.
    async fn key_names(&self) -> Result<Vec<(VaultName, KeyName)>> {
        let keys = self.store.scan(&KEYS, &[], Bound::Unbounded);
        keys.map(|entry| {
            let entry = entry?;
            Ok((parse_segment(&entry.key, 0)?, entry.record.value.name))
        })
        .try_collect()
        .await
    }

    pub(crate) async fn schedule(&self, vault: &VaultName, key: &KeyName) -> Result<Schedule> {
        let Some(record) = self.find_key(vault, key).await? else {
            return Ok(Schedule::default());
        };
        if let Some(deletion) = record.deletion {
            return Ok(Schedule {
                purge: Some(self.purge_time(deletion)),
                deletion_end: deletion.under_way_until,
                ..Schedule::default()
            });
        }
        let mut schedule = Schedule {
            recovery_end: record.recovering_until,
            ..Schedule::default()
        };
        match self.changeable_vault(vault).await {
            Ok(_) => {}
            // The keys wait until the vault is recovered or fails back.
            Err(
                Error::VaultNotFound { .. } | Error::VaultDeleted { .. } | Error::FailedOver { .. },
            ) => return Ok(schedule),
            Err(error) => return Err(error),
        }
        let policy = self.rotation_policy_of(vault, key).await?.policy;
        let current = KeyIdentifier::current(vault, key);
        let current = match self.active_kid(&current).await {
            Ok((_, kid)) => self.version(&kid).await,
            Err(error) => Err(error),
        };
        let version = match current {
            Ok(version) => version.value,
            // The key's recovery is under way, or it was deleted or purged after its record was read.
            Err(Error::KeyNotFound { .. } | Error::KeyDeleted { .. }) => return Ok(schedule),
            Err(error) => return Err(error),
        };
        let VersionRecord {
            created, expires, ..
        } = version;
        schedule.rotation = policy.due_time(Action::Rotate, created, expires);
        if !version.is_near_expiry_reported {
            schedule.near_expiry = policy.due_time(Action::Notify, created, expires);
        }
        if !version.is_expiry_reported {
            schedule.expiry = expires;
        }
        Ok(schedule)
    }

    /// Removes a recovery that has ended from the key's record. The write makes registries that the recovery refused
    /// judge their keys again.
    async fn end_recovery(&self, vault: &VaultName, key: &KeyName) -> Result<()> {
        let segments = [vault.as_str(), key.folded()];
        self.commit_with_retries(|| async {
            let found = self.store.get(&KEYS, &segments).await?;
            let now = self.clock.now();
            let Some(record) =
                found.filter(|record| record.recovering_until.is_some_and(|end| end <= now))
            else {
                // The key was deleted in the meantime, and perhaps another recovery has begun.
                return Ok((Batch::new(), ()));
            };
            let ended = KeyRecord {
                recovering_until: None,
                revision: ObjectId::random(),
                ..record.value.clone()
            };
            let batch = Batch::new().expect(&KEYS, &segments, &record);
            Ok((batch.put(&KEYS, &segments, &ended), ()))
        })
        .await
    }
}
