use sealock_core::{ClientId, PrincipalId, TenantId, VaultName};
use sealock_entra::Tags;
use sealock_vault::{
    AccessPolicy, Bypass, DefaultAction, NetworkRules, PermissionNames, PolicyPermissions, Vault,
    VaultSku,
};
use serde::Serialize;

use super::super::body::SystemDataBody;
use crate::{operations::ProvisioningState, resources::VAULT};

/// A vault in an answer. The members are in Azure's order.
///
/// <https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/get#vault>
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct VaultBody {
    id: String,
    name: VaultName,
    #[serde(rename = "type")]
    resource_type: &'static str,
    location: String,
    tags: Tags,
    system_data: SystemDataBody,
    properties: PropertiesBody,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PropertiesBody {
    sku: SkuBody,
    tenant_id: TenantId,
    #[serde(skip_serializing_if = "Option::is_none")]
    network_acls: Option<NetworkAclsBody>,
    access_policies: Vec<PolicyBody>,
    enabled_for_deployment: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled_for_disk_encryption: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled_for_template_deployment: Option<bool>,
    enable_soft_delete: bool,
    soft_delete_retention_in_days: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    enable_rbac_authorization: Option<bool>,
    /// Never false: Azure omits it until it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    enable_purge_protection: Option<bool>,
    vault_uri: String,
    provisioning_state: &'static str,
    public_network_access: &'static str,
}

#[derive(Serialize)]
struct SkuBody {
    family: &'static str,
    name: VaultSku,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NetworkAclsBody {
    bypass: Bypass,
    default_action: DefaultAction,
    ip_rules: Vec<IpRuleBody>,
    virtual_network_rules: Vec<VirtualNetworkRuleBody>,
}

#[derive(Serialize)]
struct IpRuleBody {
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VirtualNetworkRuleBody {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ignore_missing_vnet_service_endpoint: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PolicyBody {
    tenant_id: TenantId,
    object_id: PrincipalId,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_id: Option<ClientId>,
    permissions: PermissionsBody,
}

#[derive(Serialize)]
struct PermissionsBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<PermissionNames>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secrets: Option<PermissionNames>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificates: Option<PermissionNames>,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage: Option<PermissionNames>,
}

/// The access policies of a vault in the answer to their change.
///
/// <https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/update-access-policy#vaultaccesspolicyparameters>
#[derive(Serialize)]
pub(super) struct PoliciesBody {
    id: String,
    #[serde(rename = "type")]
    resource_type: &'static str,
    properties: PolicyListBody,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PolicyListBody {
    access_policies: Vec<PolicyBody>,
}

impl VaultBody {
    pub(super) fn of(vault: Vault, tenant: TenantId, state: ProvisioningState) -> Self {
        Self {
            location: vault.resource.location.to_string(),
            tags: vault.resource.tags.clone(),
            // Vaults show milliseconds, other resources more.
            system_data: SystemDataBody::with_digits(vault.resource.system_data.clone(), 3),
            id: vault.id.clone(),
            name: vault.name.clone(),
            resource_type: VAULT,
            properties: PropertiesBody::of(vault, tenant, state),
        }
    }
}

impl PropertiesBody {
    fn of(vault: Vault, tenant: TenantId, state: ProvisioningState) -> Self {
        Self {
            sku: SkuBody {
                family: "A",
                name: vault.sku,
            },
            tenant_id: tenant,
            network_acls: NetworkAclsBody::of(&vault),
            access_policies: policy_bodies(tenant, vault.policies),
            enabled_for_deployment: vault.enabled_for.deployment,
            enabled_for_disk_encryption: vault.enabled_for.disk_encryption,
            enabled_for_template_deployment: vault.enabled_for.template_deployment,
            enable_soft_delete: true,
            soft_delete_retention_in_days: vault.soft_delete_retention_days,
            enable_rbac_authorization: vault.rbac,
            enable_purge_protection: vault.purge_protection.then_some(true),
            vault_uri: vault.vault_uri,
            provisioning_state: match state {
                ProvisioningState::Creating => "RegisteringDns",
                state => state.as_str(),
            },
            public_network_access: if vault.network.public_network_access {
                "Enabled"
            } else {
                "Disabled"
            },
        }
    }
}

impl NetworkAclsBody {
    /// Returns the firewall's settings. Azure omits them as long as they are the defaults, even if they were given.
    fn of(vault: &Vault) -> Option<Self> {
        let default = NetworkRules {
            public_network_access: vault.network.public_network_access,
            ..NetworkRules::default()
        };
        let has_rules = !(vault.ip_rules.is_empty() && vault.virtual_network_rules.is_empty());
        if vault.network == default && !has_rules {
            return None;
        }
        let ip_rules = vault.ip_rules.iter().map(|rule| IpRuleBody {
            value: rule.to_string(),
        });
        let subnets = vault.virtual_network_rules.iter();
        let virtual_network_rules = subnets.map(|rule| VirtualNetworkRuleBody {
            id: rule.id.clone(),
            ignore_missing_vnet_service_endpoint: rule.ignore_missing_service_endpoint,
        });
        Some(Self {
            bypass: vault.network.bypass,
            default_action: vault.network.default_action,
            ip_rules: ip_rules.collect(),
            virtual_network_rules: virtual_network_rules.collect(),
        })
    }
}

impl PoliciesBody {
    pub(super) fn of(id: String, tenant: TenantId, policies: Vec<AccessPolicy>) -> Self {
        Self {
            id,
            resource_type: "Microsoft.KeyVault/vaults/accessPolicies",
            properties: PolicyListBody {
                access_policies: policy_bodies(tenant, policies),
            },
        }
    }
}

fn policy_bodies(tenant: TenantId, policies: Vec<AccessPolicy>) -> Vec<PolicyBody> {
    let bodies = policies.into_iter().map(|policy| {
        let PolicyPermissions {
            keys,
            secrets,
            certificates,
            storage,
        } = policy.permissions;
        PolicyBody {
            tenant_id: tenant,
            object_id: policy.principal,
            application_id: policy.application,
            permissions: PermissionsBody {
                keys,
                secrets,
                certificates,
                storage,
            },
        }
    });
    bodies.collect()
}
