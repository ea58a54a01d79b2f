use async_trait::async_trait;
use jiff::Timestamp;
use sealock_core::{ClientId, KeyIdentifier, Kid};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The algorithm that wraps a DEK: RSAES-OAEP with SHA-256 and MGF1-SHA-256 (RFC 8017, 7.1).
pub const WRAP_ALGORITHM: &str = "RSA-OAEP-256";

/// The cause for which the vault refuses a registry its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum Cause {
    /// The vault's access policies do not give the identity the permission.
    #[error("ForbiddenByPolicy")]
    ForbiddenByPolicy,
    /// The vault's public network access is disabled.
    #[error("ForbiddenByConnection")]
    ForbiddenByConnection,
    /// The vault's firewall does not let registries in.
    #[error("ForbiddenByFirewall")]
    ForbiddenByFirewall,
    /// The vault's firewall lets a registry in with its system-assigned identity only.
    #[error("ForbiddenByTrust")]
    ForbiddenByTrust,
    /// The identity has no role that permits the operation.
    #[error("ForbiddenByRbac")]
    ForbiddenByRbac,
    /// The managed identity is no longer assigned to the registry.
    #[error("IdentityDetached")]
    IdentityDetached,
    /// The managed identity no longer exists.
    #[error("IdentityNotFound")]
    IdentityNotFound,
    /// The key is soft-deleted; recovering it restores the registry.
    #[error("KeyDeleted")]
    KeyDeleted,
    /// The key version is disabled; enabling it restores the registry.
    #[error("KeyDisabled")]
    KeyDisabled,
    /// The key version has expired. It no longer wraps, but it unwraps, so it revokes no registry.
    #[error("KeyExpired")]
    KeyExpired,
    /// The key version does not exist, or was purged.
    #[error("KeyNotFound")]
    KeyNotFound,
    /// The key version is not valid yet. It does not wrap, but it unwraps, so it revokes no registry.
    #[error("KeyNotYetValid")]
    KeyNotYetValid,
    /// The key version's `key_ops` do not include the operation.
    #[error("KeyOperationForbidden")]
    KeyOperationForbidden,
    /// The key version is not of type RSA. A registry does not move to it.
    #[error("KeyTypeUnsupported")]
    KeyTypeUnsupported,
    /// The vault is soft-deleted; recovering it restores the registry.
    #[error("VaultDeleted")]
    VaultDeleted,
    /// The vault does not exist, or was purged.
    #[error("VaultNotFound")]
    VaultNotFound,
    /// The vault could not answer.
    #[error("VaultUnavailable")]
    VaultUnavailable,
}

impl Cause {
    /// Returns the text that a registry's clients see.
    ///
    /// <https://learn.microsoft.com/azure/container-registry/tutorial-troubleshoot-customer-managed-keys>
    pub fn message(self) -> &'static str {
        match self {
            Self::IdentityDetached | Self::IdentityNotFound => {
                "The identity associated with the registry is inactive. This could be due to attempted removal of the \
                 identity. Reassign the identity manually"
            }
            _ => {
                "Access to Key Encryption Key is forbidden. View troubleshooting steps at https://aka.ms/acr/cmk"
            }
        }
    }
}

/// A key version as the vault describes it.
#[derive(Clone, Debug)]
pub struct KeyFacts {
    /// The version.
    pub kid: Kid,
    /// The key's type, such as `RSA` or `EC`.
    pub kty: String,
    /// True if the version may be used.
    pub enabled: bool,
    /// True if its vault has purge protection.
    pub purge_protection: bool,
}

/// The reason why the vault did not serve a registry.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The vault refuses.
    #[error(transparent)]
    Refused(#[from] Cause),
    /// The vault could not read or write its store. That says nothing about the key, so it is no revocation.
    #[error(transparent)]
    Store(#[from] sealock_store::Error),
}

/// A vault that a registry reaches as its managed identity. The vault authorizes and audits every call as that
/// identity's.
#[async_trait]
pub trait KeyVault: Send + Sync + 'static {
    /// Returns the version that `key` names, or the current version if it names none.
    async fn get_key(
        &self,
        identity: ClientId,
        key: &KeyIdentifier,
    ) -> Result<KeyFacts, VaultError>;

    /// Wraps `plaintext` under `kid` with [`WRAP_ALGORITHM`].
    async fn wrap_key(
        &self,
        identity: ClientId,
        kid: &Kid,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, VaultError>;

    /// Unwraps the bytes that [`wrap_key`](Self::wrap_key) returned.
    async fn unwrap_key(
        &self,
        identity: ClientId,
        kid: &Kid,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError>;

    /// Returns the time at which `identity` was deleted. `None` while it exists.
    async fn identity_deletion(&self, identity: ClientId) -> Result<Option<Timestamp>, VaultError>;

    /// Checks that `identity` could unwrap with `kid`. This call alone is not audited, since it uses no key.
    async fn judge_unwrap(&self, identity: ClientId, kid: &Kid) -> Result<(), VaultError>;
}
