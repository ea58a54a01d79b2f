use jiff::Timestamp;
use sealock_core::Digest;
use sealock_store::Table;
use serde::{Deserialize, Serialize};

use super::attributes::Attributes;

/// The manifests of each repository, by digest.
pub(crate) const MANIFESTS: Table<ManifestRecord> = Table::content("manifests");

/// The tags of each repository.
pub(crate) const TAGS: Table<TagRecord> = Table::content("tags");

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ManifestRecord {
    pub(crate) media_type: String,
    pub(crate) pushed: Timestamp,
    /// Its subject, which need not exist.
    pub(crate) subject: Option<Digest>,
    /// Its artifact type, for the filter of referrers. `None` if it has none, or one too long for a record.
    pub(crate) artifact_type: Option<String>,
    /// True if it was accepted although content that it refers to was missing.
    pub(crate) sparse: bool,
    pub(crate) attributes: Attributes,
    /// The number of times that it was tagged. A deletion that has not seen the latest tag conflicts with it, instead
    /// of leaving it behind.
    pub(super) taggings: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TagRecord {
    pub(crate) digest: Digest,
    pub(crate) updated: Timestamp,
    /// The time at which the tag was first put on a manifest. It stays when the tag moves.
    pub(crate) created: Timestamp,
    pub(crate) attributes: Attributes,
}
