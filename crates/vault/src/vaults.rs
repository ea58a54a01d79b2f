mod properties;
mod rules;

use std::{collections::BTreeSet, ops::Bound, sync::Arc};

use futures_util::TryStreamExt as _;
use sealock_core::{Location, ObjectId, VaultName};
use sealock_entra::{TrackedResource, default_location};
use sealock_store::{Batch, Record, Table};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    Bypass, DefaultAction, Error, IpRule, NetworkRules, Result, State, Vault,
    arm_id::resource_id,
    lists::VaultLists,
    lookup::parse_segment,
    operation::{
        CreateVault, DeleteVault, GetDeletedVault, GetVault, ListVaults, Operation, Permit,
        PurgeVault, RecoverVault, UpdateVault,
    },
    records::{
        Deletion, IP_RULES, KEYS, POLICIES, ROTATION_POLICIES, TAGS, VAULTS, VERSIONS,
        VIRTUAL_NETWORK_RULES, VaultRecord,
    },
    service::Service,
};

pub use self::properties::{EnabledFor, NetworkAcls, VaultProperties};
pub(crate) use self::rules::replica_region;

/// The settings of a new vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VaultSettings {
    /// Its region.
    pub location: Location,
    /// Its tier.
    pub sku: VaultSku,
    /// True if neither the vault nor its keys can be purged before their retention has passed.
    pub purge_protection: bool,
    /// The days, 7 to 90, for which a deleted vault or key can be recovered. They cannot be changed later.
    pub soft_delete_retention_days: u32,
    /// True if roles grant permissions to its keys, false if access policies do.
    pub rbac: bool,
}

/// The tier of a vault, which determines the types of its keys.
///
/// <https://learn.microsoft.com/azure/key-vault/keys/about-keys#key-types-and-protection-methods>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VaultSku {
    /// Keys in software.
    Standard,
    /// Keys in software and in hardware security modules.
    #[default]
    Premium,
}

/// A change to a vault. Absent fields keep their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VaultChange {
    /// The purge protection, which can be turned on but not off.
    pub purge_protection: Option<bool>,
    /// True if roles grant permissions to its keys, false if access policies do.
    pub rbac: Option<bool>,
    /// True if it serves from its paired region, where it is read-only.
    pub failed_over: Option<bool>,
    /// False if only trusted services can reach it.
    pub public_network_access: Option<bool>,
    /// The treatment of an address that no rule covers.
    pub default_action: Option<DefaultAction>,
    /// The services that pass the firewall.
    pub bypass: Option<Bypass>,
    /// Rules to add to the firewall.
    pub add_ip_rules: BTreeSet<IpRule>,
    /// Rules to remove from the firewall.
    pub remove_ip_rules: BTreeSet<IpRule>,
}

impl Default for VaultSettings {
    fn default() -> Self {
        Self {
            location: default_location(),
            sku: VaultSku::default(),
            purge_protection: false,
            soft_delete_retention_days: 90,
            rbac: false,
        }
    }
}

impl VaultChange {
    /// Returns true if the change only fails the vault over or back, which works on a read-only vault, too.
    fn is_failover(&self) -> bool {
        let rest = Self {
            failed_over: None,
            ..self.clone()
        };
        self.failed_over.is_some() && rest == Self::default()
    }

    /// Applies the change to a firewall's rules.
    fn apply_to_ip_rules(&self, held: &[IpRule]) -> Result<Vec<IpRule>> {
        let bad = |why: String| Err(Error::BadParameter(why));
        if let Some(rule) = self.add_ip_rules.intersection(&self.remove_ip_rules).next() {
            return bad(format!(
                "The rule '{rule}' cannot be both added and removed."
            ));
        }
        if let Some(rule) = self.remove_ip_rules.iter().find(|it| !held.contains(it)) {
            return bad(format!("The vault's firewall has no rule '{rule}'."));
        }
        let added = self.add_ip_rules.iter().filter(|it| !held.contains(it));
        let mut kept: Vec<IpRule> = held.iter().chain(added).copied().collect();
        kept.retain(|rule| !self.remove_ip_rules.contains(rule));
        rules::at_most_1000_ip_rules(kept.len())?;
        Ok(kept)
    }

    /// Applies the change to a vault.
    fn apply(&self, vault: &VaultRecord) -> Result<VaultRecord> {
        let purge_protection =
            rules::purge_protection_is_irreversible(vault.purge_protection, self.purge_protection)?;
        if self.failed_over == Some(true) {
            rules::failover_needs_a_replica(&vault.resource.location)?;
        }
        Ok(VaultRecord {
            purge_protection,
            rbac: self.rbac.or(vault.rbac),
            failed_over: self.failed_over.unwrap_or(vault.failed_over),
            network: NetworkRules {
                public_network_access: self
                    .public_network_access
                    .unwrap_or(vault.network.public_network_access),
                default_action: self.default_action.unwrap_or(vault.network.default_action),
                bypass: self.bypass.unwrap_or(vault.network.bypass),
            },
            ..vault.clone()
        })
    }
}

