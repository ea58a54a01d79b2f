use schemars::JsonSchema;
use sealock_core::{Digest, RegistryName};
use serde::{Deserialize, Serialize};

use crate::{Cause, KeyPermission, Principal, Registry, Time, word::words};

/// The period and the thoroughness of a compliance report.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ComplianceQuery {
    /// The start of the period, as in RFC 3339. By default, the beginning of the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The end of the period, exclusive, as in RFC 3339. By default, now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The number of stored objects to read of each registry, up to 1000. By default 8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
}

/// The evidence that an auditor of customer-managed keys asks for.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ComplianceReport {
    /// The version of the emulator.
    pub version: String,
    /// The time of the report.
    pub created: Time,
    /// The start of the period. Null for the beginning of the audit log.
    pub since: Option<Time>,
    /// The end of the period, exclusive.
    pub until: Time,
    /// The registries.
    pub registries: Vec<RegistryEvidence>,
    /// The operations on the registries' keys and vaults in the period, the oldest first.
    pub key_uses: Vec<KeyUse>,
    /// The number of older operations in the period that are left out.
    pub omitted_key_uses: u64,
    /// True if the audit log no longer has events from its beginning.
    pub has_audit_gap: bool,
}

/// The evidence of one registry.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RegistryEvidence {
    /// The registry, with its key and its gate.
    pub registry: Registry,
    /// Its ARM id.
    pub resource_id: String,
    /// True if the oldest of its key versions and revocations are no longer recorded.
    pub has_history_gap: bool,
    /// The key versions that wrapped its DEK, the oldest first.
    pub key_periods: Vec<KeyPeriod>,
    /// The principals that may use its key.
    pub key_users: Vec<KeyUser>,
    /// The periods in which it could not use its key, the oldest first.
    pub revocations: Vec<RevocationPeriod>,
    /// Its content on disk.
    pub storage: StorageEvidence,
}

/// A period in which a key version wrapped a registry's DEK.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct KeyPeriod {
    /// The URL of the key version.
    pub key: String,
    /// The identity that used it: its name, or its client id after its deletion.
    pub identity: String,
    /// The beginning.
    pub from: Time,
    /// The end. Null for the present version.
    pub until: Option<Time>,
}

/// A principal that may use a key.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct KeyUser {
    /// The principal.
    pub principal: Principal,
    /// Its permissions to the key.
    pub permissions: Vec<KeyPermission>,
    /// The name of the role that grants them. Null for an access policy.
    pub role: Option<String>,
    /// The ARM id of the vault, or of the scope at which the role is assigned.
    pub scope: String,
}

/// A period in which a registry could not use its key.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RevocationPeriod {
    /// The cause.
    pub cause: Cause,
    /// The time at which the registry met the refusal.
    pub from: Time,
    /// The time at which it could use its key again. Null while it cannot.
    pub until: Option<Time>,
    /// The length in seconds, up to the time of the report.
    pub seconds: i64,
}

/// The content of a registry on disk.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct StorageEvidence {
    /// The number of objects.
    pub objects: u64,
    /// The size of their content in bytes.
    pub bytes: u64,
    /// The layers of encryption that each object must have, the inner one first.
    pub layers: Vec<String>,
    /// The number of objects that lack a layer.
    pub incomplete: u64,
    /// Objects that were read for this report, drawn at random.
    pub samples: Vec<SampledObject>,
}

/// An object that was read.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SampledObject {
    /// The name of its file.
    pub object: String,
    /// The digest of its content.
    pub digest: Digest,
    /// The size of its content in bytes.
    pub size: u64,
    /// The layers that its file names.
    pub layers: Vec<String>,
    /// The finding.
    pub finding: SampleFinding,
    /// The damage, or the cause of the revocation. Null for any other finding.
    pub detail: Option<String>,
}

/// An operation on a registry's key or its vault.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct KeyUse {
    /// Its time.
    pub time: Time,
    /// Its name in the audit log, such as `KeyUnwrap`.
    pub operation: String,
    /// The vault.
    pub vault: String,
    /// The key, with its version if the operation names one. Null for an operation on the vault.
    pub key: Option<String>,
    /// The registry whose identity is the caller. Null for any other caller.
    pub registry: Option<RegistryName>,
    /// The caller: a principal's name or id, or `operator`.
    pub caller: String,
    /// The HTTP status.
    pub status: u16,
}

words! {
    /// The finding about an object that was read.
    pub enum SampleFinding, "finding" {
        /// All its layers open, inside is the content of its digest, and its file does not show that content.
        Sealed = "sealed",
        /// The registry is revoked, so that the outer layer cannot be opened.
        Locked = "locked",
        /// The file shows its content.
        Exposed = "exposed",
        /// The file is damaged or missing.
        Damaged = "damaged",
    }
}
