use async_trait::async_trait;
use jiff::Timestamp;
use sealock_cmk::{Cause, Custodian, KeyFacts, VaultError};
use sealock_core::{ClientId, KeyIdentifier, Kid};
use sealock_entra::{Directory, ServedIdentity};
use sealock_vault::{
    EncryptionAlgorithm, Error, KeyFollowers, KeyVault, Requester, UnreachableReason,
    operation::{GetKey, UnwrapKey, WrapKey},
};
use zeroize::Zeroizing;

/// The chain from a registry to its key: managed identity, access decision, key version. No mode of the emulator skips a
/// link.
pub(crate) struct Chain {
    directory: Directory,
    vault: KeyVault,
}

impl Chain {
    pub(crate) fn new(directory: Directory, vault: KeyVault) -> Self {
        Self { directory, vault }
    }

    async fn registry(&self, identity: ClientId) -> Result<Requester, VaultError> {
        let served = self.served_identity(identity).await?;
        Ok(Requester::registry(served.identity))
    }

    async fn served_identity(&self, identity: ClientId) -> Result<ServedIdentity, VaultError> {
        match self.directory.served_identity(identity).await {
            Ok(Some(served)) => Ok(served),
            Ok(None) => Err(Cause::IdentityNotFound.into()),
            Err(error) if error.fault().is_some() => Err(error.into()),
            Err(error) => {
                tracing::error!(%error, "the directory could not be read");
                Err(Cause::VaultUnavailable.into())
            }
        }
    }
}

/// The registries that follow a key. The vault notifies them of each new version before it answers the request for it. The
/// data plane, the control API and rotation policies all use this path.
pub(crate) struct FollowingRegistries(pub(crate) Custodian);

#[async_trait]
impl KeyFollowers for FollowingRegistries {
    async fn follow(&self, current: &Kid) {
        let Self(custodian) = self;
        if let Err(error) = custodian.follow(current).await {
            tracing::error!(%error, kid = %current, "the registries could not follow a key");
        }
    }
}

const ALGORITHM: EncryptionAlgorithm = EncryptionAlgorithm::RsaOaep256;

#[async_trait]
impl sealock_cmk::KeyVault for Chain {
    async fn get_key(
        &self,
        identity: ClientId,
        key: &KeyIdentifier,
    ) -> Result<KeyFacts, VaultError> {
        let registry = self.registry(identity).await?;
        let found = async {
            let permit = self.vault.authorize(&registry, GetKey, key.clone()).await?;
            permit.run().await
        };
        let bundle = found.await.map_err(vault_error)?;
        Ok(KeyFacts {
            kid: bundle.kid,
            kty: bundle.kty.to_string(),
            enabled: bundle.attributes.enabled,
            purge_protection: bundle.attributes.recovery.purge_protection,
        })
    }

    async fn wrap_key(
        &self,
        identity: ClientId,
        kid: &Kid,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        let registry = self.registry(identity).await?;
        let wrapped = async {
            let key = kid.identifier();
            let permit = self.vault.authorize(&registry, WrapKey, key).await?;
            permit
                .run(ALGORITHM, Zeroizing::new(plaintext.to_vec()))
                .await
        };
        Ok(wrapped.await.map_err(vault_error)?.result)
    }

    async fn unwrap_key(
        &self,
        identity: ClientId,
        kid: &Kid,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let registry = self.registry(identity).await?;
        let unwrapped = async {
            let key = kid.identifier();
            let permit = self.vault.authorize(&registry, UnwrapKey, key).await?;
            permit.run(ALGORITHM, wrapped.to_vec()).await
        };
        Ok(unwrapped.await.map_err(vault_error)?.result)
    }

    async fn identity_deletion(&self, identity: ClientId) -> Result<Option<Timestamp>, VaultError> {
        Ok(self.served_identity(identity).await?.deleted)
    }

    async fn judge_unwrap(&self, identity: ClientId, kid: &Kid) -> Result<(), VaultError> {
        let registry = self.registry(identity).await?;
        let key = kid.identifier();
        let judged = self.vault.judge(&registry, UnwrapKey, &key).await;
        judged.map_err(vault_error)
    }
}

/// Separates a fault of the disk, which says nothing about the key, from a refusal of the vault.
fn vault_error(error: Error) -> VaultError {
    match error {
        Error::Storage(error) | Error::Directory(sealock_entra::Error::Store(error))
            if error.fault().is_some() =>
        {
            VaultError::Store(error)
        }
        error => VaultError::Refused(cause(&error)),
    }
}

/// Translates an error of the vault to the cause of a revocation.
fn cause(error: &Error) -> Cause {
    match error {
        Error::ForbiddenByPolicy { .. } => Cause::ForbiddenByPolicy,
        Error::ForbiddenByRbac { .. } => Cause::ForbiddenByRbac,
        Error::Unreachable { why, .. } => match why {
            UnreachableReason::PublicAccessDisabled => Cause::ForbiddenByConnection,
            UnreachableReason::AddressNotAuthorized | UnreachableReason::BypassDisabled => {
                Cause::ForbiddenByFirewall
            }
            UnreachableReason::IdentityNotTrusted => Cause::ForbiddenByTrust,
        },
        Error::KeyDeleted { .. } => Cause::KeyDeleted,
        Error::KeyDisabled { .. } => Cause::KeyDisabled,
        Error::KeyExpired { .. } => Cause::KeyExpired,
        Error::KeyNotFound { .. } => Cause::KeyNotFound,
        Error::KeyNotYetValid { .. } => Cause::KeyNotYetValid,
        Error::KeyOperationForbidden { .. } => Cause::KeyOperationForbidden,
        Error::VaultDeleted { .. } => Cause::VaultDeleted,
        Error::VaultNotFound { .. } => Cause::VaultNotFound,
        error => {
            tracing::error!(%error, "the vault failed");
            Cause::VaultUnavailable
        }
    }
}
