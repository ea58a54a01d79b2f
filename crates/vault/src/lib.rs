//! Key Vault: vaults, their keys and versions, the life cycle, the access decision and the audit log.
//!
//! [`KeyVault`] is the whole service. Each operation names its caller, is judged in Azure's order
//! (vault, network, permission, key, state, parameters), takes effect in one atomic write, and leaves one
//! [`AuditEvent`] in the journal, whether it was served or refused. Once begun it goes to its end,
//! even if whoever asked has left. Nothing here knows a registry. [`http`] is the data plane.
//!
//! A private key is in memory only while an operation needs it; `private_keys` says how it is stored.

mod access;
mod algorithm;
mod api_version;
mod attributes;
mod audit;
mod backup;
mod base64url;
mod curve;
mod damage;
mod due;
mod earlier_keys;
mod error;
mod followers;
pub mod http;
mod import;
mod key_material;
mod key_operation;
mod key_spec;
mod key_vault;
mod keys;
mod listing;
mod lookup;
mod network;
mod operation;
mod pending_purges;
mod permission;
mod policies;
mod private_keys;
mod public_key;
mod random;
mod rbac;
mod records;
mod release_policy;
mod requester;
mod rotation;
mod rotation_policy;
mod service;
mod sweep;
mod throttling;
mod usage;
mod using;
mod vaults;
mod verify;
mod views;

pub use access::{Decision, decide};
pub use algorithm::{AesSize, EncryptionAlgorithm, Sha, SignatureAlgorithm};
pub use attributes::KeyChange;
pub use audit::{AuditEvent, Claim, Identity, KeyProperties, Properties};
pub use backup::BACKUP_BYTES;
pub use curve::Curve;
pub use due::Due;
pub use error::{Error, Result};
pub use followers::KeyFollowers;
pub use import::ImportedKey;
pub use key_material::{Encrypted, JsonWebKey};
pub use key_operation::KeyOperation;
pub use key_spec::{KeyShape, KeySpec, KeyType};
pub use key_vault::KeyVault;
pub use listing::{Listing, Page};
pub use network::{Bypass, DefaultAction, IpRule, NetworkRules, Unreachable, may_reach};
pub use pending_purges::{PendingPurge, Purge};
pub use permission::KeyPermission;
pub use public_key::PublicKey;
pub use release_policy::{ReleasePolicy, ReleaseRules};
pub use requester::{Client, Origin, Requester};
pub use rotation::RotationPolicyView;
pub use rotation_policy::{Action, LifetimeAction, Period, RotationPolicy, Trigger};
pub use service::Settings;
pub use sweep::{Swept, unmentioned_private_keys};
pub use usage::{Unusable, VersionState, may_use};
pub use using::{KeyUse, Outcome, Used};
pub use vaults::{VaultChange, VaultSettings, VaultSku, resource_id};
pub use verify::verify_private_keys;
pub use views::{Key, KeyAttributes, KeyBundle, KeyItem, Policy, Recovery, State, Vault};

/// Where every vault is, until one can say so.
const LOCATION: &str = "eastus";
