use std::ops::Bound;

use futures_util::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use sealock_core::{KeyName, VaultName};

use crate::{
    KeyVault, Result,
    lookup::part,
    records::{Deletion, KEYS, VAULTS},
    service::Service,
};

/// A deleted vault or key whose retention passed in unconfirmed time. It can be recovered until it is purged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingPurge {
    /// The vault, or the vault of the key.
    pub vault: VaultName,
    /// The key. `None` if the vault itself is purged.
    pub key: Option<KeyName>,
    /// The end of its retention.
    pub scheduled_purge: Timestamp,
    /// The time that the emulator has to run before the purge.
    pub purged_in: SignedDuration,
    /// True if the vault is deleted.
    pub vault_is_deleted: bool,
}

/// A purge that a step of the clock brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purge {
    /// The vault, or the vault of the key.
    pub vault: VaultName,
    /// The key. `None` if the vault itself is purged, with its keys.
    pub key: Option<KeyName>,
}

impl KeyVault {
    /// Lists the vaults and keys whose retention ends between now and `time`: a step of the clock there purges them.
    /// Records nothing.
    pub async fn purges_until(&self, time: Timestamp) -> Result<Vec<Purge>> {
        let service = &self.service;
        let now = service.clock.now();
        let ends = |deletion: Option<Deletion>| {
            deletion.is_some_and(|it| now < it.scheduled_purge && it.scheduled_purge <= time)
        };
        let mut purges = Vec::new();
        let mut vaults = service.store.scan(&VAULTS, &[], Bound::Unbounded);
        while let Some(entry) = vaults.try_next().await? {
            let vault: VaultName = part(&entry.key, 0)?;
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

    /// Lists the vaults and keys that are purged once the emulator has run for a while: those that fell due while it
    /// was stopped, or in a step of the system's clock. Records nothing.
    pub async fn pending_purges(&self) -> Result<Vec<PendingPurge>> {
        let service = &self.service;
        let mut pending = Vec::new();
        let mut vaults = service.store.scan(&VAULTS, &[], Bound::Unbounded);
        while let Some(entry) = vaults.try_next().await? {
            let deletion = entry.record.deletion;
            if service.is_over(deletion) {
                continue;
            }
            let vault: VaultName = part(&entry.key, 0)?;
            let vault_is_deleted = deletion.is_some();
            let purge = |key, deletion: Option<Deletion>| {
                service
                    .doubt(deletion)
                    .map(|(scheduled_purge, purged_in)| PendingPurge {
                        vault: vault.clone(),
                        key,
                        scheduled_purge,
                        purged_in,
                        vault_is_deleted,
                    })
            };
            pending.extend(purge(None, deletion));
            let mut keys = service
                .store
                .scan(&KEYS, &[vault.as_str()], Bound::Unbounded);
            while let Some(entry) = keys.try_next().await? {
                let record = entry.record.value;
                pending.extend(purge(Some(record.name), record.deletion));
            }
        }
        Ok(pending)
    }
}

impl Service {
    fn doubt(&self, deletion: Option<Deletion>) -> Option<(Timestamp, SignedDuration)> {
        let scheduled_purge = deletion?.scheduled_purge;
        Some((
            scheduled_purge,
            self.clock.remaining_doubt(scheduled_purge)?,
        ))
    }
}
