use std::net::IpAddr;

use jiff::Timestamp;
use sealock_core::{ClientId, PrincipalId};
use sealock_entra::Caller;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::KeyType;

/// One record of the audit log, in the form of Azure's category `AuditEvent`.
///
/// <https://learn.microsoft.com/azure/key-vault/general/logging>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// When the operation ended.
    pub time: Timestamp,
    /// `AuditEvent`
    pub category: String,
    /// What was done, such as `KeyUnwrap`.
    pub operation_name: String,
    /// The version of the API.
    pub operation_version: String,
    /// `Success`, also for what was refused, as in Azure: look at the signature or the status.
    pub result_type: String,
    /// `OK`, or the status that it was refused with.
    pub result_signature: String,
    /// The error's message.
    pub result_description: String,
    /// How long it took, in milliseconds.
    pub duration_ms: String,
    /// From where it was asked.
    pub caller_ip_address: IpAddr,
    /// This operation's own id.
    pub correlation_id: Uuid,
    /// Who asked.
    pub identity: AuditIdentity,
    /// More about it.
    pub properties: AuditProperties,
    /// The vault's ARM id, in upper case.
    pub resource_id: String,
}

/// Who asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditIdentity {
    /// What its token says; nothing for the operator.
    pub claim: Claim,
}

/// The claims of a principal's token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The principal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oid: Option<PrincipalId>,
    /// The client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub appid: Option<ClientId>,
    /// How the client proved itself: `1`, with a secret; `2`, with a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub appidacr: Option<String>,
    /// `app`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idtyp: Option<String>,
    /// A managed identity's ARM id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xms_mirid: Option<String>,
}

/// More about an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditProperties {
    /// The URL of the key or key version, or the vault's ARM id.
    pub id: String,
    /// What sent the request.
    pub client_info: String,
    /// The status.
    pub http_status_code: u16,
    /// What was requested.
    pub request_uri: String,
    /// Whether an access policy permitted it. Absent where none was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_access_policy_match: Option<bool>,
    /// Whether a role permitted it. Absent where none was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_rbac_authorized: Option<bool>,
    /// Whether the vault's firewall let the request in. Absent where it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_address_authorized: Option<bool>,
    /// As what it came: `PublicIP` or `TrustedService`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_authorization_type: Option<String>,
    /// The algorithm, of what was done with a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// The key that was used or made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_properties: Option<KeyProperties>,
}

/// A key's type and size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyProperties {
    /// The type.
    #[serde(rename = "type")]
    pub kty: KeyType,
    /// The size in bits.
    pub size: u32,
}

impl AuditIdentity {
    pub(super) fn of(caller: &Caller) -> Self {
        let claim = match caller {
            Caller::Operator => Claim::default(),
            Caller::Principal(principal) => Claim {
                oid: Some(principal.principal_id()),
                appid: Some(principal.client_id()),
                appidacr: Some(principal.appidacr().to_owned()),
                idtyp: Some("app".to_owned()),
                xms_mirid: principal.resource_id(),
            },
        };
        Self { claim }
    }
}
