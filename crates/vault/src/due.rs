//! What comes with time alone: rotations, notices, ends of retention and of what takes its time.

use std::ops::Bound;

use jiff::Timestamp;
use sealock_core::{KeyName, Kid, ObjectId, VaultName};
use sealock_store::Batch;

use crate::{
    Error, Key, KeyBundle, KeyVault, Requester, Result,
    audit::{Operation, Request, Target},
    lookup::part,
    records::{KEYS, KeyRecord, VAULTS, VERSIONS, VersionRecord},
    rotation_policy::Action,
    service::Service,
};

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
    notice: Option<Timestamp>,
}

impl KeyVault {
    /// Does what is due. To be called when the time has come that it names, or when the clock or anything
    /// else has [changed](Self::changed).
    ///
    /// A step of the clock over several periods of a policy rotates a key once.
    pub async fn run_due(&self) -> Result<Due> {
        let service = &self.service;
        let _turn = service.due.lock().await;
        let now = service.clock.now();
        let is_due = |time: Option<Timestamp>| time.is_some_and(|time| time <= now);
        service.remove_expired().await?;
        let mut rotated = Vec::new();
        for (vault, key) in service.key_names()? {
            let schedule = service.schedule(&vault, &key)?;
            if is_due(schedule.recovered) {
                service.end_recovery(&vault, &key).await?;
            }
            if is_due(schedule.notice)
                && let Err(error) = self.notify_of_expiry(&vault, &key).await
            {
                tracing::warn!(%vault, %key, %error, "that a key expires soon could not be noted");
            }
            if is_due(schedule.rotation) {
                match self.rotate_if_due(&vault, &key).await {
                    Ok(key) => rotated.push(key.current.kid),
                    Err(error) => {
                        tracing::warn!(%vault, %key, %error, "a key could not be rotated");
                    }
                }
            }
        }
        // Asked anew: what was done may have brought something new.
        let next = service.times()?.into_iter().filter(|time| now < *time);
        Ok(Due {
            rotated,
            next: next.min(),
        })
    }

    /// Returns once something has changed, so that something may be due sooner than before.
    pub async fn changed(&self) {
        self.service.changed.notified().await;
    }

    async fn rotate_if_due(&self, vault: &VaultName, key: &KeyName) -> Result<Key> {
        let requester = Requester::operator();
        let request = Request::new(
            &requester,
            Operation::KeyRotateIfDue,
            Target::key(vault, key),
        );
        let (service, vault, key) = (self.service.clone(), vault.clone(), key.clone());
        let work = async move { service.rotate_key(&requester, &vault, &key).await };
        self.audited(request, |key: &Key| Some(key.subject()), work)
            .await
    }

    /// The audit log is told of the version, once.
    async fn notify_of_expiry(&self, vault: &VaultName, key: &KeyName) -> Result<()> {
        let request = Request::new(
            &Requester::operator(),
            Operation::KeyNearExpiry,
            Target::key(vault, key),
        );
        let (service, vault, key) = (self.service.clone(), vault.clone(), key.clone());
        let work = async move { service.note_near_expiry(&vault, &key).await };
        self.audited(request, |noted: &KeyBundle| Some(noted.subject()), work)
            .await
            .map(drop)
    }
}

impl Schedule {
    fn times(&self) -> impl Iterator<Item = Timestamp> {
        let Self {
            purge,
            deleted,
            recovered,
            rotation,
            notice,
        } = *self;
        [purge, deleted, recovered, rotation, notice]
            .into_iter()
            .flatten()
    }
}

impl Service {
    /// When anything comes, be it past or future.
    fn times(&self) -> Result<Vec<Timestamp>> {
        let mut times = Vec::new();
        for entry in self.store.scan(&VAULTS, &[], Bound::Unbounded) {
            times.extend(entry?.record.deletion.map(|it| it.scheduled_purge));
        }
        for (vault, key) in self.key_names()? {
            times.extend(self.schedule(&vault, &key)?.times());
        }
        Ok(times)
    }

    /// The keys of all vaults, deleted ones included.
    fn key_names(&self) -> Result<Vec<(VaultName, KeyName)>> {
        let keys = self.store.scan(&KEYS, &[], Bound::Unbounded);
        keys.map(|entry| {
            let entry = entry?;
            Ok((part(&entry.key, 0)?, entry.record.value.name))
        })
        .collect()
    }

    fn schedule(&self, vault: &VaultName, key: &KeyName) -> Result<Schedule> {
        let Some(record) = self.find_key(vault, key)? else {
            return Ok(Schedule::default());
        };
        if let Some(deletion) = record.deletion {
            return Ok(Schedule {
                purge: Some(deletion.scheduled_purge),
                deleted: deletion.under_way_until,
                ..Schedule::default()
            });
        }
        let mut schedule = Schedule {
            recovered: record.recovering_until,
            ..Schedule::default()
        };
        match self.changeable_vault(vault) {
            Ok(_) => {}
            // Its keys wait until it is back.
            Err(
                Error::VaultNotFound { .. } | Error::VaultDeleted { .. } | Error::FailedOver { .. },
            ) => return Ok(schedule),
            Err(error) => return Err(error),
        }
        let policy = self.rotation_policy_of(vault, key)?.policy;
        let (_, version) = match self.current_version(vault, key) {
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
            schedule.notice = policy.due(Action::Notify, created, expires);
        }
        Ok(schedule)
    }

    /// A recovery that is over is forgotten, so that whoever was refused meanwhile asks again.
    async fn end_recovery(&self, vault: &VaultName, key: &KeyName) -> Result<()> {
        let parts = [vault.as_str(), key.folded()];
        self.change(|| {
            let found = self.store.get(&KEYS, &parts)?;
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

    async fn note_near_expiry(&self, vault: &VaultName, key: &KeyName) -> Result<KeyBundle> {
        self.change(|| {
            let vault_record = self.changeable_vault(vault)?;
            let record = self.active_key(vault, key, None)?;
            let mut versions = self.versions_of(vault, key)?;
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
            noted.record.near_expiry_noted = true;
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
