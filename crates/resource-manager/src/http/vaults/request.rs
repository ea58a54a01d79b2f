use std::{collections::BTreeMap, str::FromStr};

use sealock_core::{Location, TenantId, excerpt};
use sealock_vault::{
    AccessPolicy, Bypass, ContentKind, DefaultAction, Error as VaultError, IpRule, NetworkAcls,
    PermissionNames, PolicyPermissions, VaultProperties, VaultSku, VirtualNetworkRule,
};
use serde::Deserialize;

use super::super::body::read_tags;
use crate::Result;

/// A vault in a request. Read-only members are ignored, so that a client can send back what it got.
///
/// <https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/create-or-update#request-body>
#[derive(Deserialize)]
pub(super) struct NewVault {
    pub(super) location: Option<String>,
    tags: Option<BTreeMap<String, Option<String>>>,
    properties: Option<NewProperties>,
}

#[derive(Default, Deserialize)]
struct NewProperties {
    tenantid: Option<String>,
    sku: Option<NewSku>,
    accesspolicies: Option<Vec<NewPolicy>>,
    createmode: Option<String>,
    enabledfordeployment: Option<bool>,
    enabledfordiskencryption: Option<bool>,
    enabledfortemplatedeployment: Option<bool>,
    enablerbacauthorization: Option<bool>,
    enablesoftdelete: Option<bool>,
    softdeleteretentionindays: Option<u32>,
    enablepurgeprotection: Option<bool>,
    networkacls: Option<NewNetworkAcls>,
    publicnetworkaccess: Option<String>,
}

#[derive(Deserialize)]
struct NewSku {
    family: Option<String>,
    name: Option<String>,
}

#[derive(Deserialize)]
struct NewNetworkAcls {
    bypass: Option<String>,
    defaultaction: Option<String>,
    iprules: Option<Vec<NewIpRule>>,
    virtualnetworkrules: Option<Vec<NewVirtualNetworkRule>>,
}

#[derive(Deserialize)]
struct NewIpRule {
    value: String,
}

#[derive(Deserialize)]
struct NewVirtualNetworkRule {
    id: String,
    ignoremissingvnetserviceendpoint: Option<bool>,
}

#[derive(Deserialize)]
struct NewPolicy {
    tenantid: Option<String>,
    objectid: Option<String>,
    applicationid: Option<String>,
    permissions: Option<NewPermissions>,
}

#[derive(Default, Deserialize)]
struct NewPermissions {
    keys: Option<Vec<String>>,
    secrets: Option<Vec<String>>,
    certificates: Option<Vec<String>>,
    storage: Option<Vec<String>>,
}

/// A change of access policies in a request.
#[derive(Deserialize)]
pub(super) struct NewPolicies {
    properties: Option<NewPolicyList>,
}

#[derive(Deserialize)]
struct NewPolicyList {
    accesspolicies: Option<Vec<NewPolicy>>,
}

/// A name to check.
#[derive(Deserialize)]
pub(super) struct NameCheck {
    pub(super) name: Option<String>,
}

impl NewVault {
    /// Returns true if the request recovers a deleted vault.
    ///
    /// <https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/create-or-update#createmode>
    pub(super) fn is_recovery(&self) -> Result<bool> {
        let properties = self.properties.as_ref();
        let mode = properties.and_then(|it| it.createmode.as_deref());
        let modes = [("default", false), ("recover", true)];
        Ok(word(mode, &modes, "createMode")?.unwrap_or(false))
    }

    /// Reads the properties. `location` is the one of the request.
    pub(super) fn properties(self, location: Option<Location>) -> Result<VaultProperties> {
        let tags = self.tags.map(|tags| read_tags(Some(tags))).transpose()?;
        let given = self.properties.unwrap_or_default();
        let tenant_id = given.tenantid.as_deref();
        let tenant_id = tenant_id.map(|id| parse(id, "tenantId")).transpose()?;
        let policies = match (given.accesspolicies, tenant_id) {
            (None, _) => None,
            (Some(policies), tenant) => Some(read_policies(policies, tenant)?),
        };
        let access = [("Enabled", true), ("Disabled", false)];
        Ok(VaultProperties {
            location,
            tags,
            tenant_id,
            sku: given.sku.map(NewSku::parse).transpose()?,
            policies,
            enabled_for_deployment: given.enabledfordeployment,
            enabled_for_disk_encryption: given.enabledfordiskencryption,
            enabled_for_template_deployment: given.enabledfortemplatedeployment,
            rbac: given.enablerbacauthorization,
            soft_delete: given.enablesoftdelete,
            soft_delete_retention_days: given.softdeleteretentionindays,
            purge_protection: given.enablepurgeprotection,
            network: given.networkacls.map(NewNetworkAcls::parse).transpose()?,
            public_network_access: word(
                given.publicnetworkaccess.as_deref(),
                &access,
                "publicNetworkAccess",
            )?,
        })
    }
}

