use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use sealock_core::{Clock, KeyIdentifier, PublicName, VaultName};
use sealock_entra::Caller;

use super::{
    answer::Subject,
    event::{AuditEvent, AuditIdentity, AuditProperties, KeyProperties},
    evidence::Evidence,
};
use crate::{
    Client, Error, KeySpec, Requester,
    operation::{AUTHENTICATION, Row, Target, arm_id},
};

/// A request for an operation, from its beginning to its audit event.
pub(crate) struct Request {
    /// The requester. Of one that could not be authenticated, only the client is right.
    pub(crate) requester: Requester,
    is_authenticated: bool,
    /// True once a commit holds both the change and the audit event.
    is_recorded: AtomicBool,
    /// True once the limits have counted it.
    is_charged: AtomicBool,
    pub(crate) row: Row,
    pub(crate) vault: Option<VaultName>,
    pub(crate) key: Option<KeyIdentifier>,
    /// The type and size of the key that is asked for, once the parameters are read.
    new_key: OnceLock<KeyProperties>,
    /// The algorithm that is asked for, once the parameters are read.
    algorithm: OnceLock<String>,
    began: Instant,
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
            key: target.key(),
            new_key: OnceLock::new(),
            algorithm: OnceLock::new(),
            began: Instant::now(),
        }
    }

    /// One whose sender could not be authenticated: it gets no further.
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

    /// Tells the type and size of the key that is asked for, if there are such keys.
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

    /// Returns true for a request by the vault's HTTP from an authenticated client.
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

    /// Marks the request as charged, and returns true if it was not charged before.
    pub(crate) fn mark_charged(&self) -> bool {
        !self.is_charged.swap(true, Ordering::Relaxed)
    }

    fn caller(&self) -> Option<&Caller> {
        self.is_authenticated.then_some(&self.requester.caller)
    }

    /// The audit event of this request's end. `rbac` is true if roles decide about the vault's keys.
    pub(super) fn event(
        &self,
        outcome: Result<Option<Subject>, &Error>,
        rbac: bool,
        names: &PublicName,
        clock: &Clock,
    ) -> AuditEvent {
        let origin = self.requester.client.origin;
        let error = outcome.as_ref().err().copied();
        let evidence = Evidence::of(self.caller(), origin, self.row.access, rbac, error);
        let (status, description, subject) = match outcome {
            Ok(subject) => (self.row.success, String::new(), subject),
            Err(error) => (error.status(), error.to_string(), None),
        };
        let (vault, key) = (self.vault.as_ref(), self.key.as_ref());
        let uri = self.row.request_uri(names, vault, key);
        AuditEvent {
            time: clock.now(),
            category: "AuditEvent".to_owned(),
            operation_name: self.row.name.to_owned(),
            operation_version: self.api_version().to_owned(),
            result_type: "Success".to_owned(),
            result_signature: signature(status).to_owned(),
            result_description: description,
            duration_ms: self.began.elapsed().as_millis().to_string(),
            caller_ip_address: origin.address(),
            correlation_id: self.requester.client.correlation_id,
            identity: self.caller().map(AuditIdentity::of).unwrap_or_default(),
            properties: AuditProperties {
                id: match &subject {
                    Some(subject) => names.key_uri(&subject.kid.identifier()),
                    None => self.row.id(names, vault, key),
                },
                client_info: self.requester.client.info.clone(),
                http_status_code: status,
                request_uri: format!("{uri}?api-version={}", self.api_version()),
                is_access_policy_match: evidence.access_policy,
                is_rbac_authorized: evidence.rbac,
                is_address_authorized: evidence.address,
                address_authorization_type: evidence.address_type.map(str::to_owned),
                algorithm: self.algorithm.get().cloned(),
                key_properties: subject.map(|subject| KeyProperties {
                    kty: subject.kty,
                    size: subject.key_size,
                }),
            },
            resource_id: arm_id(vault).to_uppercase(),
        }
    }

    /// The version that the request names, or the one that the operation has had for long.
    fn api_version(&self) -> &str {
        let given = self.requester.client.api_version.as_deref();
        given.unwrap_or_else(|| self.row.api_version())
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