impl Permit<CreateVault> {
    /// Creates the vault.
    pub async fn run(self, settings: VaultSettings) -> Result<Vault> {
        self.run_to_end(move |permit| async move {
            let (service, vault) = (&permit.service, &permit.target);
            service.remove_expired_vault(vault).await?;
            let plan = |()| async {
                let record = VaultRecord {
                    resource: TrackedResource {
                        location: settings.location.clone(),
                        ..service.default_place()
                    },
                    sku: settings.sku,
                    purge_protection: settings.purge_protection,
                    soft_delete_retention_days: rules::retention_is_7_to_90_days(
                        settings.soft_delete_retention_days,
                    )?,
                    rbac: Some(settings.rbac),
                    enabled_for: EnabledFor::default(),
                    network: NetworkRules::default(),
                    failed_over: false,
                    deletion: None,
                    revision: ObjectId::random(),
                };
                let key = [vault.as_str()];
                let batch = Batch::new()
                    .expect_absent(&VAULTS, &key)
                    .put(&VAULTS, &key, &record);
                Ok((
                    batch,
                    service.view_of_vault(vault, &record, VaultLists::default()),
                ))
            };
            permit.commit_change(plan).await
        })
        .await
    }
}

impl Permit<ListVaults> {
    /// Lists all vaults by name, deleted ones included.
    pub async fn run(self) -> Result<Vec<Vault>> {
        self.run_to_end(|permit| async move {
            let service = &permit.service;
            let mut vaults = Vec::new();
            let mut entries = service.store.scan(&VAULTS, &[], Bound::Unbounded);
            while let Some(entry) = entries.try_next().await? {
                if !service.retention_has_passed(entry.record.deletion) {
                    let vault = parse_segment(&entry.key, 0)?;
                    let (record, lists) = service.whole_vault(&vault, &entry.record).await?;
                    vaults.push(service.view_of_vault(&vault, &record, lists));
                }
            }
            Ok(vaults)
        })
        .await
    }
}

impl Permit<GetVault> {
    /// Shows the vault, even if it is deleted.
    pub async fn run(self) -> Result<Vault> {
        self.run_to_end(|permit| async move {
            let (service, vault) = (&permit.service, &permit.target.vault);
            let (record, lists) = service.whole_vault(vault, &permit.records).await?;
            Ok(service.view_of_vault(vault, &record, lists))
        })
        .await
    }
}

impl Permit<GetDeletedVault> {
    /// Shows the deleted vault.
    pub async fn run(self) -> Result<Vault> {
        self.run_to_end(|permit| async move {
            let (service, vault) = (&permit.service, &permit.target.vault);
            let (record, lists) = service.whole_vault(vault, &permit.records).await?;
            Ok(service.view_of_vault(vault, &record, lists))
        })
        .await
    }
}

impl Permit<UpdateVault> {
    /// Changes the vault.
    pub async fn run(self, change: VaultChange) -> Result<Vault> {
        let change = Arc::new(change);
        self.run_change(move |permit, record| {
            let change = Arc::clone(&change);
            async move {
                let (service, vault) = (&permit.service, &permit.target.vault);
                if record.failed_over && !change.is_failover() {
                    return Err(Error::FailedOver {
                        vault: vault.clone(),
                    });
                }
                let changed = change.apply(&permit.touched(&record))?;
                let held = service.lists_of(vault).await?;
                let lists = VaultLists {
                    ip_rules: change.apply_to_ip_rules(&held.ip_rules)?,
                    ..held.clone()
                };
                let batch = Batch::new()
                    .expect(&VAULTS, &[vault.as_str()], &record)
                    .put(&VAULTS, &[vault.as_str()], &changed);
                let batch = lists.replace(&held, vault, batch);
                Ok((batch, service.view_of_vault(vault, &changed, lists)))
            }
        })
        .await
    }
}

impl<O: Operation> Permit<O> {
    /// Returns the vault's record after a change by the requester.
    pub(crate) fn touched(&self, record: &VaultRecord) -> VaultRecord {
        let author = &self.request.requester.caller;
        let resource = record.resource.clone();
        VaultRecord {
            resource: resource.changed_by(author, self.service.clock.now()),
            revision: ObjectId::random(),
            ..record.clone()
        }
    }
}

