use serde::Serialize;

/// The result of the verification of a registry.
#[derive(Debug, Default)]
pub struct Verification {
    /// The number of objects that were opened.
    pub objects: u64,
    /// The bytes of their content.
    pub bytes: u64,
    /// The number of references that were followed.
    pub references: u64,
    /// The number of unfinished uploads that were opened.
    pub uploads: u64,
    /// The unfinished uploads that cannot be resumed, with the reasons. This is not a problem: a power failure may lose
    /// them.
    pub lost_uploads: Vec<String>,
    /// The references of manifests to deleted content. This is not a problem: a registry permits it.
    pub deleted_references: Vec<String>,
    /// The problems.
    pub findings: Vec<Finding>,
}

/// A problem.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Its kind.
    pub kind: FindingKind,
    /// Its description.
    pub what: String,
}

/// A kind of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum FindingKind {
    /// Content is not that of its digest.
    DigestMismatch,
    /// An object does not open.
    ObjectDamaged,
    /// The object of a content is missing.
    ObjectMissing,
    /// No record refers to an object.
    ObjectOrphaned,
    /// A record or a manifest refers to something that does not exist.
    ReferenceUnresolved,
    /// The owner of an unfinished upload is unknown.
    UploadDamaged,
}

impl Verification {
    pub(super) fn add_unresolved(&mut self, what: String) {
        self.findings.push(Finding {
            kind: FindingKind::ReferenceUnresolved,
            what,
        });
    }
}
