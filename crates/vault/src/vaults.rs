use std::{collections::BTreeSet, ops::Bound};

use futures_util::TryStreamExt as _;
use sealock_core::{ObjectId, VaultName};
use sealock_entra::{RESOURCE_GROUP, SUBSCRIPTION};
use sealock_store::{Batch, Record, Table};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    Bypass, DefaultAction, Error, IpRule, NetworkRules, Requester, Result, State, Vault,
    audit::Request,
    lookup::part,
    network::IP_RULE_LIMIT,
    records::{
        Deletion, IP_RULES, KEYS, POLICIES, ROTATION_POLICIES, TAGS, VAULTS, VERSIONS, VaultRecord,
    },
    service::Service,
};

const READ: &str = "Microsoft.KeyVault/vaults/read";
const WRITE: &str = "Microsoft.KeyVault/vaults/write";
const DELETE: &str = "Microsoft.KeyVault/vaults/delete";
const PURGE: &str = "Microsoft.KeyVault/locations/deletedVaults/purge/action";

/// What a vault is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VaultSettings {
    /// Which keys it can have.
    pub sku: VaultSku,
    /// Whether nothing can be purged before its retention has passed.
    pub purge_protection: bool,
    /// For how many days, 7 to 90, what was deleted can be recovered. It stays as it is.
    pub soft_delete_retention_days: u32,
    /// Whether roles decide who may do what, instead of access policies.
    pub rbac: bool,
}

/// Which keys a vault can have.
///
/// <https://learn.microsoft.com/azure/key-vault/keys/about-keys#key-types-and-protection-methods>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VaultSku {
    /// Those in software.
    Standard,
    /// Those in hardware security modules, too.
    #[default]
    Premium,
}

/// A change of a vault. What it does not name stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VaultChange {
    /// Can be turned on, for good.
    pub purge_protection: Option<bool>,
    /// Whether roles decide who may do what, instead of access policies.
    pub rbac: Option<bool>,
    /// Whether it serves from its paired region, where nothing can be changed.
    pub failed_over: Option<bool>,
    /// Whether it can be reached from the network at all.
    pub public_network_access: Option<bool>,
    /// What becomes of a request from an address that no rule names.
    pub default_action: Option<DefaultAction>,
    /// Whether trusted services get in whatever the rules say.
    pub bypass: Option<Bypass>,
    /// Addresses to let in.
    pub add_ip_rules: BTreeSet<IpRule>,
    /// Addresses not to let in any more.
    pub remove_ip_rules: BTreeSet<IpRule>,
}

impl Default for VaultSettings {
    fn default() -> Self {
        Self {
            sku: VaultSku::default(),
            purge_protection: false,
            soft_delete_retention_days: 90,
            rbac: false,
        }
    }
}

impl VaultSettings {
    /// <https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview>
    fn retention_is_7_to_90_days(self) -> Result<u16> {
        let days = self.soft_delete_retention_days;
        match u16::try_from(days) {
            Ok(days @ 7..=90) => Ok(days),
            _ => Err(Error::BadParameter(format!(
                "The soft delete retention of {days} days is not valid; it can be 7 to 90 days."
            ))),
        }
    }
}

impl VaultChange {
    /// Whether it only has the vault fail over or back: what the vault cannot refuse.
    fn is_failover(&self) -> bool {
        let rest = Self {
            failed_over: None,
            ..self.clone()
        };
        self.failed_over.is_some() && rest == Self::default()
    }

    /// The rules of a firewall that has `rules`, with this change.
    fn apply_to_rules(&self, mut rules: BTreeSet<IpRule>) -> Result<BTreeSet<IpRule>> {
        let bad = |why: String| Err(Error::BadParameter(why));
        if let Some(rule) = self.add_ip_rules.intersection(&self.remove_ip_rules).next() {
            return bad(format!(
                "The rule '{rule}' cannot be both added and removed."
            ));
        }
        if let Some(rule) = self.remove_ip_rules.difference(&rules).next() {
            return bad(format!("The vault's firewall has no rule '{rule}'."));
        }
        rules.extend(&self.add_ip_rules);
        rules.retain(|rule| !self.remove_ip_rules.contains(rule));
        if rules.len() > IP_RULE_LIMIT {
            return bad(format!(
                "A vault's firewall takes at most {IP_RULE_LIMIT} addresses and ranges."
            ));
        }
        Ok(rules)
    }

    /// The vault with this change.
    fn apply(&self, vault: &VaultRecord) -> Result<VaultRecord> {
        let purge_protection =
            purge_protection_is_irreversible(vault.purge_protection, self.purge_protection)?;
        Ok(VaultRecord {
            purge_protection,
            rbac: self.rbac.unwrap_or(vault.rbac),
            failed_over: self.failed_over.unwrap_or(vault.failed_over),
            network: NetworkRules {
                public_network_access: self
                    .public_network_access
                    .unwrap_or(vault.network.public_network_access),
                default_action: self.default_action.unwrap_or(vault.network.default_action),
                bypass: self.bypass.unwrap_or(vault.network.bypass),
            },
            revision: ObjectId::random(),
            ..vault.clone()
        })
    }
}

