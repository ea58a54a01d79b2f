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
    /// The manifest that it is about, whether that is there or not.
    pub(crate) subject: Option<Digest>,
    /// Whether it was taken although something that it refers to was missing.
    pub(crate) sparse: bool,
    pub(crate) attributes: Attributes,
    /// Counts the tags that were ever put on it, so that a deletion that has not seen the newest one
    /// conflicts instead of leaving it behind.
    pub(super) taggings: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TagRecord {
    pub(crate) digest: Digest,
    pub(crate) updated: Timestamp,
    /// When the tag was first put, on whatever manifest.
    pub(crate) created: Timestamp,
    pub(crate) attributes: Attributes,
}
