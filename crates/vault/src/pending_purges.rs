use std::ops::Bound;

use jiff::{SignedDuration, Timestamp};
use sealock_core::{KeyName, VaultName};

use crate::{
    KeyVault, Result,
    lookup::part,
    records::{Deletion, KEYS, VAULTS},
    service::Service,
};

/// A deleted vault or key whose retention passed unconfirmed, and that can be recovered until it is purged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingPurge {
    /// The vault, or that of the key.
    pub vault: VaultName,
    /// The key, unless it is the vault that is purged.
    pub key: Option<KeyName>,
    /// When its retention passed.
    pub scheduled_purge: Timestamp,
    /// For how long the emulator has to run before.
    pub purged_in: SignedDuration,
    /// Whether the vault is deleted.
    pub vault_is_deleted: bool,
}

impl KeyVault {
    /// What is purged once the emulator has run for a while: all that fell due while it was stopped, or in
    /// a step of the system's clock. Nothing is recorded.
    pub fn pending_purges(&self) -> Result<Vec<PendingPurge>> {
        let service = &self.service;
        let mut pending = Vec::new();
        for entry in service.store.scan(&VAULTS, &[], Bound::Unbounded) {
            let entry = entry?;
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
            for entry in service
                .store
                .scan(&KEYS, &[vault.as_str()], Bound::Unbounded)
            {
                let record = entry?.record.value;
                pending.extend(purge(Some(record.name), record.deletion));
            }
        }
        Ok(pending)
    }
}

impl Service {
    fn doubt(&self, deletion: Option<Deletion>) -> Option<(Timestamp, SignedDuration)> {
        let scheduled_purge = deletion?.scheduled_purge;
        Some((scheduled_purge, self.clock.doubt(scheduled_purge)?))
    }
}

impl PendingPurge {
    /// How it comes back: commands as `sealock` takes them.
    pub fn recovery(&self) -> String {
        let vault = &self.vault;
        let of_vault = format!("sealock vault recover {vault}");
        match &self.key {
            None => of_vault,
            Some(key) => {
                let of_key = format!("sealock key recover {key} --vault {vault}");
                if self.vault_is_deleted {
                    format!("{of_vault}; then: {of_key}")
                } else {
                    of_key
                }
            }
        }
    }
}
