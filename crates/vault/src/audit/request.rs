use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use sealock_core::{Clock, KeyIdentifier, PublicName, ResourceGroupName, VaultName};
use sealock_entra::{Caller, TrackedResource};

use super::{
    access_checks::AccessChecks,
    audited_result::AuditedVersion,
    event::{AuditEvent, AuditIdentity, AuditProperties, KeyProperties},
};
use crate::{
    Client, Error, KeySpec, Requester,
    arm_id::arm_id,
    operation::{AUTHENTICATION, Row, Target},
};

/// A request for an operation, from its beginning to its audit event.
pub(crate) struct Request {
    /// The requester. If it is not authenticated, only its client is meaningful.
    pub(crate) requester: Requester,
    is_authenticated: bool,
    /// True once a commit contains the audit event.
    is_recorded: AtomicBool,
    /// True once it has been counted against the limits.
    is_charged: AtomicBool,
    pub(crate) row: Row,
    pub(crate) vault: Option<VaultName>,
    /// The resource group in which the vault must be, if the request names one.
    pub(super) group: Option<ResourceGroupName>,
    pub(crate) key: Option<KeyIdentifier>,
    /// The type and size of the key to create, once the parameters are parsed.
    new_key: OnceLock<KeyProperties>,
    /// The requested algorithm, once the parameters are parsed.
    algorithm: OnceLock<String>,
    started: Instant,
}

impl Request {
    pub(crate) fn new(requester: &Requester, row: Row, target: &impl Target) -> Self {
        Self {
            requester: requester.clone(),
            is_authenticated: true,
            is_recorded: AtomicBool::default(),
            is_charged: AtomicBool::default(),
            row,
            vault: target.vault().cloned(),
            group: target.group().cloned(),
            key: target.key(),
            new_key: OnceLock::new(),
            algorithm: OnceLock::new(),
            started: Instant::now(),
        }
    }

    /// Makes a request whose sender could not be authenticated.
    pub(crate) fn unauthenticated(client: &Client, vault: &VaultName) -> Self {
        let requester = Requester {
            caller: Caller::Operator,
            client: client.clone(),
        };
        Self {
            is_authenticated: false,
            ..Self::new(&requester, AUTHENTICATION, vault)
        }
    }

    /// Sets the type and size of the key to create, if the specification is valid.
    pub(crate) fn set_new_key(&self, spec: KeySpec) {
        if let Ok(shape) = spec.check() {
            let _first = self.new_key.set(KeyProperties {
                kty: spec.kty,
                size: shape.bits(),
            });
        }
    }

    pub(crate) fn new_key(&self) -> Option<KeyProperties> {
        self.new_key.get().copied()
    }

    pub(crate) fn set_algorithm(&self, algorithm: String) {
        let _first = self.algorithm.set(algorithm);
    }

    /// Returns true for a request of an authenticated client through the vault's HTTP.
    pub(crate) fn is_from_client(&self) -> bool {
        self.is_authenticated && self.requester.is_client()
    }

    /// Returns true for a request of a registry or the operator.
    pub(super) fn is_from_emulator(&self) -> bool {
        self.is_authenticated && !self.requester.is_client()
    }

    pub(crate) fn is_recorded(&self) -> bool {
        self.is_recorded.load(Ordering::Relaxed)
    }

    pub(crate) fn mark_recorded(&self) {
        self.is_recorded.store(true, Ordering::Relaxed);
    }

    /// Marks the request as charged. Returns true if it was not charged before.
    pub(crate) fn mark_charged(&self) -> bool {
        !self.is_charged.swap(true, Ordering::Relaxed)
    }

    fn caller(&self) -> Option<&Caller> {
        self.is_authenticated.then_some(&self.requester.caller)
    }

    /// Makes the audit event. `rbac` is true if roles grant permissions to the vault's keys, and `place` is the vault's.
    pub(super) fn audit_event(
        &self,
        outcome: Result<Option<AuditedVersion>, &Error>,
        rbac: bool,
        place: &TrackedResource,
        names: &PublicName,
        clock: &Clock,
    ) -> AuditEvent {
        let origin = self.requester.client.origin;
        let error = outcome.as_ref().err().copied();
        let checks =
            AccessChecks::from_outcome(self.caller(), origin, self.row.access, rbac, error);
        let (status, description, version) = match outcome {
            Ok(version) => (self.row.success, String::new(), version),
            Err(error) => (error.status(), error.to_string(), None),
        };
        let (vault, key) = (self.vault.as_ref(), self.key.as_ref());
        let uri = self.row.request_uri(names, vault, key, place);
        AuditEvent {
            time: clock.now(),
            category: "AuditEvent".to_owned(),
            operation_name: self.row.name.to_owned(),
            operation_version: self.api_version().to_owned(),
            result_type: "Success".to_owned(),
            result_signature: result_signature(status).to_owned(),
            result_description: description,
            duration_ms: self.started.elapsed().as_millis().to_string(),
            caller_ip_address: origin.address(),
            correlation_id: self.requester.client.correlation_id,
            identity: self.caller().map(AuditIdentity::of).unwrap_or_default(),
            properties: AuditProperties {
                id: match &version {
                    Some(version) => names.key_uri(&version.kid.identifier()),
                    None => self.row.id(names, vault, key, place),
                },
                client_info: self.requester.client.user_agent.clone(),
                http_status_code: status,
                request_uri: format!("{uri}?api-version={}", self.api_version()),
                is_access_policy_match: checks.access_policy,
                is_rbac_authorized: checks.rbac,
                is_address_authorized: checks.address,
                address_authorization_type: checks.address_type.map(str::to_owned),
                algorithm: self.algorithm.get().cloned(),
                key_properties: version.map(|version| KeyProperties {
                    kty: version.kty,
                    size: version.key_size,
                }),
            },
            resource_id: arm_id(vault, place).to_uppercase(),
        }
    }

    /// Returns the API version that the request names, or a usual one.
    fn api_version(&self) -> &str {
        let given = self.requester.client.api_version.as_deref();
        given.unwrap_or_else(|| self.row.api_version())
    }
}

fn result_signature(status: u16) -> &'static str {
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