/// Purge protection can be turned on, but never off.
///
/// <https://learn.microsoft.com/azure/key-vault/general/soft-delete-overview#purge-protection>
fn purge_protection_is_irreversible(is_on: bool, asked: Option<bool>) -> Result<bool> {
    if is_on && asked == Some(false) {
        return Err(Error::BadParameter(
            "The property \"enablePurgeProtection\" cannot be set to false. Enabling the purge protection for a vault is an irreversible action.".to_owned(),
        ));
    }
    Ok(is_on || asked == Some(true))
}

/// A vault's ARM id.
pub fn resource_id(vault: &VaultName) -> String {
    format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}/providers/Microsoft.KeyVault/vaults/{vault}"
    )
}

impl Service {
    pub(crate) async fn create_vault(
        &self,
        request: &Request,
        vault: &VaultName,
        settings: VaultSettings,
    ) -> Result<Vault> {
        Self::check_operator(&request.requester, WRITE, Some(vault))?;
        self.remove_expired_vault(vault).await?;
        self.change(request, || async {
            let retention_days = match self.find_vault(vault).await? {
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
                None => settings.retention_is_7_to_90_days()?,
            };
            let record = VaultRecord {
                sku: settings.sku,
                purge_protection: settings.purge_protection,
                soft_delete_retention_days: retention_days,
                rbac: settings.rbac,
                network: NetworkRules::default(),
                failed_over: false,
                created: self.clock.now(),
                deletion: None,
                revision: ObjectId::random(),
            };
            let batch = Batch::new().expect_absent(&VAULTS, &[vault.as_str()]).put(
                &VAULTS,
                &[vault.as_str()],
                &record,
            );
            Ok((batch, self.view_of_vault(vault, &record, Vec::new())))
        })
        .await
    }

    pub(crate) async fn vaults(&self, requester: &Requester) -> Result<Vec<Vault>> {
        Self::check_operator(requester, READ, None)?;
        let mut vaults = Vec::new();
        let mut entries = self.store.scan(&VAULTS, &[], Bound::Unbounded);
        while let Some(entry) = entries.try_next().await? {
            if !self.is_over(entry.record.deletion) {
                let vault = part(&entry.key, 0)?;
                let ip_rules = self.ip_rules_of(&vault).await?;
                vaults.push(self.view_of_vault(&vault, &entry.record, ip_rules));
            }
        }
        Ok(vaults)
    }

    pub(crate) async fn vault(&self, requester: &Requester, vault: &VaultName) -> Result<Vault> {
        Self::check_operator(requester, READ, Some(vault))?;
        let record = self
            .find_vault(vault)
            .await?
            .ok_or_else(|| Error::VaultNotFound {
                vault: vault.clone(),
            })?;
        let ip_rules = self.ip_rules_of(vault).await?;
        Ok(self.view_of_vault(vault, &record, ip_rules))
    }

    pub(crate) async fn update_vault(
        &self,
        request: &Request,
        vault: &VaultName,
        change: VaultChange,
    ) -> Result<Vault> {
        Self::check_operator(&request.requester, WRITE, Some(vault))?;
        self.change(request, || async {
            let record = if change.is_failover() {
                self.active_vault(vault).await?
            } else {
                self.changeable_vault(vault).await?
            };
            let changed = change.apply(&record)?;
            let ip_rules = self.ip_rules_of(vault).await?.into_iter().collect();
            let ip_rules = change.apply_to_rules(ip_rules)?;
            let mut batch = Batch::new()
                .expect(&VAULTS, &[vault.as_str()], &record)
                .put(&VAULTS, &[vault.as_str()], &changed);
            for rule in &change.add_ip_rules {
                batch = batch.put(&IP_RULES, &[vault.as_str(), &rule.to_string()], rule);
            }
            for rule in &change.remove_ip_rules {
                batch = batch.delete(&IP_RULES, &[vault.as_str(), &rule.to_string()]);
            }
            let ip_rules = ip_rules.into_iter().collect();
            Ok((batch, self.view_of_vault(vault, &changed, ip_rules)))
        })
        .await
    }

    pub(crate) async fn delete_vault(&self, request: &Request, vault: &VaultName) -> Result<Vault> {
        Self::check_operator(&request.requester, DELETE, Some(vault))?;
        self.change(request, || async {
            let record = self.changeable_vault(vault).await?;
            let deletion = self.deletion(record.soft_delete_retention_days);
            let (batch, view) = self
                .replacement_of_vault(vault, &record, Some(deletion))
                .await?;
            // Whoever recovers it assigns them anew, as in Azure.
            let batch = self
                .directory
                .delete_roles_within(&resource_id(vault), batch)
                .await?;
            Ok((batch, view))
        })
        .await
    }

