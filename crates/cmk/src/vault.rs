use async_trait::async_trait;
use sealock_core::{ClientId, KeyIdentifier, Kid};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// How a DEK is wrapped: RSAES-OAEP with SHA-256 and MGF1-SHA-256 (RFC 8017, 7.1).
pub const WRAP_ALGORITHM: &str = "RSA-OAEP-256";

/// Why the vault refuses a registry its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum Cause {
    /// The identity lacks the permission in the vault's access policies.
    #[error("ForbiddenByPolicy")]
    ForbiddenByPolicy,
    /// The vault cannot be reached: its access from the network is disabled.
    #[error("ForbiddenByConnection")]
    ForbiddenByConnection,
    /// The vault's firewall does not let registries in.
    #[error("ForbiddenByFirewall")]
    ForbiddenByFirewall,
    /// The identity has no role that permits it.
    #[error("ForbiddenByRbac")]
    ForbiddenByRbac,
    /// The managed identity does not exist any more.
    #[error("IdentityNotFound")]
    IdentityNotFound,
    /// The key is soft-deleted; recovering it restores the registry.
    #[error("KeyDeleted")]
    KeyDeleted,
    /// The key version is disabled; enabling it restores the registry.
    #[error("KeyDisabled")]
    KeyDisabled,
    /// The key version has expired. It wraps nothing any more, but unwraps: no registry is revoked for it.
    #[error("KeyExpired")]
    KeyExpired,
    /// There is no such key version, or not any more.
    #[error("KeyNotFound")]
    KeyNotFound,
    /// The time from which on the key version wraps has not come. It unwraps: no registry is revoked for it.
    #[error("KeyNotYetValid")]
    KeyNotYetValid,
    /// The key version is not for this; its `key_ops` say what it is for.
    #[error("KeyOperationForbidden")]
    KeyOperationForbidden,
    /// The vault is soft-deleted; recovering it restores the registry.
    #[error("VaultDeleted")]
    VaultDeleted,
    /// There is no such vault, or not any more.
    #[error("VaultNotFound")]
    VaultNotFound,
    /// The vault could not answer.
    #[error("VaultUnavailable")]
    VaultUnavailable,
}

impl Cause {
    /// The text that a registry's clients see.
    ///
    /// <https://learn.microsoft.com/azure/container-registry/tutorial-troubleshoot-customer-managed-keys>
    pub fn message(self) -> &'static str {
        match self {
            Self::IdentityNotFound => {
                "The identity associated with the registry is inactive. This could be due to attempted removal of the \
                 identity. Reassign the identity manually"
            }
            _ => {
                "Access to Key Encryption Key is forbidden. View troubleshooting steps at https://aka.ms/acr/cmk"
            }
        }
    }
}

/// What the vault tells of a key version.
#[derive(Clone, Debug)]
pub struct KeyFacts {
    /// The version.
    pub kid: Kid,
    /// The key's type, such as `RSA` or `EC`.
    pub kty: String,
    /// Whether it may be used.
    pub enabled: bool,
}

/// A vault's failure to serve a registry.
#[derive(Debug, thiserror::Error)]
pub enum NotDone {
    /// The vault refuses.
    #[error(transparent)]
    Refused(#[from] Cause),
    /// The vault cannot read or write its store. This says nothing about the key, so it is no revocation.
    #[error(transparent)]
    Store(#[from] sealock_store::Error),
}

/// A vault, as a registry's managed identity reaches it: every call is decided, and audited, as that
/// identity's.
#[async_trait]
pub trait KeyVault: Send + Sync + 'static {
    /// Gets the version that `key` names: the current one, if it names none.
    async fn get_key(&self, identity: ClientId, key: &KeyIdentifier) -> Result<KeyFacts, NotDone>;

    /// Wraps `plaintext` under `kid` with [`WRAP_ALGORITHM`].
    async fn wrap_key(
        &self,
        identity: ClientId,
        kid: &Kid,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, NotDone>;

    /// Unwraps what [`wrap_key`](Self::wrap_key) gave.
    async fn unwrap_key(
        &self,
        identity: ClientId,
        kid: &Kid,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, NotDone>;

    /// Judges whether `identity` could unwrap with `kid`. This one call is not audited, since no key is used.
    async fn judge_unwrap(&self, identity: ClientId, kid: &Kid) -> Result<(), NotDone>;
}
