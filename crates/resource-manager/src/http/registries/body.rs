use std::collections::BTreeMap;

use jiff::Timestamp;
use sealock_cmk::{KeyInUse, Sku};
use sealock_core::{ClientId, DefaultAction, PrincipalId, RegistryName, TenantId};
use sealock_entra::Tags;
use sealock_registry::{IpRule, Registry};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    Result,
    http::{
        Call,
        body::{SystemDataBody, with_offset},
    },
    operations::ProvisioningState,
    resource_type::ApiVersion,
    resources::REGISTRY,
};

/// The first version with encryption and identities.
const ENCRYPTION_SINCE: &str = "2019-12-01-preview";

/// A registry in an answer.
///
/// <https://learn.microsoft.com/rest/api/containerregistry/registries/get>
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RegistryBody {
    sku: SkuBody,
    #[serde(rename = "type")]
    resource_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<IdentityBody>,
    id: String,
    name: RegistryName,
    location: String,
    tags: Tags,
    system_data: SystemDataBody,
    properties: Map<String, Value>,
}

#[derive(Serialize)]
struct SkuBody {
    name: Sku,
    tier: Sku,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IdentityBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    principal_id: Option<PrincipalId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<TenantId>,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    user_assigned_identities: BTreeMap<String, UserAssignedBody>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserAssignedBody {
    principal_id: PrincipalId,
    client_id: ClientId,
}

impl RegistryBody {
    /// Describes a registry with its present state.
    pub(super) async fn shown(call: &Call, registry: &Registry) -> Result<Self> {
        let id = registry.record.resource_id();
        let state = call.manager.provisioning_state(&id).await?;
        Self::of(call, registry, state).await
    }

