//! Key Vault: vaults, their keys and versions, the life cycle, the access decision and the audit log.
//!
//! [`KeyVault`] is the whole service. [`KeyVault::authorize`] judges an operation in Azure's order (vault, network,
//! permission, key, state) and returns a [`Permit`], whose `run` takes the parameters and carries the operation out in
//! one atomic write. Each operation leaves one [`AuditEvent`] in the journal, even if it is refused. [`operation`] is the
//! table of all operations; [`http`] is the data plane. Nothing here knows a registry.
//!
//! A private key is in memory only while an operation needs it; `crypto::private_keys` says how it is stored.

mod arm_id;
mod audit;
mod authorization;
mod crypto;
mod error;
pub mod http;
mod key_vault;
mod keys;
mod lifecycle;
mod lists;
mod lookup;
pub mod operation;
mod records;
mod service;
mod throttling;
mod vaults;
mod views;

pub use audit::{AuditEvent, AuditIdentity, AuditProperties, Claim, KeyProperties};
pub use authorization::{
    Client, ContentKind, Grant, IpRule, KeyPermission, KeyUser, Origin, PermissionNames,
    PolicyPermissions, Requester, TrustedServices, UnreachableReason, VirtualNetworkRule,
    may_reach,
};
pub use crypto::{
    AesSize, CryptoResult, Curve, Encrypted, EncryptionAlgorithm, JsonWebKey, PublicKey, Sha,
    SignatureAlgorithm, UnusableReason, UsageAttributes, may_use,
};
pub use error::{Error, Result};
pub use key_vault::KeyVault;
pub use keys::{
    Action, BACKUP_BYTES, ImportedKey, KeyChange, KeyFollowers, KeyOperation, KeyShape, KeySpec,
    KeyType, LifetimeAction, Listing, Page, Period, ReleasePolicy, ReleaseRules, RotationPolicy,
    RotationPolicyView, Trigger,
};
pub use lifecycle::{
    Due, PendingPurge, Purge, Swept, unmentioned_private_keys, verify_private_keys,
};
pub use operation::Permit;
pub use sealock_core::{Bypass, DefaultAction, NetworkRules};
pub use service::Settings;
pub use vaults::{EnabledFor, NetworkAcls, VaultChange, VaultProperties, VaultSettings, VaultSku};
pub use views::{AccessPolicy, Key, KeyAttributes, KeyBundle, KeyItem, Recovery, State, Vault};
