use std::sync::Arc;

use sealock_core::{Location, ObjectId, TenantId, VaultName};
use sealock_entra::{Tags, TrackedResource};
use sealock_store::{Batch, Record};
use serde::{Deserialize, Serialize};

use super::rules;
use crate::{
    AccessPolicy, Bypass, DefaultAction, Error, IpRule, NetworkRules, Result, Vault, VaultSku,
    VirtualNetworkRule,
    authorization::at_most_1024_policies,
    lists::VaultLists,
    operation::{ManagedVault, Operation, PatchVault, Permit, PutVault, Target as _},
    records::{VAULTS, VaultRecord},
};

/// The properties of a vault as a client of Resource Manager gives them. An absent one gets its default, or keeps its
/// value.
///
/// <https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/create-or-update#vaultproperties>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VaultProperties {
    /// The region.
    pub location: Option<Location>,
    /// The tags.
    pub tags: Option<Tags>,
    /// The tenant, which must be that of the subscription.
    pub tenant_id: Option<TenantId>,
    /// The tier.
    pub sku: Option<VaultSku>,
    /// All access policies.
    pub policies: Option<Vec<AccessPolicy>>,
    /// True if virtual machines may read its secrets.
    pub enabled_for_deployment: Option<bool>,
    /// True if disk encryption may use its content.
    pub enabled_for_disk_encryption: Option<bool>,
    /// True if deployments may read its secrets.
    pub enabled_for_template_deployment: Option<bool>,
    /// True if roles grant permissions to its content, false if access policies do.
    pub rbac: Option<bool>,
    /// The soft delete, which cannot be turned off.
    pub soft_delete: Option<bool>,
    /// The days for which a deleted vault or key can be recovered.
    pub soft_delete_retention_days: Option<u32>,
    /// The purge protection, which can be turned on but not off.
    pub purge_protection: Option<bool>,
    /// The firewall.
    pub network: Option<NetworkAcls>,
    /// False if only trusted services can reach it.
    pub public_network_access: Option<bool>,
}

/// The firewall of a vault as a client of Resource Manager gives it.
///
/// <https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/create-or-update#networkruleset>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkAcls {
    /// The services that pass the firewall.
    pub bypass: Option<Bypass>,
    /// The treatment of an address that no rule covers.
    pub default_action: Option<DefaultAction>,
    /// The addresses and ranges to let in.
    pub ip_rules: Option<Vec<IpRule>>,
    /// The subnets to let in.
    pub virtual_network_rules: Option<Vec<VirtualNetworkRule>>,
}

/// The services of Azure that may use a vault's content, which the emulator only keeps. Azure does not show what is
/// `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnabledFor {
    /// True if virtual machines may read its secrets.
    pub deployment: bool,
    /// True if disk encryption may use its content.
    pub disk_encryption: Option<bool>,
    /// True if deployments may read its secrets.
    pub template_deployment: Option<bool>,
}

impl Permit<PutVault> {
    /// Creates the vault, or replaces the settings of the existing one by `properties`. Absent ones get their defaults,
    /// but the purge protection, the retention and the access model of an existing vault stay.
    pub async fn run(self, properties: VaultProperties) -> Result<Vault> {
        let properties = Arc::new(properties);
        self.run_to_end(move |permit| async move {
            let vault = &permit.target.vault;
            permit.service.remove_expired_vault(vault).await?;
            let plan = |found: Option<Record<VaultRecord>>| {
                let (permit, properties) = (&permit, &properties);
                async move { permit.plan_vault(found.as_ref(), properties).await }
            };
            permit.commit_change(plan).await
        })
        .await
    }
}

impl Permit<PatchVault> {
    /// Changes the settings that `properties` has.
    pub async fn run(self, properties: VaultProperties) -> Result<Vault> {
        let properties = Arc::new(properties);
        self.run_change(move |permit, record| {
            let properties = Arc::clone(&properties);
            async move {
                let (service, vault) = (&permit.service, &permit.target.vault);
                let lists = service.lists_of(vault).await?;
                let tenant = service.directory.tenant();
                let whole = properties.completed_by(&record, lists, tenant);
                permit.plan_vault(Some(&record), &whole).await
            }
        })
        .await
    }
}

impl<O: Operation<Target = ManagedVault>> Permit<O> {
    /// Plans a vault with these properties in the place of the one `found`.
    async fn plan_vault(
        &self,
        found: Option<&Record<VaultRecord>>,
        properties: &VaultProperties,
    ) -> Result<(Batch, Vault)> {
        let (service, vault) = (&self.service, &self.target.vault);
        let tenant = service.directory.tenant();
        rules::tenant_is_the_subscriptions(tenant, properties.tenant_id)?;
        let record = match found {
            Some(found) => properties.replace(vault, &self.touched(found))?,
            None => {
                let resource = self.new_resource(properties)?;
                let api_version = self.request.requester.client.api_version.as_deref();
                let roles_decide = rules::roles_decide_by_default(api_version);
                properties.create(resource, roles_decide)?
            }
        };
        let lists = properties.lists(record.uses_roles())?;
        let held = match found {
            Some(_) => service.lists_of(vault).await?,
            None => VaultLists::default(),
        };
        let key = [vault.as_str()];
        let batch = Batch::new()
            .expect_same(&VAULTS, &key, found)
            .put(&VAULTS, &key, &record);
        let batch = lists.replace(&held, vault, batch);
        Ok((batch, service.view_of_vault(vault, &record, lists)))
    }

    /// Describes the place, tags and history of a new vault.
    fn new_resource(&self, properties: &VaultProperties) -> Result<TrackedResource> {
        let (Some(group), Some(location)) = (self.target.group(), &properties.location) else {
            return Err(Error::invalid_vault_property("location"));
        };
        Ok(TrackedResource::new(
            group.clone(),
            location.clone(),
            properties.tags.clone().unwrap_or_default(),
            &self.request.requester.caller,
            self.service.clock.now(),
        ))
    }
}