impl NewPolicies {
    /// Reads the policies of a vault in the tenant `ours`.
    pub(super) fn policies(self, ours: TenantId) -> Result<Vec<AccessPolicy>> {
        let given = self.properties.and_then(|it| it.accesspolicies);
        let given = given.ok_or_else(|| VaultError::invalid_vault_property("accessPolicies"))?;
        read_policies(given, Some(ours))
    }
}

impl NewSku {
    fn parse(self) -> Result<VaultSku> {
        let is_known_family = self.family.is_none_or(|it| it.eq_ignore_ascii_case("A"));
        let names = [
            ("standard", VaultSku::Standard),
            ("premium", VaultSku::Premium),
        ];
        match word(self.name.as_deref(), &names, "sku")? {
            Some(sku) if is_known_family => Ok(sku),
            _ => Err(VaultError::invalid_vault_property("sku").into()),
        }
    }
}

impl NewNetworkAcls {
    fn parse(self) -> Result<NetworkAcls> {
        let services = [
            ("AzureServices", Bypass::AzureServices),
            ("None", Bypass::None),
        ];
        let actions = [
            ("Allow", DefaultAction::Allow),
            ("Deny", DefaultAction::Deny),
        ];
        let ip_rules = self.iprules.map(|rules| {
            let rules = rules.into_iter().map(|rule| IpRule::try_from(rule.value));
            rules.collect::<Result<Vec<_>, _>>()
        });
        let subnets = self.virtualnetworkrules.map(|rules| {
            let rules = rules.into_iter().map(|rule| VirtualNetworkRule {
                id: rule.id,
                ignore_missing_service_endpoint: rule.ignoremissingvnetserviceendpoint,
            });
            rules.collect()
        });
        Ok(NetworkAcls {
            bypass: word(self.bypass.as_deref(), &services, "networkAcls.bypass")?,
            default_action: word(
                self.defaultaction.as_deref(),
                &actions,
                "networkAcls.defaultAction",
            )?,
            ip_rules: ip_rules.transpose()?,
            virtual_network_rules: subnets,
        })
    }
}

/// Reads access policies, which belong to the vault's tenant. The text for an id is Azure's:
/// <https://github.com/alexander-kastil/az-204/issues/142>
fn read_policies(given: Vec<NewPolicy>, tenant: Option<TenantId>) -> Result<Vec<AccessPolicy>> {
    let read = given.into_iter().enumerate().map(|(index, policy)| {
        let invalid = |member: &str, value: &str| {
            VaultError::VaultPropertyInvalid(format!(
                "Invalid value found at accessPolicies[{index}].{member}: {}",
                excerpt(value)
            ))
        };
        let named = policy.tenantid.unwrap_or_default();
        let of_tenant = named.parse().ok();
        if of_tenant.is_none() || tenant.is_some_and(|tenant| of_tenant != Some(tenant)) {
            return Err(invalid("TenantId", &named).into());
        }
        let object = policy.objectid.unwrap_or_default();
        let principal = object.parse().map_err(|_| invalid("ObjectId", &object))?;
        let application = policy.applicationid.map(|id| {
            let parsed = id.parse();
            parsed.map_err(|_| invalid("ApplicationId", &id))
        });
        Ok(AccessPolicy {
            principal,
            application: application.transpose()?,
            permissions: policy.permissions.unwrap_or_default().parse()?,
        })
    });
    read.collect()
}

impl NewPermissions {
    fn parse(self) -> Result<PolicyPermissions> {
        let parse = |kind, names: Option<Vec<String>>| {
            let parsed = names.map(|names| PermissionNames::parse(kind, names));
            parsed.transpose()
        };
        Ok(PolicyPermissions {
            keys: parse(ContentKind::Keys, self.keys)?,
            secrets: parse(ContentKind::Secrets, self.secrets)?,
            certificates: parse(ContentKind::Certificates, self.certificates)?,
            storage: parse(ContentKind::Storage, self.storage)?,
        })
    }
}

fn parse<T: FromStr>(text: &str, property: &str) -> Result<T> {
    let parsed = text.parse();
    parsed.map_err(|_| VaultError::invalid_vault_property(property).into())
}

/// Reads a word in any case.
fn word<T: Copy>(text: Option<&str>, words: &[(&str, T)], property: &str) -> Result<Option<T>> {
    let Some(text) = text else {
        return Ok(None);
    };
    let mut words = words.iter();
    match words.find(|(word, _)| word.eq_ignore_ascii_case(text)) {
        Some((_, value)) => Ok(Some(*value)),
        None => Err(VaultError::invalid_vault_property(property).into()),
    }
}
