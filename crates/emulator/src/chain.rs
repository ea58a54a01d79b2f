use async_trait::async_trait;
use sealock_cmk::{Cause, KeyFacts};
use sealock_core::{ClientId, KeyIdentifier, Kid};
use sealock_entra::{Caller, Directory};
use sealock_vault::{Error, KeyVault, WrapAlgorithm};
use zeroize::Zeroizing;

/// The whole way from a registry to its key: managed identity, access decision, key version. No mode
/// of the emulator skips any of it.
pub(crate) struct Chain {
    directory: Directory,
    vault: KeyVault,
}

impl Chain {
    pub(crate) fn new(directory: Directory, vault: KeyVault) -> Self {
        Self { directory, vault }
    }

    fn caller(&self, identity: ClientId) -> Result<Caller, Cause> {
        match self.directory.identity_by_client_id(identity) {
            Ok(Some(identity)) => Ok(Caller::Identity(identity)),
            Ok(None) => Err(Cause::IdentityNotFound),
            Err(error) => {
                tracing::error!(%error, "the directory could not be read");
                Err(Cause::VaultUnavailable)
            }
        }
    }
}

#[async_trait]
impl sealock_cmk::KeyVault for Chain {
    async fn get_key(&self, identity: ClientId, key: &KeyIdentifier) -> Result<KeyFacts, Cause> {
        let caller = self.caller(identity)?;
        let facts = self
            .vault
            .get_key(&caller, key)
            .await
            .map_err(|error| cause(&error))?;
        Ok(KeyFacts {
            kid: facts.kid,
            kty: facts.kty.to_string(),
            enabled: facts.enabled,
        })
    }

    async fn wrap_key(
        &self,
        identity: ClientId,
        kid: &Kid,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, Cause> {
        let caller = self.caller(identity)?;
        let wrapped = self
            .vault
            .wrap_key(&caller, kid, WrapAlgorithm::RsaOaep256, plaintext)
            .await;
        wrapped.map_err(|error| cause(&error))
    }

    async fn unwrap_key(
        &self,
        identity: ClientId,
        kid: &Kid,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Cause> {
        let caller = self.caller(identity)?;
        let unwrapped = self
            .vault
            .unwrap_key(&caller, kid, WrapAlgorithm::RsaOaep256, wrapped)
            .await;
        unwrapped.map_err(|error| cause(&error))
    }
}

/// What the vault's refusal means for a registry.
fn cause(error: &Error) -> Cause {
    match error {
        Error::AccessDenied { .. } => Cause::AccessDenied,
        Error::KeyDeleted { .. } => Cause::KeyDeleted,
        Error::KeyDisabled { .. } => Cause::KeyDisabled,
        Error::KeyNotFound { .. } => Cause::KeyNotFound,
        Error::VaultDeleted { .. } => Cause::VaultDeleted,
        Error::VaultNotFound { .. } => Cause::VaultNotFound,
        error => {
            tracing::error!(%error, "the vault failed");
            Cause::VaultUnavailable
        }
    }
}
