//! What comes with time alone: rotations, notices, ends of retention and of what takes its time.

use std::ops::Bound;

use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use sealock_core::{KeyName, Kid, ObjectId, VaultName};
use sealock_store::{Batch, Lock};

use crate::{
    Error, Key, KeyBundle, KeyVault, Requester, Result,
    audit::{Answer, Request, Target},
    lookup::part,
    operation::Operation,
    records::{KEYS, KeyRecord, VAULTS, VERSIONS, VersionRecord},
    rotation_policy::Action,
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
struct Schedule {
    purge: Option<Timestamp>,
    deleted: Option<Timestamp>,
    recovered: Option<Timestamp>,
    rotation: Option<Timestamp>,
    near_expiry: Option<Timestamp>,
    expiry: Option<Timestamp>,
}

/// What the audit log is told of a version, once.
#[derive(Clone, Copy)]
enum Notice {
    NearExpiry,
    Expiry,
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
        for (notice, is_due) in [
            (Notice::NearExpiry, is_due(schedule.near_expiry)),
            // What was to be rotated before would not have expired.
            (Notice::Expiry, is_due(schedule.expiry) && !rotates),
        ] {
            if is_due && let Err(error) = self.notify(vault, key, notice).await {
                tracing::warn!(%vault, %key, %error, "the end of a key could not be noted");
            }
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
        let (service, requester) = (&self.service, Requester::operator());
        let target = Target::key(vault, key);
        let request = Request::new(&requester, Operation::KeyRotateIfDue, target);
        let is_due = |now| async move {
            let schedule = service.schedule(vault, key).await?;
            Ok(schedule.rotation.is_some_and(|time| time <= now))
        };
        let done = service.rotate_key_while(&request, vault, key, is_due).await;
        self.recorded(request, done).await
    }

    async fn notify(&self, vault: &VaultName, key: &KeyName, notice: Notice) -> Result<()> {
        let operation = match notice {
            Notice::NearExpiry => Operation::KeyNearExpiry,
            Notice::Expiry => Operation::KeyExpired,
        };
        let target = Target::key(vault, key);
        let request = Request::new(&Requester::operator(), operation, target);
        let done = self.service.note(&request, vault, key, notice).await;
        self.recorded(request, done).await.map(drop)
    }

    /// Records the outcome. `None` if a concurrent change was faster, so that the work was no longer due.
    async fn recorded<T: Answer>(&self, request: Request, done: Result<T>) -> Result<Option<T>> {
        match done {
            Err(Error::ConcurrentChange) => Ok(None),
            done => {
                if !request.is_recorded() {
                    let ended = done.as_ref().map(Answer::subject);
                    let event = self.service.event(&request, ended).await?;
                    self.service.record(&request, &event).await?;
                }
                done.map(Some)
            }
        }
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

    async fn schedule(&self, vault: &VaultName, key: &KeyName) -> Result<Schedule> {
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
        let (_, version) = match self.current_version(vault, key).await {
            Ok(current) => current,
            // It is not back yet, or was deleted or purged since its record was read.
            Err(Error::KeyNotFound { .. } | Error::KeyDeleted { .. }) => return Ok(schedule),
            Err(error) => return Err(error),
        };
        let VersionRecord {
            created, expires, ..
        } = version;
        schedule.rotation = policy.due(Action::Rotate, created, expires);
        if !version.near_expiry_noted {
            schedule.near_expiry = policy.due(Action::Notify, created, expires);
        }
        if !version.expiry_noted {
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

    async fn note(
        &self,
        request: &Request,
        vault: &VaultName,
        key: &KeyName,
        notice: Notice,
    ) -> Result<KeyBundle> {
        self.change(request, || async {
            let vault_record = self.changeable_vault(vault).await?;
            let record = self.active_key(vault, key, None).await?;
            let schedule = self.schedule(vault, key).await?;
            let time = match notice {
                Notice::NearExpiry => schedule.near_expiry,
                Notice::Expiry => schedule.expiry,
            };
            if time.is_none_or(|time| self.clock.now() < time) {
                return Err(Error::ConcurrentChange);
            }
            let mut versions = self.versions_of(vault, key).await?;
            let noted = versions
                .iter_mut()
                .find(|stored| stored.version == record.current);
            let Some(noted) = noted else {
                return Err(Error::KeyNotFound {
                    vault: vault.clone(),
                    key: key.clone(),
                    version: None,
                });
            };
            match notice {
                Notice::NearExpiry => noted.record.near_expiry_noted = true,
                Notice::Expiry => noted.record.expiry_noted = true,
            }
            let noted = noted.clone();
            let new = KeyRecord {
                revision: ObjectId::random(),
                ..record.value.clone()
            };
            let (batch, _) =
                self.replacement_of_key(vault, &vault_record, &record, &new, versions)?;
            let parts = [vault.as_str(), key.folded(), noted.version.as_str()];
            let bundle = noted.bundle(&vault_record, &new, vault);
            Ok((batch.put(&VERSIONS, &parts, &noted.record), bundle))
        })
        .await
    }
}
