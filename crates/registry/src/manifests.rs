//! Manifests: their grammar, their records, tags, referrers and attributes.

pub(crate) mod attributes;
mod deletion;
pub(crate) mod index;
pub(crate) mod list;
pub(crate) mod lookup;
pub(crate) mod manifest;
pub(crate) mod order;
mod push;
pub(crate) mod record;
pub(crate) mod referrers;
pub(crate) mod stamps;
mod tags;
