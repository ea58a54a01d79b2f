use std::time::Instant;

use jiff::Timestamp;
use sealock_core::{
    ClientId, Clock, KeyIdentifier, KeyName, Kid, PrincipalId, PublicName, VaultName,
};
use sealock_entra::{Caller, RESOURCE_GROUP, SUBSCRIPTION};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Error, KeyType, LOCATION, WrapAlgorithm};

const KEYS_API_VERSION: &str = "7.4";
const VAULTS_API_VERSION: &str = "2023-07-01";

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
    pub caller_ip_address: String,
    /// This operation's own id.
    pub correlation_id: Uuid,
    /// Who asked.
    pub identity: Identity,
    /// More about it.
    pub properties: Properties,
    /// The vault's ARM id, in upper case.
    pub resource_id: String,
}

/// Who asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// What its token says; nothing for the operator.
    pub claim: Claim,
}

/// The claims of a managed identity's token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The principal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oid: Option<PrincipalId>,
    /// The client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub appid: Option<ClientId>,
    /// How the client proved itself: `2`, by a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub appidacr: Option<String>,
    /// `app`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idtyp: Option<String>,
    /// The identity's ARM id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xms_mirid: Option<String>,
}

/// More about an operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Properties {
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
    /// The algorithm, of a wrap or unwrap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<WrapAlgorithm>,
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

/// An operation, as the log tells them apart.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation {
    VaultPut,
    VaultGet,
    VaultDelete,
    VaultRecover,
    VaultPurge,
    PoliciesGrant,
    PoliciesRevoke,
    KeyCreate,
    KeyGet,
    KeyList,
    KeyUpdate,
    KeyDelete,
    KeyRecover,
    KeyPurge,
    KeyRotate,
    KeyWrap,
    KeyUnwrap,
}

/// What an operation is about.
pub(crate) enum Target {
    Vaults,
    Vault(VaultName),
    Keys(VaultName),
    Key(KeyIdentifier),
}

/// The key version that an operation turned out to be about.
pub(crate) struct Subject {
    pub(crate) kid: Kid,
    pub(crate) kty: KeyType,
    pub(crate) key_size: u32,
}

/// An operation that has begun, from which its record is made once it has ended.
pub(crate) struct Request {
    caller: Caller,
    operation: Operation,
    target: Target,
    algorithm: Option<WrapAlgorithm>,
    began: Instant,
}

impl Request {
    pub(crate) fn new(caller: &Caller, operation: Operation, target: Target) -> Self {
        Self {
            caller: caller.clone(),
            operation,
            target,
            algorithm: None,
            began: Instant::now(),
        }
    }

    pub(crate) fn with_algorithm(mut self, algorithm: WrapAlgorithm) -> Self {
        self.algorithm = Some(algorithm);
        self
    }

    /// The record of this operation's end. A success may tell which key version it was about.
    pub(crate) fn ended(
        &self,
        result: Result<Option<Subject>, &Error>,
        names: &PublicName,
        clock: &Clock,
    ) -> AuditEvent {
        let is_access_policy_match = self.is_access_policy_match(result.as_ref().err().copied());
        let (status, description, subject) = match result {
            Ok(subject) => (self.operation.success(), String::new(), subject),
            Err(error) => (error.status(), error.to_string(), None),
        };
        AuditEvent {
            time: clock.now(),
            category: "AuditEvent".to_owned(),
            operation_name: self.operation.name().to_owned(),
            operation_version: self.operation.api_version().to_owned(),
            result_type: "Success".to_owned(),
            result_signature: signature(status).to_owned(),
            result_description: description,
            duration_ms: self.began.elapsed().as_millis().to_string(),
            caller_ip_address: "127.0.0.1".to_owned(),
            correlation_id: Uuid::new_v4(),
            identity: Identity {
                claim: claim(&self.caller),
            },
            properties: Properties {
                id: match &subject {
                    Some(subject) => names.key_uri(&subject.kid.identifier()),
                    None => self.target.id(names),
                },
                client_info: client_info(&self.caller).to_owned(),
                http_status_code: status,
                request_uri: self.request_uri(names),
                is_access_policy_match,
                algorithm: self.algorithm,
                key_properties: subject.map(|subject| KeyProperties {
                    kty: subject.kty,
                    size: subject.key_size,
                }),
            },
            resource_id: self.target.resource_id().to_uppercase(),
        }
    }

    fn is_access_policy_match(&self, error: Option<&Error>) -> Option<bool> {
        match (&self.caller, &self.target) {
            (Caller::Identity(_), Target::Keys(_) | Target::Key(_)) => match error {
                Some(Error::VaultNotFound { .. } | Error::VaultDeleted { .. }) => None,
                Some(Error::AccessDenied { .. }) => Some(false),
                _ => Some(true),
            },
            _ => None,
        }
    }

