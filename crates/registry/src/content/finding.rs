use serde::Serialize;

/// What a verification found in a registry.
#[derive(Debug, Default)]
pub struct Verification {
    /// How many objects were opened.
    pub objects: u64,
    /// How many bytes of content they have.
    pub bytes: u64,
    /// How many references were followed.
    pub references: u64,
    /// The number of unfinished uploads that were opened.
    pub uploads: u64,
    /// The unfinished uploads that cannot go on, with the reasons. This is no problem: a loss of power may take them.
    pub lost_uploads: Vec<String>,
    /// The references of manifests to what somebody deleted. This is no problem: a registry permits it.
    pub deleted_references: Vec<String>,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Of what kind.
    pub kind: FindingKind,
    /// Where, and what.
    pub what: String,
}

/// A kind of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum FindingKind {
    /// Content is not that of its digest.
    DigestMismatch,
    /// An object does not open.
    ObjectDamaged,
    /// A content's object is missing.
    ObjectMissing,
    /// No record refers to an object.
    ObjectOrphaned,
    /// A record or a manifest refers to something that is not there.
    ReferenceUnresolved,
    /// The owner of an unfinished upload is unknown.
    UploadDamaged,
}

impl Verification {
    pub(super) fn unresolved(&mut self, what: String) {
        self.findings.push(Finding {
            kind: FindingKind::ReferenceUnresolved,
            what,
        });
    }
}
