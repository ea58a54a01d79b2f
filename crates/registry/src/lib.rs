//! The registry: OCI Distribution over content that is sealed before it reaches the disk.
//!
//! A [`Registry`] knows no vault. For each piece of work it asks its custody for a lease, and a refused
//! lease is a refused request. Content (blobs and manifests alike) is stored once per registry under
//! its digest; repositories only link to it.
//!
//! Start with [`http`], the table of endpoints, and [`Error`], the table of errors. Content comes in through
//! `upload/append.rs` and goes out through `content/download.rs`; `manifests/push.rs` and `manifests/lookup.rs` do the
//! same for manifests. `access/` authenticates callers and decides what they may do.

mod access;
mod content;
mod deletion;
mod error;
pub mod http;
mod identities;
mod locks;
mod manifests;
mod name;
mod network;
mod refusal;
mod registries;
mod registry;
mod repository;
mod upload;

pub use access::{
    login::{AdminCredentials, LoginChange, LoginSettings},
    login_refusal::LoginRefusal,
    password::PasswordName,
    permissions::Scope,
    scope_map::{ScopeMap, ScopeMapAction},
    token::{Token, TokenChange, TokenPassword},
};
pub use content::{
    damage::{DamagedContent, check_contents, unmentioned_objects},
    evidence::{SampleFinding, SampledObject, StorageEvidence},
    finding::{Finding, FindingKind, Verification},
    garbage::{Collection, Garbage, Usage},
    inspect::{Inspection, ObjectView},
    object::Content,
    sweep::Sweep,
};
pub use error::{Challenge, DigestMismatch, Error};
pub use identities::{AssignableIdentity, AssignedIdentity, KeyRotation, RequestedIdentities};
pub use manifests::{
    index::rebuild_indexes,
    manifest::{DescriptorKind, Manifest},
};
pub use name::{Reference, RepositoryName, Tag, UploadId};
pub use network::{IpRule, NetworkChange};
pub use refusal::Refusal;
pub use registries::{Registries, RegistryRequest};
pub use registry::{RESOURCE_TYPE, Registry, RegistryRecord, Settings};
pub use repository::{DeletedRepository, ManifestSummary, Repository};