    fn request_uri(&self, names: &PublicName) -> String {
        let (base, suffix) = match (&self.target, self.operation) {
            (Target::Vault(vault), Operation::VaultPurge) => (
                format!(
                    "https://management.{names}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.KeyVault/locations/{LOCATION}/deletedVaults/{vault}"
                ),
                "/purge",
            ),
            (target @ (Target::Vaults | Target::Vault(_)), operation) => (
                format!("https://management.{names}{}", target.resource_id()),
                match operation {
                    Operation::PoliciesGrant => "/accessPolicies/add",
                    Operation::PoliciesRevoke => "/accessPolicies/remove",
                    _ => "",
                },
            ),
            (Target::Key(key), Operation::KeyRecover) => {
                (deleted_key_uri(names, &key.vault, &key.key), "/recover")
            }
            (Target::Key(key), Operation::KeyPurge) => {
                (deleted_key_uri(names, &key.vault, &key.key), "")
            }
            (target @ (Target::Keys(_) | Target::Key(_)), operation) => (
                target.id(names),
                match operation {
                    Operation::KeyCreate => "/create",
                    Operation::KeyRotate => "/rotate",
                    Operation::KeyWrap => "/wrapkey",
                    Operation::KeyUnwrap => "/unwrapkey",
                    _ => "",
                },
            ),
        };
        format!(
            "{base}{suffix}?api-version={}",
            self.operation.api_version()
        )
    }
}

impl Target {
    pub(crate) fn key(vault: &VaultName, key: &KeyName) -> Self {
        Self::Key(KeyIdentifier {
            vault: vault.clone(),
            key: key.clone(),
            version: None,
        })
    }

    fn id(&self, names: &PublicName) -> String {
        match self {
            Self::Vaults | Self::Vault(_) => self.resource_id(),
            Self::Keys(vault) => format!("{}keys", names.vault_uri(vault)),
            Self::Key(key) => names.key_uri(key),
        }
    }

    fn resource_id(&self) -> String {
        match self {
            Self::Vaults => {
                format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.KeyVault/vaults")
            }
            Self::Vault(vault) | Self::Keys(vault) => resource_id(vault),
            Self::Key(key) => resource_id(&key.vault),
        }
    }
}

impl Operation {
    /// Azure's name for it.
    fn name(self) -> &'static str {
        match self {
            Self::VaultPut => "VaultPut",
            Self::VaultGet => "VaultGet",
            Self::VaultDelete => "VaultDelete",
            Self::VaultRecover => "VaultRecover",
            Self::VaultPurge => "VaultPurge",
            Self::PoliciesGrant | Self::PoliciesRevoke => "VaultPatch",
            Self::KeyCreate => "KeyCreate",
            Self::KeyGet => "KeyGet",
            Self::KeyList => "KeyList",
            Self::KeyUpdate => "KeyUpdate",
            Self::KeyDelete => "KeyDelete",
            Self::KeyRecover => "KeyRecover",
            Self::KeyPurge => "KeyPurge",
            Self::KeyRotate => "KeyRotate",
            Self::KeyWrap => "KeyWrap",
            Self::KeyUnwrap => "KeyUnwrap",
        }
    }

    fn api_version(self) -> &'static str {
        match self {
            Self::VaultPut
            | Self::VaultGet
            | Self::VaultDelete
            | Self::VaultRecover
            | Self::VaultPurge
            | Self::PoliciesGrant
            | Self::PoliciesRevoke => VAULTS_API_VERSION,
            _ => KEYS_API_VERSION,
        }
    }

    /// The status of its success.
    fn success(self) -> u16 {
        match self {
            Self::KeyPurge => 204,
            Self::VaultPurge => 202,
            _ => 200,
        }
    }
}

/// A vault's ARM id.
pub(crate) fn resource_id(vault: &VaultName) -> String {
    format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}/providers/Microsoft.KeyVault/vaults/{vault}"
    )
}

fn deleted_key_uri(names: &PublicName, vault: &VaultName, key: &KeyName) -> String {
    format!("{}deletedkeys/{key}", names.vault_uri(vault))
}

fn client_info(caller: &Caller) -> &'static str {
    match caller {
        Caller::Operator => "sealock",
        Caller::Identity(_) => "AzureContainerRegistry/emulator",
    }
}

fn claim(caller: &Caller) -> Claim {
    match caller {
        Caller::Operator => Claim::default(),
        Caller::Identity(identity) => Claim {
            oid: Some(identity.principal_id),
            appid: Some(identity.client_id),
            appidacr: Some("2".to_owned()),
            idtyp: Some("app".to_owned()),
            xms_mirid: Some(identity.resource_id()),
        },
    }
}

fn signature(status: u16) -> &'static str {
    match status {
        200..=299 => "OK",
        400 => "BadRequest",
        403 => "Forbidden",
        404 => "NotFound",
        405 => "MethodNotAllowed",
        409 => "Conflict",
        _ => "InternalServerError",
    }
}