    pub(crate) async fn recover_vault(
        &self,
        request: &Request,
        vault: &VaultName,
    ) -> Result<Vault> {
        Self::check_operator(&request.requester, WRITE, Some(vault))?;
        self.change(request, || async {
            let record = self.deleted_vault(vault).await?;
            self.replacement_of_vault(vault, &record, None).await
        })
        .await
    }

    pub(crate) async fn purge_vault(&self, request: &Request, vault: &VaultName) -> Result<()> {
        Self::check_operator(&request.requester, PURGE, Some(vault))?;
        self.change(request, || async {
            let record = self.deleted_vault(vault).await?;
            if record.purge_protection {
                return Err(Error::VaultPurgeProtected {
                    vault: vault.clone(),
                });
            }
            Ok((self.removal_of_vault(vault, &record).await?, ()))
        })
        .await
    }

    /// Removes the vault if its retention has passed.
    pub(crate) async fn remove_expired_vault(&self, vault: &VaultName) -> Result<bool> {
        self.change_silently(|| async {
            match self.store.get(&VAULTS, &[vault.as_str()]).await? {
                Some(record) if self.is_over(record.deletion) => {
                    Ok((self.removal_of_vault(vault, &record).await?, true))
                }
                _ => Ok((Batch::new(), false)),
            }
        })
        .await
    }

    async fn deleted_vault(&self, vault: &VaultName) -> Result<Record<VaultRecord>> {
        let found = self.find_vault(vault).await?;
        let is_active = found.is_some();
        found
            .filter(|record| record.deletion.is_some())
            .ok_or_else(|| Error::DeletedVaultNotFound {
                vault: vault.clone(),
                is_active,
            })
    }

    /// The vault with another (or no) deletion.
    async fn replacement_of_vault(
        &self,
        vault: &VaultName,
        record: &Record<VaultRecord>,
        deletion: Option<Deletion>,
    ) -> Result<(Batch, Vault)> {
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
        let ip_rules = self.ip_rules_of(vault).await?;
        let view = self.view_of_vault(vault, &changed, ip_rules);
        Ok((batch, view))
    }

    /// Everything of a deleted vault. Nothing can have been added to it since its record was written,
    /// so what is found now is all there is as long as the record is unchanged.
    async fn removal_of_vault(
        &self,
        vault: &VaultName,
        record: &Record<VaultRecord>,
    ) -> Result<Batch> {
        let (vault, id) = (vault.as_str(), resource_id(vault));
        let mut batch = Batch::new()
            .expect(&VAULTS, &[vault], record)
            .delete(&VAULTS, &[vault]);
        let mut versions = self.store.scan(&VERSIONS, &[vault], Bound::Unbounded);
        while let Some(entry) = versions.try_next().await? {
            batch = entry.record.private_key.remove(batch);
        }
        batch = self.without(&KEYS, vault, batch).await?;
        batch = self.without(&VERSIONS, vault, batch).await?;
        batch = self.without(&TAGS, vault, batch).await?;
        batch = self.without(&ROTATION_POLICIES, vault, batch).await?;
        batch = self.without(&POLICIES, vault, batch).await?;
        batch = self.without(&IP_RULES, vault, batch).await?;
        // Those that were assigned since it was deleted.
        Ok(self.directory.delete_roles_within(&id, batch).await?)
    }

    /// Adds to `batch` that everything goes that a table has of a vault.
    async fn without<T: DeserializeOwned>(
        &self,
        table: &Table<T>,
        vault: &str,
        mut batch: Batch,
    ) -> Result<Batch> {
        let mut entries = self.store.scan(table, &[vault], Bound::Unbounded);
        while let Some(entry) = entries.try_next().await? {
            let mut key = vec![vault.to_owned()];
            key.extend(entry.key);
            let key: Vec<&str> = key.iter().map(String::as_str).collect();
            batch = batch.delete(table, &key);
        }
        Ok(batch)
    }

    fn view_of_vault(
        &self,
        vault: &VaultName,
        record: &VaultRecord,
        ip_rules: Vec<IpRule>,
    ) -> Vault {
        Vault {
            name: vault.clone(),
            id: resource_id(vault),
            vault_uri: self.names.vault_uri(vault),
            state: match record.deletion {
                None => State::Active,
                Some(_) => State::Deleted,
            },
            sku: record.sku,
            rbac: record.rbac,
            purge_protection: record.purge_protection,
            soft_delete_retention_days: record.soft_delete_retention_days,
            network: record.network,
            ip_rules,
            failed_over: record.failed_over,
            created: record.created,
            deleted: record.deletion.map(|deletion| deletion.deleted),
            scheduled_purge: record.deletion.map(|deletion| deletion.scheduled_purge),
        }
    }
}
