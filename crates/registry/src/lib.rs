//! The registry: OCI Distribution over content that is sealed before it reaches the disk.
//!
//! A [`Registry`] knows no vault. For each piece of work it asks its custody for a lease, and a refused
//! lease is a refused request. Content (blobs and manifests alike) is stored once per registry under
//! its digest; repositories only link to it.
//!
//! Where to start: [`http`] has the table of endpoints, [`Error`] the table of errors, `upload.rs` and
//! `session.rs` the way in, `content.rs` and `download.rs` the way out.

mod access;
mod attributes;
mod bearer;
mod blob;
mod content;
mod damage;
mod deletion;
mod download;
mod error;
mod exchange;
mod garbage;
mod hasher;
pub mod http;
mod inspect;
mod login;
mod login_refusal;
mod manifest;
mod manifests;
mod name;
mod order;
mod password;
mod referrers;
mod refusal;
mod registries;
mod registry;
mod repository;
mod resumption;
mod scope_map;
mod session;
mod settings;
mod stamps;
mod sweep;
mod token;
mod turns;
mod upload;
mod uploads;
mod verify;

pub use access::Scope;
pub use content::Content;
pub use damage::{DamagedContent, check_contents, unmentioned_objects};
pub use error::{Challenge, DigestMismatch, Error};
pub use garbage::{Collection, Garbage, Usage};
pub use inspect::{Inspection, ObjectView};
pub use login::{AdminCredentials, LoginSettings};
pub use login_refusal::LoginRefusal;
pub use manifest::{Kind, Manifest};
pub use name::{Reference, RepositoryName, Tag};
pub use password::PasswordName;
pub use refusal::Refusal;
pub use registries::{Registries, RegistryRecord};
pub use registry::Registry;
pub use repository::{Deleted, ManifestSummary, Repository};
pub use scope_map::{ScopeMap, ScopeMapAction};
pub use settings::Settings;
pub use sweep::Sweep;
pub use token::{Token, TokenPassword};
pub use uploads::{UploadId, Uploads};
pub use verify::{Problem, ProblemKind, Verification};
