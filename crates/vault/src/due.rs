//! What comes with time alone: rotations, notices, ends of retention and of what takes its time.

use std::ops::Bound;

use jiff::Timestamp;
use sealock_core::{KeyName, Kid, VaultName};
use sealock_store::{Batch, Record};

use crate::{
    Error, Key, KeyVault, Requester, Result,
    audit::{Operation, Request, Target},
    key_vault::Service,
    lookup::part,
    records::{KEYS, KeyRecord, VAULTS, VERSIONS, VersionRecord},
    rotation_policy::Action,
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
        let mut due = Due::default();
        let now = service.clock.now();
        let mut note = |times: &[Option<Timestamp>]| {
            let future = times.iter().flatten().filter(|time| now < **time);
            due.next = future.copied().chain(due.next).min();
        };
        service.remove_expired().await?;
        for entry in service.store.scan(&VAULTS, &[], Bound::Unbounded) {
            let deletion = entry?.record.value.deletion;
            note(&[deletion.map(|deletion| deletion.scheduled_purge)]);
        }
        let mut keys: Vec<(VaultName, KeyName, Record<KeyRecord>)> = Vec::new();
        for entry in service.store.scan(&KEYS, &[], Bound::Unbounded) {
            let entry = entry?;
            keys.push((part(&entry.key, 0)?, part(&entry.key, 1)?, entry.record));
        }
        let mut rotations = Vec::new();
        for (vault, key, record) in keys {
            let schedule = service.schedule(&vault, &key, &record)?;
            note(&[
                schedule.purge,
                schedule.deleted,
                schedule.recovered,
                schedule.rotation,
                schedule.notice,
            ]);
            let is_due = |time: Option<Timestamp>| time.is_some_and(|time| time <= now);
            if is_due(schedule.recovered) {
                service.end_recovery(&vault, &key).await?;
            }
            if is_due(schedule.notice) {
                self.notify_of_expiry(&vault, &key).await?;
            }
            if is_due(schedule.rotation) {
                rotations.push((vault, key));
            }
        }
        for (vault, key) in rotations {
            match self.rotate_if_due(&vault, &key).await {
                Ok(rotated) => due.rotated.push(rotated.current.kid),
                // Such as in a vault that has failed over: the next change is another try.
                Err(error) => tracing::warn!(%vault, %key, %error, "a key could not be rotated"),
            }
        }
        Ok(due)
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

    /// The audit log is told, once for each version.
    async fn notify_of_expiry(&self, vault: &VaultName, key: &KeyName) -> Result<()> {
        let request = Request::new(
            &Requester::operator(),
            Operation::KeyNearExpiry,
            Target::key(vault, key),
        );
        let (service, vault, key) = (self.service.clone(), vault.clone(), key.clone());
        let work = async move { service.note_near_expiry(&vault, &key).await };
        self.audited(request, |()| None, work).await
    }
}

impl Service {
    fn schedule(&self, vault: &VaultName, key: &KeyName, record: &KeyRecord) -> Result<Schedule> {
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
        schedule.rotation = policy.due(Action::Rotate, created, expires)?;
        if !version.near_expiry_noted {
            schedule.notice = policy.due(Action::Notify, created, expires)?;
        }
        Ok(schedule)
    }

    /// A recovery that is over is forgotten, so that whoever was refused meanwhile asks again.
    async fn end_recovery(&self, vault: &VaultName, key: &KeyName) -> Result<()> {
        let parts = [vault.as_str(), key.as_str()];
        self.change(|| {
            let Some(record) = self.store.get(&KEYS, &parts)? else {
                return Ok((Batch::new(), ()));
            };
            let ended = KeyRecord {
                recovering_until: None,
                ..record.value.clone()
            };
            let batch = Batch::new().expect(&KEYS, &parts, &record);
            Ok((batch.put(&KEYS, &parts, &ended), ()))
        })
        .await
    }

    async fn note_near_expiry(&self, vault: &VaultName, key: &KeyName) -> Result<()> {
        self.change(|| {
            let (kid, _) = self.current_version(vault, key)?;
            let parts = [vault.as_str(), key.as_str(), kid.version.as_str()];
            let record = self.version(&kid)?;
            let noted = VersionRecord {
                near_expiry_noted: true,
                ..record.value.clone()
            };
            let batch = Batch::new().expect(&VERSIONS, &parts, &record);
            Ok((batch.put(&VERSIONS, &parts, &noted), ()))
        })
        .await
    }
}