impl Permit<DeleteVault> {
    /// Soft-deletes the vault.
    pub async fn run(self) -> Result<Vault> {
        self.run_change(|permit, record| async move {
            let (service, vault) = (&permit.service, &permit.target.vault);
            let deletion = service.new_deletion(record.soft_delete_retention_days);
            let (batch, view) = service
                .plan_vault_replacement(vault, &record, Some(deletion))
                .await?;
            // As in Azure, a recovery does not restore the role assignments.
            let batch = service
                .directory
                .delete_roles_within(&resource_id(vault, &record.resource), batch)
                .await?;
            Ok((batch, view))
        })
        .await
    }
}

impl Permit<RecoverVault> {
    /// Recovers the vault with all its content.
    pub async fn run(self) -> Result<Vault> {
        self.run_change(|permit, record| async move {
            permit
                .service
                .plan_vault_replacement(&permit.target.vault, &record, None)
                .await
        })
        .await
    }
}

impl Permit<PurgeVault> {
    /// Purges the vault and all its keys. Removes their files before it returns.
    pub async fn run(self) -> Result<()> {
        self.run_change(|permit, record| async move {
            let service = &permit.service;
            let batch = service
                .plan_vault_removal(&permit.target.vault, &record)
                .await?;
            Ok((batch, ()))
        })
        .await
    }
}

impl Service {
    /// Removes the vault if its retention has passed.
    pub(crate) async fn remove_expired_vault(&self, vault: &VaultName) -> Result<bool> {
        self.commit_with_retries(|| async {
            match self.store.get(&VAULTS, &[vault.as_str()]).await? {
                Some(record) if self.retention_has_passed(record.deletion) => {
                    Ok((self.plan_vault_removal(vault, &record).await?, true))
                }
                _ => Ok((Batch::new(), false)),
            }
        })
        .await
    }

    /// Plans the replacement of the vault's deletion, or its removal.
    async fn plan_vault_replacement(
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
        let lists = self.lists_of(vault).await?;
        let view = self.view_of_vault(vault, &changed, lists);
        Ok((batch, view))
    }

    /// Plans the removal of a deleted vault with all its content. Nothing can be added to a deleted vault, so the batch
    /// is complete as long as the vault's record is unchanged.
    async fn plan_vault_removal(
        &self,
        vault: &VaultName,
        record: &Record<VaultRecord>,
    ) -> Result<Batch> {
        let id = resource_id(vault, &record.resource);
        let vault = vault.as_str();
        let mut batch = Batch::new()
            .expect(&VAULTS, &[vault], record)
            .delete(&VAULTS, &[vault]);
        let mut versions = self.store.scan(&VERSIONS, &[vault], Bound::Unbounded);
        while let Some(entry) = versions.try_next().await? {
            batch = entry.record.private_key.remove_objects(batch);
        }
        batch = self.delete_records_of_vault(&KEYS, vault, batch).await?;
        batch = self
            .delete_records_of_vault(&VERSIONS, vault, batch)
            .await?;
        batch = self.delete_records_of_vault(&TAGS, vault, batch).await?;
        batch = self
            .delete_records_of_vault(&ROTATION_POLICIES, vault, batch)
            .await?;
        batch = self
            .delete_records_of_vault(&POLICIES, vault, batch)
            .await?;
        batch = self
            .delete_records_of_vault(&IP_RULES, vault, batch)
            .await?;
        batch = self
            .delete_records_of_vault(&VIRTUAL_NETWORK_RULES, vault, batch)
            .await?;
        // Roles may have been assigned since the deletion.
        Ok(self.directory.delete_roles_within(&id, batch).await?)
    }

    /// Adds to `batch` the removal of a vault's records from a table.
    async fn delete_records_of_vault<T: DeserializeOwned + Send + 'static>(
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

    fn view_of_vault(&self, vault: &VaultName, record: &VaultRecord, lists: VaultLists) -> Vault {
        Vault {
            name: vault.clone(),
            id: resource_id(vault, &record.resource),
            resource: record.resource.clone(),
            vault_uri: self.names.vault_uri(vault),
            state: match record.deletion {
                None => State::Active,
                Some(_) => State::Deleted,
            },
            sku: record.sku,
            rbac: record.rbac,
            policies: lists.policies,
            enabled_for: record.enabled_for,
            purge_protection: record.purge_protection,
            soft_delete_retention_days: record.soft_delete_retention_days,
            network: record.network,
            ip_rules: lists.ip_rules,
            virtual_network_rules: lists.virtual_network_rules,
            replica_region: replica_region(&record.resource.location),
            serving_region: record.serving_region(),
            failed_over: record.failed_over,
            deleted: record.deletion.map(|deletion| deletion.deleted),
            scheduled_purge: record.deletion.map(|deletion| deletion.scheduled_purge),
        }
    }
}
