//! What comes with time alone: rotations, notices, ends of retention and of what takes its time.

use std::ops::Bound;

use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use sealock_core::{KeyIdentifier, KeyName, Kid, ObjectId, VaultName};
use sealock_store::{Batch, Lock};

use crate::{
    Action, Error, Key, KeyBundle, KeyVault, Requester, Result,
    lookup::{StoredVersion, part},
    operation::{Permit, ReportExpiry, ReportNearExpiry, RotateKeyIfDue, VersionInVault},
    records::{KEYS, KeyRecord, VAULTS, VersionRecord},
    service::Service,
};

/// Held while what is due is done, so that nothing is done twice.
const DUE: Lock = Lock::new("due");

/// What was due, and what will be.
#[derive(Clone, Debug, Default)]
pub struct Due {
    /// The versions that rotation policies made.
    pub rotated: Vec<Kid>,
    /// When something is due next.
    pub next: Option<Timestamp>,
}

/// When each thing that comes with time comes to a key.
#[derive(Default)]
pub(crate) struct Schedule {
    purge: Option<Timestamp>,
    deleted: Option<Timestamp>,
    recovered: Option<Timestamp>,
    pub(crate) rotation: Option<Timestamp>,
    near_expiry: Option<Timestamp>,
    expiry: Option<Timestamp>,
}

impl KeyVault {
    /// Does what is due. To be called when the time has come that it names, or when the clock or anything
    /// else has [changed](Self::changed).
    ///
    /// A step of the clock over several periods of a policy rotates a key once.
    pub async fn run_due(&self) -> Result<Due> {
        let service = &self.service;
        let _turn = service.store.lock_exclusive(&DUE, &[]).await?;
        let now = service.clock.now();
        service.remove_expired().await?;
        let mut times = service.vault_purges().await?;
        let mut rotated = Vec::new();
        for (vault, key) in service.key_names().await? {
            let mut schedule = service.schedule(&vault, &key).await?;
            if schedule.times().any(|time| time <= now) {
                rotated.extend(self.do_due(&vault, &key, &schedule, now).await?);
                // Which may have brought something new.
                schedule = service.schedule(&vault, &key).await?;
            }
            times.extend(schedule.times());
        }
        Ok(Due {
            rotated,
            next: times.into_iter().filter(|time| now < *time).min(),
        })
    }

