//! Key Vault: vaults, their keys and versions, the life cycle, the access decision and the audit log.
//!
//! [`KeyVault`] is the whole service. Each operation names its caller, is judged in Azure's order
//! (vault, permission, key, state, parameters), takes effect in one atomic write, and leaves one
//! [`AuditEvent`] in the journal, whether it was served or refused. Once begun it goes to its end,
//! even if whoever asked has left. There is no HTTP here, and nothing that knows a registry.
//!
//! A private key is in memory only while an operation needs it; `private_keys` says how it is stored,
//! and `key_material` what can be done with it.

mod access;
mod algorithm;
mod audit;
mod curve;
mod error;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "no operation asks for all of it yet")
)]
mod key_material;
mod key_spec;
mod key_vault;
mod keys;
mod lookup;
mod permission;
mod policies;
mod private_keys;
mod public_key;
mod records;
mod sweep;
mod usage;
mod vaults;
mod views;
mod wrapping;

pub use access::{Decision, decide};
pub use algorithm::{AesSize, EncryptionAlgorithm, Sha, SignatureAlgorithm};
// What wraps is an encryption algorithm like any other.
pub use algorithm::EncryptionAlgorithm as WrapAlgorithm;
pub use audit::{AuditEvent, Claim, Identity, KeyProperties, Properties};
pub use curve::Curve;
pub use error::{Error, Result};
pub use key_material::{Encrypted, JsonWebKey};
pub use key_spec::{KeyShape, KeySpec, KeyType};
pub use key_vault::KeyVault;
pub use permission::KeyPermission;
pub use public_key::PublicKey;
pub use sweep::Swept;
pub use usage::{KeyUse, Unusable, VersionState, may_use};
pub use vaults::VaultSettings;
pub use views::{Key, KeyVersionFacts, Policy, State, Vault, Version};

/// Where every vault is, until one can say so.
const LOCATION: &str = "eastus";
