use schemars::JsonSchema;
use sealock_core::RegistryName;
use serde::{Deserialize, Serialize};

use crate::{Cause, Hint, QuarantineSize, word::words};

/// The findings of a verification.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Verification {
    /// Each registry with its findings.
    pub registries: Vec<VerifiedRegistry>,
    /// The findings outside the registries' content.
    pub problems: Vec<Finding>,
    /// The files in quarantine, which are no problem.
    pub quarantine: QuarantineSize,
    /// True if everything could be read, and there are no problems.
    pub whole: bool,
}

/// A registry that was verified.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct VerifiedRegistry {
    /// Its name.
    pub name: RegistryName,
    /// The state in which it was found.
    pub state: VerificationState,
    /// The cause of its revocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The way back from its revocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore: Option<Hint>,
    /// The number of objects that were opened.
    pub objects: u64,
    /// The bytes of content in them.
    pub bytes: u64,
    /// The number of references that were followed.
    pub references: u64,
    /// The number of unfinished uploads that were opened.
    pub uploads: u64,
    /// The unfinished uploads that cannot go on, with the reasons. They are no problem: a loss of power may take them.
    pub lost_uploads: Vec<String>,
    /// The references to objects that a client deleted. They are no problem: a registry permits it.
    pub deleted_references: Vec<String>,
    /// The problems.
    pub problems: Vec<Finding>,
}

/// A damaged or missing part.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Its kind.
    pub kind: FindingKind,
    /// A sentence with the place and the problem.
    pub what: String,
}

words! {
    /// The state in which a verification found a registry.
    pub enum VerificationState, "state" {
        /// Its content was read.
        Verified = "verified",
        /// Its content could not be read.
        Revoked = "revoked",
    }
}

words! {
    /// A kind of finding.
    pub enum FindingKind, "kind of finding" {
        /// A content's object is missing or has the wrong length.
        ContentDamaged = "ContentDamaged",
        /// A custody record, or its second copy, is damaged.
        CustodyDamaged = "CustodyDamaged",
        /// Content is not that of its digest.
        DigestMismatch = "DigestMismatch",
        /// A record, its log or copies, or the journal is damaged.
        MetadataDamaged = "MetadataDamaged",
        /// An object does not open.
        ObjectDamaged = "ObjectDamaged",
        /// A content's object is missing.
        ObjectMissing = "ObjectMissing",
        /// No record refers to an object.
        ObjectOrphaned = "ObjectOrphaned",
        /// A private key of a vault does not open.
        PrivateKeyDamaged = "PrivateKeyDamaged",
        /// A record or a manifest refers to something that does not exist.
        ReferenceUnresolved = "ReferenceUnresolved",
        /// A file of TLS is damaged.
        TlsFileDamaged = "TlsFileDamaged",
        /// The owner of an unfinished upload is unknown.
        UploadDamaged = "UploadDamaged",
    }
}
