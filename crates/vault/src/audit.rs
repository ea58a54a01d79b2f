use std::{
    net::IpAddr,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use jiff::Timestamp;
use sealock_core::{
    ClientId, Clock, KeyIdentifier, KeyName, Kid, PrincipalId, PublicName, VaultName,
};
use sealock_entra::{Caller, SUBSCRIPTION};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    Client, Error, Key, KeyBundle, KeyItem, KeySpec, KeyType, LOCATION, Listing, Origin, Policy,
    Requester, Result, RotationPolicyView, Used, Vault, operation::Operation, service::Service,
    vaults::resource_id,
};

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

/// What an operation is about.
#[derive(Clone)]
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

/// The answer of an operation, as far as the log tells of it.
pub(crate) trait Answer {
    /// The key version that the operation was about, if it was about one.
    fn subject(&self) -> Option<Subject> {
        None
    }
}

impl Answer for () {}
impl Answer for Listing<KeyBundle> {}
impl Answer for Listing<KeyItem> {}
impl Answer for Policy {}
impl Answer for RotationPolicyView {}
impl Answer for String {}
impl Answer for Vault {}
impl Answer for Vec<Key> {}
impl Answer for Vec<Policy> {}
impl Answer for Vec<Vault> {}
impl Answer for Zeroizing<Vec<u8>> {}

impl Answer for KeyBundle {
    fn subject(&self) -> Option<Subject> {
        Some(Subject {
            kid: self.kid.clone(),
            kty: self.kty,
            key_size: self.key_size,
        })
    }
}

impl Answer for Key {
    fn subject(&self) -> Option<Subject> {
        self.current.subject()
    }
}

/// A key, and the version of it that was changed.
impl Answer for (Key, KeyBundle) {
    fn subject(&self) -> Option<Subject> {
        self.1.subject()
    }
}

impl Answer for Used {
    fn subject(&self) -> Option<Subject> {
        self.key.subject()
    }
}

/// An operation that has begun, from which its record is made once it has ended.
pub(crate) struct Request {
    /// The asker. Of one whose sender could not be told, only the client is right.
    pub(crate) requester: Requester,
    is_authenticated: bool,
    /// True once a commit holds both the change and the record of its end.
    is_recorded: AtomicBool,
    pub(crate) operation: Operation,
    pub(crate) target: Target,
    /// What is to be made, if that can be.
    pub(crate) new_key: Option<KeyProperties>,
    algorithm: Option<String>,
    began: Instant,
}

impl Request {
    pub(crate) fn new(requester: &Requester, operation: Operation, target: Target) -> Self {
        Self {
            requester: requester.clone(),
            is_authenticated: true,
            is_recorded: AtomicBool::default(),
            operation,
            target,
            new_key: None,
            algorithm: None,
            began: Instant::now(),
        }
    }

    /// One whose sender could not be told: it gets no further.
    pub(crate) fn unauthenticated(client: &Client, vault: VaultName) -> Self {
        Self {
            requester: Requester {
                caller: Caller::Operator,
                client: client.clone(),
            },
            is_authenticated: false,
            is_recorded: AtomicBool::default(),
            operation: Operation::Authentication,
            target: Target::Vault(vault),
            new_key: None,
            algorithm: None,
            began: Instant::now(),
        }
    }

    pub(crate) fn with_new_key(mut self, spec: KeySpec) -> Self {
        let shape = spec.check().ok();
        self.new_key = shape.map(|shape| KeyProperties {
            kty: spec.kty,
            size: shape.bits(),
        });
        self
    }

    pub(crate) fn with_algorithm(mut self, algorithm: String) -> Self {
        self.algorithm = Some(algorithm);
        self
    }

    /// True of a request by the vault's HTTP, from somebody who could be told.
    pub(crate) fn is_clients(&self) -> bool {
        self.is_authenticated && self.requester.is_client()
    }

    /// True if a registry or the operator asks.
    fn is_ours(&self) -> bool {
        self.is_authenticated && !self.requester.is_client()
    }

