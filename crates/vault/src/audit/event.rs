use std::net::IpAddr;

use jiff::Timestamp;
use sealock_core::{ClientId, PrincipalId};
use sealock_entra::Caller;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::KeyType;

/// An event of the audit log, in the format of Azure's category `AuditEvent`.
///
/// <https://learn.microsoft.com/azure/key-vault/general/logging>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// The end of the operation.
    pub time: Timestamp,
    /// `AuditEvent`
    pub category: String,
    /// Azure's name of the operation, such as `KeyUnwrap`.
    pub operation_name: String,
    /// The version of the API.
    pub operation_version: String,
    /// `Success`, even for a refusal, as in Azure. The signature and the status tell them apart.
    pub result_type: String,
    /// `OK`, or the name of the refusal's HTTP status.
    pub result_signature: String,
    /// The error's message.
    pub result_description: String,
    /// The duration in milliseconds.
    pub duration_ms: String,
    /// The client's address.
    pub caller_ip_address: IpAddr,
    /// The request's own id.
    pub correlation_id: Uuid,
    /// The caller.
    pub identity: AuditIdentity,
    /// The details.
    pub properties: AuditProperties,
    /// The vault's ARM id, in upper case.
    pub resource_id: String,
}

/// The caller of an operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditIdentity {
    /// The claims of its token. The operator has none.
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
    /// The client's authentication method: `1` for a secret, `2` for a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub appidacr: Option<String>,
    /// `app`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idtyp: Option<String>,
    /// A managed identity's ARM id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xms_mirid: Option<String>,
}

/// The details of an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditProperties {
    /// The URL of the key or key version, or the vault's ARM id.
    pub id: String,
    /// The client's `User-Agent`.
    pub client_info: String,
    /// The HTTP status.
    pub http_status_code: u16,
    /// The requested URL.
    pub request_uri: String,
    /// True if an access policy permitted the operation. Absent if access policies were not consulted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_access_policy_match: Option<bool>,
    /// True if a role permitted the operation. Absent if roles were not consulted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_rbac_authorized: Option<bool>,
    /// True if the vault's firewall let the request in. Absent if the firewall was not consulted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_address_authorized: Option<bool>,
    /// The kind of origin: `PublicIP` or `TrustedService`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_authorization_type: Option<String>,
    /// The algorithm of a cryptographic operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// The key that the operation used or made.
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
                idtyp: Some(principal.idtyp().to_owned()),
                xms_mirid: principal.resource_id(),
            },
        };
        Self { claim }
    }
}