    /// Describes a registry in the fields of the request's version.
    pub(super) async fn of(
        call: &Call,
        registry: &Registry,
        state: ProvisioningState,
    ) -> Result<Self> {
        let (record, registries) = (&registry.record, &call.manager.registries);
        let system = registries.system_assigned_identity(record).await?;
        let user_assigned = registries.user_assigned_identities(record.id).await?;
        let has_encryption = call.api_version.is_since(ENCRYPTION_SINCE);
        let case = call.manager.identity_type_case;
        let kind = case.identity_type(system.is_some(), !user_assigned.is_empty());
        let identity = kind.filter(|_| has_encryption).map(|kind| IdentityBody {
            principal_id: system.as_ref().map(|it| it.principal_id),
            tenant_id: system.as_ref().map(|it| it.tenant_id),
            kind,
            user_assigned_identities: user_assigned
                .into_iter()
                .map(|it| {
                    let body = UserAssignedBody {
                        principal_id: it.principal_id,
                        client_id: it.client_id,
                    };
                    (it.resource_id, body)
                })
                .collect(),
        });
        let mut properties = properties(call, registry, state).await?;
        if has_encryption {
            let in_use = registries.key_in_use(record).await?;
            let system = system.map(|system| system.client_id);
            properties.insert("encryption".to_owned(), encryption(call, in_use, system));
        }
        Ok(Self {
            sku: SkuBody {
                name: record.sku,
                tier: record.sku,
            },
            resource_type: REGISTRY,
            identity,
            id: record.resource_id(),
            name: record.name.clone(),
            location: record.resource.location.to_string(),
            tags: record.resource.tags.clone(),
            system_data: SystemDataBody::with_offsets(record.resource.system_data.clone()),
            properties,
        })
    }
}

/// Returns the members of `properties`, except the encryption.
async fn properties(
    call: &Call,
    registry: &Registry,
    state: ProvisioningState,
) -> Result<Map<String, Value>> {
    let record = &registry.record;
    let created = record.resource.system_data.created_at;
    let logins = registry.login_settings().await?;
    let mut members = Map::new();
    let mut add = |name: &str, value: Value| {
        members.insert(name.to_owned(), value);
    };
    add(
        "loginServer",
        call.manager.names.login_server(&record.name).into(),
    );
    add("creationDate", format!("{created:.7}").into());
    add("provisioningState", state.as_str().into());
    add("adminUserEnabled", logins.admin_enabled.into());
    if record.sku == Sku::Premium {
        let rules = registry.ip_rules().await?;
        add(
            "networkRuleSet",
            network_rule_set(&call.api_version, record.network.default_action, rules),
        );
    }
    add(
        "policies",
        policies(&call.api_version, created, logins.accepts_arm_tokens),
    );
    add("dataEndpointEnabled", false.into());
    add("dataEndpointHostNames", json!([]));
    add("privateEndpointConnections", json!([]));
    let public_network_access = if record.network.public_network_access {
        "Enabled"
    } else {
        "Disabled"
    };
    add("publicNetworkAccess", public_network_access.into());
    add("networkRuleBypassOptions", json!(record.network.bypass));
    add("zoneRedundancy", "Disabled".into());
    add("anonymousPullEnabled", logins.anonymous_pull_enabled.into());
    let version = &call.api_version;
    if version.is_preview() && version.is_since("2023-01-01") {
        add("metadataSearch", "Disabled".into());
    }
    if version.is_since("2025-03-01") {
        add("roleAssignmentMode", "LegacyRegistryPermissions".into());
    }
    if version.is_preview() && version.is_since("2025-03-01") {
        add("autoGeneratedDomainNameLabelScope", "Unsecure".into());
    }
    if version.is_since("2026-01-01") {
        add("endpointProtocol", "IPv4".into());
        add("networkRuleBypassAllowedForTasks", false.into());
    }
    if version.is_preview() && version.is_since("2026-01-01") {
        add("regionalEndpoints", "Disabled".into());
        add("regionalEndpointHostNames", json!([]));
    }
    Ok(members)
}

fn network_rule_set(
    version: &ApiVersion,
    default_action: DefaultAction,
    ip_rules: Vec<IpRule>,
) -> Value {
    let ip_rules = ip_rules.into_iter().map(String::from);
    let ip_rules: Vec<_> = ip_rules
        .map(|value| json!({"action": "Allow", "value": value}))
        .collect();
    let mut rules = json!({"defaultAction": default_action, "ipRules": ip_rules});
    if version.is_preview() && !version.is_since("2023-01-01") {
        rules["virtualNetworkRules"] = json!([]);
    }
    rules
}

fn policies(version: &ApiVersion, created: Timestamp, accepts_arm_tokens: bool) -> Value {
    let mut policies = json!({
        "quarantinePolicy": {"status": "disabled"},
        "trustPolicy": {"type": "Notary", "status": "disabled"},
        "retentionPolicy": {"days": 7, "lastUpdatedTime": with_offset(created), "status": "disabled"},
        "exportPolicy": {"status": "enabled"},
    });
    if version.is_since("2023-01-01") {
        let status = if accepts_arm_tokens {
            "enabled"
        } else {
            "disabled"
        };
        policies["azureADAuthenticationAsArmPolicy"] = json!({"status": status});
    }
    if version.is_preview() && version.is_since("2023-01-01") {
        policies["softDeletePolicy"] = json!({"retentionDays": 7, "lastUpdatedTime": with_offset(created), "status": "disabled"});
    }
    policies
}

fn encryption(call: &Call, in_use: Option<KeyInUse>, system: Option<ClientId>) -> Value {
    let Some(in_use) = in_use else {
        return json!({"status": "disabled"});
    };
    let names = &call.manager.names;
    let identity = if system == Some(in_use.identity) {
        "system".to_owned()
    } else {
        in_use.identity.to_string()
    };
    let mut key = json!({
        "keyIdentifier": in_use.key.url(names),
        "versionedKeyIdentifier": in_use.key.version_url(&in_use.kid, names),
        "identity": identity,
        "keyRotationEnabled": in_use.key.identifier.version.is_none(),
    });
    if let Some(rotated) = in_use.rotated {
        key["lastKeyRotationTimestamp"] = with_offset(rotated).into();
    }
    json!({"status": "enabled", "keyVaultProperties": key})
}
