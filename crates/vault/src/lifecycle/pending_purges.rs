use std::ops::Bound;

use futures_util::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use sealock_core::{KeyName, VaultName};

use crate::{
    KeyVault, Result,
    lookup::parse_segment,
    records::{Deletion, KEYS, VAULTS},
};

/// A deleted vault or key whose retention ended in unconfirmed time. It can be recovered until it is purged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingPurge {
    /// The vault, or the vault of the key.
    pub vault: VaultName,
    /// The key, or `None` for the vault itself.
    pub key: Option<KeyName>,
    /// The end of its retention.
    pub scheduled_purge: Timestamp,
    /// The time for which the emulator must run before the purge.
    pub purged_in: SignedDuration,
    /// True if the vault is deleted.
    pub vault_is_deleted: bool,
}

/// A purge that advancing the clock causes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purge {
    /// The vault, or the vault of the key.
    pub vault: VaultName,
    /// The key, or `None` for the vault itself with its keys.
    pub key: Option<KeyName>,
}

impl KeyVault {
    /// Lists the vaults and keys whose retention ends between now and `time`. Advancing the clock to `time` purges them.
    /// Writes no audit event.
    pub async fn purges_until(&self, time: Timestamp) -> Result<Vec<Purge>> {
        let service = &self.service;
        let now = service.clock.now();
        let ends = |deletion: Option<Deletion>| {
            deletion.is_some_and(|it| now < it.scheduled_purge && it.scheduled_purge <= time)
        };
        let mut purges = Vec::new();
        let mut vaults = service.store.scan(&VAULTS, &[], Bound::Unbounded);
        while let Some(entry) = vaults.try_next().await? {
            let vault: VaultName = parse_segment(&entry.key, 0)?;
            if ends(entry.record.deletion) {
                purges.push(Purge { vault, key: None });
                continue;
            }
            let mut keys = service
                .store
                .scan(&KEYS, &[vault.as_str()], Bound::Unbounded);
            while let Some(entry) = keys.try_next().await? {
                let record = entry.record.value;
                if ends(record.deletion) {
                    let (vault, key) = (vault.clone(), Some(record.name));
                    purges.push(Purge { vault, key });
                }
            }
        }
        Ok(purges)
    }

    /// Lists the vaults and keys whose retention ended while the emulator was stopped or during a step of the system's
    /// clock. They are purged once the emulator has run for a while. Writes no audit event.
    pub async fn pending_purges(&self) -> Result<Vec<PendingPurge>> {
        let service = &self.service;
        let mut pending = Vec::new();
        let mut vaults = service.store.scan(&VAULTS, &[], Bound::Unbounded);
        while let Some(entry) = vaults.try_next().await? {
            let deletion = entry.record.deletion;
            if service.retention_has_passed(deletion) {
                continue;
            }
            let vault: VaultName = parse_segment(&entry.key, 0)?;
            let vault_is_deleted = deletion.is_some();
            let pending_purge = |key, deletion: Option<Deletion>| {
                let scheduled_purge = deletion?.scheduled_purge;
                Some(PendingPurge {
                    vault: vault.clone(),
                    key,
                    scheduled_purge,
                    purged_in: service.clock.remaining_doubt(scheduled_purge)?,
                    vault_is_deleted,
                })
            };
            pending.extend(pending_purge(None, deletion));
            let mut keys = service
                .store
                .scan(&KEYS, &[vault.as_str()], Bound::Unbounded);
            while let Some(entry) = keys.try_next().await? {
                let record = entry.record.value;
                pending.extend(pending_purge(Some(record.name), record.deletion));
            }
        }
        Ok(pending)
    }
}