    pub(crate) fn is_recorded(&self) -> bool {
        self.is_recorded.load(Ordering::Relaxed)
    }

    pub(crate) fn note_recorded(&self) {
        self.is_recorded.store(true, Ordering::Relaxed);
    }

    fn caller(&self) -> Option<&Caller> {
        self.is_authenticated.then_some(&self.requester.caller)
    }

    /// The vault that it is about, if it is about one.
    pub(crate) fn vault(&self) -> Option<&VaultName> {
        match &self.target {
            Target::Vaults => None,
            Target::Vault(vault) | Target::Keys(vault) => Some(vault),
            Target::Key(key) => Some(&key.vault),
        }
    }

    /// The record of this operation's end. A success may tell which key version it was about. `rbac` says
    /// what decides about the vault's keys: roles, or access policies.
    pub(crate) fn ended(
        &self,
        result: std::result::Result<Option<Subject>, &Error>,
        rbac: bool,
        names: &PublicName,
        clock: &Clock,
    ) -> AuditEvent {
        let evidence = Evidence::of(self, rbac, result.as_ref().err().copied());
        let (status, description, subject) = match result {
            Ok(subject) => (self.operation.success(), String::new(), subject),
            Err(error) => (error.status(), error.to_string(), None),
        };
        AuditEvent {
            time: clock.now(),
            category: "AuditEvent".to_owned(),
            operation_name: self.operation.name().to_owned(),
            operation_version: self.api_version().to_owned(),
            result_type: "Success".to_owned(),
            result_signature: signature(status).to_owned(),
            result_description: description,
            duration_ms: self.began.elapsed().as_millis().to_string(),
            caller_ip_address: self.requester.client.origin.address(),
            correlation_id: self.requester.client.correlation_id,
            identity: Identity {
                claim: self.caller().map(claim).unwrap_or_default(),
            },
            properties: Properties {
                id: match &subject {
                    Some(subject) => names.key_uri(&subject.kid.identifier()),
                    None => self.target.id(names),
                },
                client_info: self.requester.client.info.clone(),
                http_status_code: status,
                request_uri: self.request_uri(names),
                is_access_policy_match: evidence.access_policy,
                is_rbac_authorized: evidence.rbac,
                is_address_authorized: evidence.address,
                address_authorization_type: evidence.address_type.map(str::to_owned),
                algorithm: self.algorithm.clone(),
                key_properties: subject.map(|subject| KeyProperties {
                    kty: subject.kty,
                    size: subject.key_size,
                }),
            },
            resource_id: self.target.resource_id().to_uppercase(),
        }
    }

    /// The one that the request names, or the one that the operation has had for long.
    fn api_version(&self) -> &str {
        self.requester
            .client
            .api_version
            .as_deref()
            .unwrap_or_else(|| self.operation.api_version())
    }

    fn request_uri(&self, names: &PublicName) -> String {
        let (base, suffix) = match (&self.target, self.operation) {
            (Target::Vault(vault), Operation::VaultPurge) => (
                format!(
                    "https://management.{names}/subscriptions/{SUBSCRIPTION}/providers/Microsoft.KeyVault/locations/{LOCATION}/deletedVaults/{vault}"
                ),
                "/purge",
            ),
            (Target::Vault(vault), Operation::Authentication) => (names.vault_uri(vault), ""),
            (Target::Vault(vault), Operation::RandomBytesGet) => (names.vault_uri(vault), "rng"),
            (target @ (Target::Vaults | Target::Vault(_)), operation) => (
                format!("https://management.{names}{}", target.resource_id()),
                match operation {
                    Operation::PoliciesGrant => "/accessPolicies/add",
                    Operation::PoliciesRevoke => "/accessPolicies/remove",
                    _ => "",
                },
            ),
            (Target::Keys(vault), Operation::KeyListDeleted) => {
                (format!("{}deletedkeys", names.vault_uri(vault)), "")
            }
            (
                Target::Key(key),
                operation
                @ (Operation::KeyRecover | Operation::KeyPurge | Operation::KeyGetDeleted),
            ) => {
                let suffix = match operation {
                    Operation::KeyRecover => "/recover",
                    _ => "",
                };
                (names.deleted_key_uri(&key.vault, &key.key), suffix)
            }
            (target @ (Target::Keys(_) | Target::Key(_)), operation) => {
                (target.id(names), operation.path())
            }
        };
        format!("{base}{suffix}?api-version={}", self.api_version())
    }
}

