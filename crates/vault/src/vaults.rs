use std::ops::Bound;

use sealock_core::{ObjectId, VaultName};
use sealock_entra::Caller;
use sealock_store::{Batch, Record};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Result, State, Vault,
    key_vault::Service,
    lookup::part,
    records::{Deletion, KEYS, POLICIES, VAULTS, VERSIONS, VaultRecord},
};

const READ: &str = "Microsoft.KeyVault/vaults/read";
const WRITE: &str = "Microsoft.KeyVault/vaults/write";
const DELETE: &str = "Microsoft.KeyVault/vaults/delete";
const PURGE: &str = "Microsoft.KeyVault/locations/deletedVaults/purge/action";

/// What is fixed when a vault is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VaultSettings {
    /// Whether nothing can be purged before its retention has passed.
    pub purge_protection: bool,
    /// For how many days, 7 to 90, what was deleted can be recovered.
    pub soft_delete_retention_days: u16,
}

impl Default for VaultSettings {
    fn default() -> Self {
        Self {
            purge_protection: false,
            soft_delete_retention_days: 90,
        }
    }
}

impl VaultSettings {
    /// <https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview>
    fn check(self) -> Result<()> {
        match self.soft_delete_retention_days {
            7..=90 => Ok(()),
            days => Err(Error::BadParameter(format!(
                "The soft delete retention of {days} days is not valid; it can be 7 to 90 days."
            ))),
        }
    }
}

impl Service {
    pub(crate) async fn create_vault(
        &self,
        caller: &Caller,
        vault: &VaultName,
        settings: VaultSettings,
    ) -> Result<Vault> {
        Self::check_operator(caller, WRITE, Some(vault))?;
        self.remove_expired_vault(vault).await?;
        self.change(|| {
            match self.find_vault(vault)? {
                Some(record) if record.deletion.is_some() => {
                    return Err(Error::VaultNameHeld {
                        vault: vault.clone(),
                    });
                }
                Some(_) => {
                    return Err(Error::VaultNameTaken {
                        vault: vault.clone(),
                    });
                }
                None => settings.check()?,
            }
            let record = VaultRecord {
                purge_protection: settings.purge_protection,
                soft_delete_retention_days: settings.soft_delete_retention_days,
                created: self.clock.now(),
                deletion: None,
                revision: ObjectId::random(),
            };
            let batch = Batch::new().expect_absent(&VAULTS, &[vault.as_str()]).put(
                &VAULTS,
                &[vault.as_str()],
                &record,
            );
            Ok((batch, self.view_of_vault(vault, &record)))
        })
        .await
    }

    pub(crate) fn vaults(&self, caller: &Caller) -> Result<Vec<Vault>> {
        Self::check_operator(caller, READ, None)?;
        let mut vaults = Vec::new();
        for entry in self.store.scan(&VAULTS, &[], Bound::Unbounded) {
            let entry = entry?;
            if !self.is_over(entry.record.deletion) {
                vaults.push(self.view_of_vault(&part(&entry.key, 0)?, &entry.record));
            }
        }
        Ok(vaults)
    }

    pub(crate) fn vault(&self, caller: &Caller, vault: &VaultName) -> Result<Vault> {
        Self::check_operator(caller, READ, Some(vault))?;
        let record = self
            .find_vault(vault)?
            .ok_or_else(|| Error::VaultNotFound {
                vault: vault.clone(),
            })?;
        Ok(self.view_of_vault(vault, &record))
    }

    pub(crate) async fn delete_vault(&self, caller: &Caller, vault: &VaultName) -> Result<Vault> {
        Self::check_operator(caller, DELETE, Some(vault))?;
        self.change(|| {
            let record = self.active_vault(vault)?;
            let deletion = self.deletion(record.soft_delete_retention_days);
            Ok(self.replacement_of_vault(vault, &record, Some(deletion)))
        })
        .await
    }

    pub(crate) async fn recover_vault(&self, caller: &Caller, vault: &VaultName) -> Result<Vault> {
        Self::check_operator(caller, WRITE, Some(vault))?;
        self.change(|| {
            let record = self.deleted_vault(vault)?;
            Ok(self.replacement_of_vault(vault, &record, None))
        })
        .await
    }