    /// Does what is due to a key, and returns the version that this made.
    async fn do_due(
        &self,
        vault: &VaultName,
        key: &KeyName,
        schedule: &Schedule,
        now: Timestamp,
    ) -> Result<Option<Kid>> {
        let is_due = |time: Option<Timestamp>| time.is_some_and(|time| time <= now);
        if is_due(schedule.recovered) {
            self.service.end_recovery(vault, key).await?;
        }
        let rotates = is_due(schedule.rotation);
        if is_due(schedule.near_expiry)
            && let Err(error) = self.report_near_expiry(vault, key).await
        {
            tracing::warn!(%vault, %key, %error, "the coming expiry of a key could not be recorded");
        }
        // A version that was to be rotated before it expired has not expired.
        if is_due(schedule.expiry)
            && !rotates
            && let Err(error) = self.report_expiry(vault, key).await
        {
            tracing::warn!(%vault, %key, %error, "the expiry of a key could not be recorded");
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

    /// Returns once something has changed, so that something may be due sooner than before.
    pub async fn changed(&self) {
        self.service.changed.notified().await;
    }

    async fn rotate_if_due(&self, vault: &VaultName, key: &KeyName) -> Result<Option<Key>> {
        let target = KeyIdentifier::current(vault, key);
        let permit = self
            .authorize(&Requester::operator(), RotateKeyIfDue, target)
            .await?;
        unless_overtaken(permit.run().await)
    }

    async fn report_near_expiry(&self, vault: &VaultName, key: &KeyName) -> Result<()> {
        let target = KeyIdentifier::current(vault, key);
        let permit = self
            .authorize(&Requester::operator(), ReportNearExpiry, target)
            .await?;
        unless_overtaken(permit.run().await).map(drop)
    }

    async fn report_expiry(&self, vault: &VaultName, key: &KeyName) -> Result<()> {
        let target = KeyIdentifier::current(vault, key);
        let permit = self
            .authorize(&Requester::operator(), ReportExpiry, target)
            .await?;
        unless_overtaken(permit.run().await).map(drop)
    }
}

/// `None` if a concurrent change was faster, so that the work was no longer due.
fn unless_overtaken<T>(done: Result<T>) -> Result<Option<T>> {
    match done {
        Err(Error::ConcurrentChange) => Ok(None),
        done => done.map(Some),
    }
}

impl Permit<ReportNearExpiry> {
    async fn run(self) -> Result<KeyBundle> {
        self.commit(|permit, found| async move {
            let (service, KeyIdentifier { vault, key, .. }) = (&permit.service, &permit.target);
            let schedule = service.schedule(vault, key).await?;
            service.still_due(schedule.near_expiry)?;
            let mut reported = found.version.clone();
            reported.record.is_near_expiry_reported = true;
            service.plan_report(&found, reported).await
        })
        .await
    }
}

impl Permit<ReportExpiry> {
    async fn run(self) -> Result<KeyBundle> {
        self.commit(|permit, found| async move {
            let (service, KeyIdentifier { vault, key, .. }) = (&permit.service, &permit.target);
            let schedule = service.schedule(vault, key).await?;
            service.still_due(schedule.expiry)?;
            let mut reported = found.version.clone();
            reported.record.is_expiry_reported = true;
            service.plan_report(&found, reported).await
        })
        .await
    }
}

impl Schedule {
    fn times(&self) -> impl Iterator<Item = Timestamp> {
        let Self {
            purge,
            deleted,
            recovered,
            rotation,
            near_expiry,
            expiry,
        } = *self;
        [purge, deleted, recovered, rotation, near_expiry, expiry]
            .into_iter()
            .flatten()
    }
}

impl Service {
    /// When deleted vaults are purged.
    async fn vault_purges(&self) -> Result<Vec<Timestamp>> {
        let mut times = Vec::new();
        let mut vaults = self.store.scan(&VAULTS, &[], Bound::Unbounded);
        while let Some(entry) = vaults.try_next().await? {
            times.extend(entry.record.deletion.map(|it| self.end_of(it)));
        }
        Ok(times)
    }

    /// The keys of all vaults, deleted ones included.
    async fn key_names(&self) -> Result<Vec<(VaultName, KeyName)>> {
        let keys = self.store.scan(&KEYS, &[], Bound::Unbounded);
        keys.map(|entry| {
            let entry = entry?;
            Ok((part(&entry.key, 0)?, entry.record.value.name))
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
                purge: Some(self.end_of(deletion)),
                deleted: deletion.under_way_until,
                ..Schedule::default()
            });
        }
        let mut schedule = Schedule {
            recovered: record.recovering_until,
            ..Schedule::default()
        };
        match self.changeable_vault(vault).await {
            Ok(_) => {}
            // Its keys wait until it is back.
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
            // The key is not back yet, or was deleted or purged since its record was read.
            Err(Error::KeyNotFound { .. } | Error::KeyDeleted { .. }) => return Ok(schedule),
            Err(error) => return Err(error),
        };
        let VersionRecord {
            created, expires, ..
        } = version;
        schedule.rotation = policy.due(Action::Rotate, created, expires);
        if !version.is_near_expiry_reported {
            schedule.near_expiry = policy.due(Action::Notify, created, expires);
        }
        if !version.is_expiry_reported {
            schedule.expiry = expires;
        }
        Ok(schedule)
    }

    /// A recovery that is over is forgotten, so that whoever was refused meanwhile asks again.
    async fn end_recovery(&self, vault: &VaultName, key: &KeyName) -> Result<()> {
        let parts = [vault.as_str(), key.folded()];
        self.change_silently(|| async {
            let found = self.store.get(&KEYS, &parts).await?;
            let now = self.clock.now();
            let Some(record) =
                found.filter(|record| record.recovering_until.is_some_and(|end| end <= now))
            else {
                // Deleted since it was looked up, and maybe on its way back again.
                return Ok((Batch::new(), ()));
            };
            let ended = KeyRecord {
                recovering_until: None,
                revision: ObjectId::random(),
                ..record.value.clone()
            };
            let batch = Batch::new().expect(&KEYS, &parts, &record);
            Ok((batch.put(&KEYS, &parts, &ended), ()))
        })
        .await
    }

    fn still_due(&self, time: Option<Timestamp>) -> Result<()> {
        if time.is_some_and(|time| time <= self.clock.now()) {
            Ok(())
        } else {
            Err(Error::ConcurrentChange)
        }
    }

    async fn plan_report(
        &self,
        found: &VersionInVault,
        reported: StoredVersion,
    ) -> Result<(Batch, KeyBundle)> {
        let release_policy = found.key.release_policy.clone();
        let (batch, (_, bundle)) = self
            .plan_replacement(found, reported, release_policy)
            .await?;
        Ok((batch, bundle))
    }
}