/// What decided about a request, as far as how it ended tells. Nothing decides about the operator.
#[derive(Default)]
struct Evidence {
    address: Option<bool>,
    address_type: Option<&'static str>,
    access_policy: Option<bool>,
    rbac: Option<bool>,
}

impl Evidence {
    fn of(request: &Request, rbac: bool, error: Option<&Error>) -> Self {
        let is_random = request.operation == Operation::RandomBytesGet;
        let is_judged = matches!(request.caller(), Some(Caller::Principal(_)))
            && (is_random || matches!(request.target, Target::Keys(_) | Target::Key(_)))
            && !matches!(
                error,
                Some(
                    Error::VaultNotFound { .. }
                        | Error::VaultDeleted { .. }
                        | Error::Throttled { .. }
                )
            );
        if !is_judged {
            return Self::default();
        }
        if matches!(error, Some(Error::Unreachable { .. })) {
            return Self {
                address: Some(false),
                ..Self::default()
            };
        }
        let reached = Self {
            address: Some(true),
            address_type: Some(match request.requester.client.origin {
                Origin::Address(_) => "PublicIP",
                Origin::TrustedService => "TrustedService",
            }),
            ..Self::default()
        };
        if is_random {
            // Neither a policy nor a role is for them.
            return reached;
        }
        let is_permitted = !matches!(
            error,
            Some(Error::ForbiddenByPolicy { .. } | Error::ForbiddenByRbac { .. })
        );
        Self {
            access_policy: (!rbac).then_some(is_permitted),
            rbac: rbac.then_some(is_permitted),
            ..reached
        }
    }
}

impl Target {
    pub(crate) fn key(vault: &VaultName, key: &KeyName) -> Self {
        Self::Key(KeyIdentifier::current(vault, key))
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

fn claim(caller: &Caller) -> Claim {
    match caller {
        Caller::Operator => Claim::default(),
        Caller::Principal(principal) => Claim {
            oid: Some(principal.principal_id()),
            appid: Some(principal.client_id()),
            appidacr: Some(principal.appidacr().to_owned()),
            idtyp: Some("app".to_owned()),
            xms_mirid: principal.resource_id(),
        },
    }
}

fn signature(status: u16) -> &'static str {
    match status {
        200..=299 => "OK",
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        405 => "MethodNotAllowed",
        409 => "Conflict",
        429 => "TooManyRequests",
        501 => "NotImplemented",
        503 => "ServiceUnavailable",
        _ => "InternalServerError",
    }
}

impl Service {
    /// The record of an operation's end.
    pub(crate) async fn event(
        &self,
        request: &Request,
        ended: std::result::Result<Option<Subject>, &Error>,
    ) -> Result<AuditEvent> {
        let vault = match request.vault() {
            Some(vault) => self.find_vault(vault).await?,
            None => None,
        };
        let rbac = vault.is_some_and(|vault| vault.rbac);
        Ok(request.ended(ended, rbac, &self.names, &self.clock))
    }

    /// Records how an operation ended that has changed nothing.
    ///
    /// A registry's operation goes on while the disk takes no record of it: the disk is not its key. The operator's
    /// goes on too, to show what is wrong. Their records are held meanwhile. Others are refused.
    pub(crate) async fn record(&self, request: &Request, event: &AuditEvent) -> Result<()> {
        if request.is_ours() {
            self.store.journal_or_hold(event).await;
            return Ok(());
        }
        Ok(self.store.journal(event).await?)
    }
}
