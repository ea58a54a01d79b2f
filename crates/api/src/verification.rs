use schemars::JsonSchema;
use sealock_core::RegistryName;
use serde::{Deserialize, Serialize};

use crate::{Cause, Hint, QuarantineSize, word::words};

/// The result of a verification.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Verification {
    /// The registries with their findings.
    pub registries: Vec<VerifiedRegistry>,
    /// The findings outside the registries' content.
    pub problems: Vec<Finding>,
    /// The size of the quarantine. Files in quarantine are not a problem.
    pub quarantine: QuarantineSize,
    /// True if all data could be read and there are no problems.
    pub whole: bool,
}

/// The verification of a registry.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct VerifiedRegistry {
    /// Its name.
    pub name: RegistryName,
    /// Its state during the verification.
    pub state: VerificationState,
    /// The cause of its revocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The operation that restores it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<Hint>,
    /// The number of verified objects.
    pub objects: u64,
    /// The bytes of content in them.
    pub bytes: u64,
    /// The number of verified references.
    pub references: u64,
    /// The number of verified unfinished uploads.
    pub uploads: u64,
    /// The unfinished uploads that cannot be resumed, with the reasons. They are not a problem, since a power failure may
    /// cause them.
    pub lost_uploads: Vec<String>,
    /// The references to objects that a client deleted. They are not a problem, since a registry permits them.
    pub deleted_references: Vec<String>,
    /// The problems.
    pub problems: Vec<Finding>,
}

/// A damaged or missing part.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Its kind.
    pub kind: FindingKind,
    /// The problem and its location, in a sentence.
    pub description: String,
}

words! {
    /// The state of a registry during a verification.
    pub enum VerificationState, "state" {
        /// Its content was verified.
        Verified = "verified",
        /// The registry is revoked, so its content could not be read.
        Revoked = "revoked",
    }
}

words! {
    /// The kind of a finding.
    pub enum FindingKind, "kind of finding" {
        /// The object of a blob or manifest is missing or has the wrong length.
        ContentDamaged = "ContentDamaged",
        /// A custody record or its second copy is damaged.
        CustodyDamaged = "CustodyDamaged",
        /// The digest of a content does not match.
        DigestMismatch = "DigestMismatch",
        /// A record, its log, its copies or the journal is damaged.
        MetadataDamaged = "MetadataDamaged",
        /// An object cannot be opened.
        ObjectDamaged = "ObjectDamaged",
        /// The object of a blob or manifest is missing.
        ObjectMissing = "ObjectMissing",
        /// No record refers to an object.
        ObjectOrphaned = "ObjectOrphaned",
        /// A private key of a vault cannot be opened.
        PrivateKeyDamaged = "PrivateKeyDamaged",
        /// A record or a manifest refers to something that does not exist.
        ReferenceUnresolved = "ReferenceUnresolved",
        /// A TLS file is damaged.
        TlsFileDamaged = "TlsFileDamaged",
        /// The owner of an unfinished upload is unknown.
        UploadDamaged = "UploadDamaged",
    }
}