    pub(crate) async fn purge_vault(&self, caller: &Caller, vault: &VaultName) -> Result<()> {
        Self::check_operator(caller, PURGE, Some(vault))?;
        let files = self
            .change(|| {
                let record = self.deleted_vault(vault)?;
                if record.purge_protection {
                    return Err(Error::VaultPurgeProtected {
                        vault: vault.clone(),
                    });
                }
                self.removal_of_vault(vault, &record)
            })
            .await?;
        self.unlink(files).await
    }

    /// Removes the vault if its retention has passed.
    pub(crate) async fn remove_expired_vault(&self, vault: &VaultName) -> Result<bool> {
        let files = self
            .change(|| match self.store.get(&VAULTS, &[vault.as_str()])? {
                Some(record) if self.is_over(record.deletion) => {
                    let (batch, files) = self.removal_of_vault(vault, &record)?;
                    Ok((batch, Some(files)))
                }
                _ => Ok((Batch::new(), None)),
            })
            .await?;
        let expired = files.is_some();
        self.unlink(files.unwrap_or_default()).await?;
        Ok(expired)
    }

    fn deleted_vault(&self, vault: &VaultName) -> Result<Record<VaultRecord>> {
        self.find_vault(vault)?
            .filter(|record| record.deletion.is_some())
            .ok_or_else(|| Error::DeletedVaultNotFound {
                vault: vault.clone(),
            })
    }

    /// The vault with another (or no) deletion.
    fn replacement_of_vault(
        &self,
        vault: &VaultName,
        record: &Record<VaultRecord>,
        deletion: Option<Deletion>,
    ) -> (Batch, Vault) {
        let changed = VaultRecord {
            deletion,
            revision: ObjectId::random(),
            ..record.value.clone()
        };
        let batch = Batch::new().expect(&VAULTS, &[vault.as_str()], record).put(
            &VAULTS,
            &[vault.as_str()],
            &changed,
        );
        let view = self.view_of_vault(vault, &changed);
        (batch, view)
    }

    /// Everything of a deleted vault. Nothing can have been added to it since its record was written,
    /// so what is found now is all there is as long as the record is unchanged.
    fn removal_of_vault(
        &self,
        vault: &VaultName,
        record: &Record<VaultRecord>,
    ) -> Result<(Batch, Vec<ObjectId>)> {
        let vault = vault.as_str();
        let mut files = Vec::new();
        let mut batch = Batch::new()
            .expect(&VAULTS, &[vault], record)
            .delete(&VAULTS, &[vault]);
        for entry in self.store.scan(&KEYS, &[vault], Bound::Unbounded) {
            batch = batch.delete(&KEYS, &[vault, &part::<String>(&entry?.key, 0)?]);
        }
        for entry in self.store.scan(&VERSIONS, &[vault], Bound::Unbounded) {
            let entry = entry?;
            let (key, version) = (
                part::<String>(&entry.key, 0)?,
                part::<String>(&entry.key, 1)?,
            );
            files.extend(entry.record.private_key.objects());
            batch = batch.delete(&VERSIONS, &[vault, &key, &version]);
        }
        for entry in self.store.scan(&POLICIES, &[vault], Bound::Unbounded) {
            batch = batch.delete(&POLICIES, &[vault, &part::<String>(&entry?.key, 0)?]);
        }
        Ok((batch, files))
    }

    fn view_of_vault(&self, vault: &VaultName, record: &VaultRecord) -> Vault {
        Vault {
            name: vault.clone(),
            vault_uri: self.names.vault_uri(vault),
            state: match record.deletion {
                None => State::Active,
                Some(_) => State::Deleted,
            },
            purge_protection: record.purge_protection,
            soft_delete_retention_days: record.soft_delete_retention_days,
            created: record.created,
            deleted: record.deletion.map(|deletion| deletion.deleted),
            scheduled_purge: record.deletion.map(|deletion| deletion.scheduled_purge),
        }
    }
}
