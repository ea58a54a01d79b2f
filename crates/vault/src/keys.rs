//! Keys and their versions: creation, reading, changes, deletion, recovery, backups and policies.

pub(crate) mod attributes;
mod backup;
mod creation;
mod deletion;
pub(crate) mod followers;
mod import;
mod key_operation;
pub(crate) mod key_spec;
mod listing;
mod reading;
mod release_policy;
mod rotation;
mod rotation_policy;
mod update;
mod view;

pub use self::{
    attributes::KeyChange,
    backup::BACKUP_BYTES,
    followers::KeyFollowers,
    import::ImportedKey,
    key_operation::KeyOperation,
    key_spec::{KeyShape, KeySpec, KeyType},
    listing::{Listing, Page},
    release_policy::{ReleasePolicy, ReleaseRules},
    rotation::RotationPolicyView,
    rotation_policy::{Action, LifetimeAction, Period, RotationPolicy, Trigger},
};