impl VaultProperties {
    /// Makes the record of a new vault.
    fn create(&self, resource: TrackedResource, roles_decide: bool) -> Result<VaultRecord> {
        let days = self.soft_delete_retention_days;
        let days = days.map(rules::retention_is_7_to_90_days).transpose()?;
        let empty = VaultRecord {
            resource,
            sku: VaultSku::default(),
            purge_protection: false,
            soft_delete_retention_days: days.unwrap_or(rules::DEFAULT_RETENTION_DAYS),
            rbac: roles_decide.then_some(true),
            enabled_for: EnabledFor::default(),
            network: NetworkRules::default(),
            failed_over: false,
            deletion: None,
            revision: ObjectId::random(),
        };
        self.with_settings(&empty)
    }

    /// Makes the record of an existing vault whose settings are replaced.
    fn replace(&self, vault: &VaultName, record: &VaultRecord) -> Result<VaultRecord> {
        let days = record.soft_delete_retention_days;
        rules::retention_cannot_change(days, self.soft_delete_retention_days)?;
        let resource = &record.resource;
        if let Some(location) = &self.location
            && *location != resource.location
        {
            return Err(Error::VaultElsewhere {
                vault: vault.clone(),
                group: resource.resource_group.clone(),
                location: resource.location.clone(),
                requested: location.clone(),
            });
        }
        self.with_settings(&VaultRecord {
            resource: TrackedResource {
                tags: self.tags.clone().unwrap_or_default(),
                ..resource.clone()
            },
            ..record.clone()
        })
    }

    /// Returns the record with these settings, or their defaults.
    fn with_settings(&self, record: &VaultRecord) -> Result<VaultRecord> {
        rules::soft_delete_cannot_be_disabled(self.soft_delete)?;
        rules::purge_protection_cannot_be_false(self.purge_protection)?;
        let (network, default) = (self.network.as_ref(), NetworkRules::default());
        Ok(VaultRecord {
            sku: self
                .sku
                .ok_or_else(|| Error::invalid_vault_property("sku"))?,
            purge_protection: record.purge_protection || self.purge_protection == Some(true),
            rbac: self.rbac.or(record.rbac),
            enabled_for: EnabledFor {
                deployment: self.enabled_for_deployment.unwrap_or_default(),
                disk_encryption: self.enabled_for_disk_encryption,
                template_deployment: self.enabled_for_template_deployment,
            },
            network: NetworkRules {
                public_network_access: self
                    .public_network_access
                    .unwrap_or(default.public_network_access),
                default_action: network
                    .and_then(|acls| acls.default_action)
                    .unwrap_or(default.default_action),
                bypass: network
                    .and_then(|acls| acls.bypass)
                    .unwrap_or(default.bypass),
            },
            ..record.clone()
        })
    }

    /// Returns the lists of a vault with these properties. Where access policies decide, they must be given.
    fn lists(&self, uses_roles: bool) -> Result<VaultLists> {
        let given = match &self.policies {
            Some(policies) => policies.as_slice(),
            None if uses_roles => &[],
            None => return Err(Error::invalid_vault_property("accessPolicies")),
        };
        let mut policies: Vec<AccessPolicy> = Vec::new();
        for policy in given {
            match policies.iter_mut().find(|held| held.is_for_same(policy)) {
                Some(held) => held.permissions = held.permissions.union(&policy.permissions),
                None => policies.push(policy.clone()),
            }
        }
        at_most_1024_policies(policies.len())?;
        let acls = self.network.clone().unwrap_or_default();
        let mut ip_rules = Vec::new();
        for rule in acls.ip_rules.unwrap_or_default() {
            if !ip_rules.contains(&rule) {
                ip_rules.push(rule);
            }
        }
        rules::at_most_1000_ip_rules(ip_rules.len())?;
        let virtual_network_rules = acls.virtual_network_rules.unwrap_or_default();
        let ids = virtual_network_rules.iter().map(|rule| rule.id.as_str());
        rules::at_most_200_virtual_network_rules(ids)?;
        Ok(VaultLists {
            policies,
            ip_rules,
            virtual_network_rules,
        })
    }

    /// Returns the properties with those of a vault in the place of absent ones.
    fn completed_by(&self, record: &VaultRecord, lists: VaultLists, tenant: TenantId) -> Self {
        let acls = self.network.clone().unwrap_or_default();
        let (enabled_for, network) = (record.enabled_for, record.network);
        let given = self.clone();
        Self {
            tags: given.tags.or_else(|| Some(record.resource.tags.clone())),
            tenant_id: given.tenant_id.or(Some(tenant)),
            sku: given.sku.or(Some(record.sku)),
            policies: given.policies.or(Some(lists.policies)),
            enabled_for_deployment: given
                .enabled_for_deployment
                .or(Some(enabled_for.deployment)),
            enabled_for_disk_encryption: given
                .enabled_for_disk_encryption
                .or(enabled_for.disk_encryption),
            enabled_for_template_deployment: given
                .enabled_for_template_deployment
                .or(enabled_for.template_deployment),
            network: Some(NetworkAcls {
                bypass: acls.bypass.or(Some(network.bypass)),
                default_action: acls.default_action.or(Some(network.default_action)),
                ip_rules: acls.ip_rules.or(Some(lists.ip_rules)),
                virtual_network_rules: acls
                    .virtual_network_rules
                    .or(Some(lists.virtual_network_rules)),
            }),
            public_network_access: given
                .public_network_access
                .or(Some(network.public_network_access)),
            ..given
        }
    }
}
