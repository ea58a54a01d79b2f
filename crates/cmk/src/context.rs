use std::sync::Arc;

use jiff::SignedDuration;
use sealock_core::{
    ChosenKey, ClientId, Clock, KeyIdentifier, Kid, PublicName, RegistryId, RegistryName,
};
use sealock_envelope::{Dek, ServiceKey};
use sealock_store::{Record, Store};

use crate::{
    Cause, Error, InaccessibleKey, KeyFacts, KeyVault, Propagation, Refusal, VaultError,
    record::{CUSTODIES, CustodyRecord, WrappedDek},
    rules,
};

/// The services that every gate needs.
pub(crate) struct Context {
    pub(crate) store: Store,
    pub(crate) service_key: Arc<ServiceKey>,
    pub(crate) vault: Arc<dyn KeyVault>,
    pub(crate) clock: Clock,
    pub(crate) names: PublicName,
    pub(crate) propagation: Propagation,
    /// The time for which the credential of an identity serves that is detached or deleted.
    pub(crate) credential_lifetime: SignedDuration,
    pub(crate) requires_purge_protection: bool,
}

impl Context {
    /// Returns the custody record of a registry. `None` in a registry without a customer-managed key.
    pub(crate) async fn custody_record(
        &self,
        registry: RegistryId,
    ) -> Result<Option<Record<CustodyRecord>>, Error> {
        let id = registry.to_string();
        Ok(self.store.get(&CUSTODIES, &[&id]).await?)
    }

    /// Returns the key version that `key` names.
    ///
    /// # Errors
    /// [`Error::Refused`] if the version cannot be read, is disabled, or breaks a rule for the keys of registries.
    pub(crate) async fn usable_key(
        &self,
        registry: &RegistryName,
        key: &ChosenKey,
        identity: ClientId,
    ) -> Result<KeyFacts, Error> {
        let ChosenKey { identifier, .. } = key;
        let facts = self.vault.get_key(identity, identifier).await;
        let facts = facts.map_err(|error| self.refuse_key(error, key, identifier, identity))?;
        let kid = key.url(&self.names);
        rules::rsa_only(&kid, &facts.kty)?;
        let required = self.requires_purge_protection;
        let (vault, is_on) = (&identifier.vault, facts.purge_protection);
        rules::purge_protection(registry, vault, &kid, required, is_on)?;
        if facts.enabled {
            return Ok(facts);
        }
        let disabled = Cause::KeyDisabled.into();
        Err(self.refuse_key(disabled, key, &facts.kid.identifier(), identity))
    }

    /// Wraps the DEK and unwraps it again, so that no registry takes a key that cannot give the DEK back.
    pub(crate) async fn wrap_and_verify(
        &self,
        kid: &Kid,
        identity: ClientId,
        dek: &Dek,
    ) -> Result<WrappedDek, VaultError> {
        let value = self.vault.wrap_key(identity, kid, dek.expose()).await?;
        let unwrapped = self.vault.unwrap_key(identity, kid, &value).await?;
        let wrapped = WrappedDek::new(dek, &value);
        match wrapped.verify_unwrapped(&unwrapped) {
            Some(_) => Ok(wrapped),
            None => Err(Cause::VaultUnavailable.into()),
        }
    }

    /// Turns the vault's error about `key` into the error of the request that chooses it. The text names the key as the
    /// client did.
    pub(crate) fn refuse_key(
        &self,
        error: VaultError,
        chosen: &ChosenKey,
        key: &KeyIdentifier,
        identity: ClientId,
    ) -> Error {
        match error {
            VaultError::Refused(cause) => {
                let refused = self.inaccessible_key(key, identity, cause);
                let kid = chosen.url(&self.names);
                Refusal::from(InaccessibleKey { kid, ..refused }).into()
            }
            VaultError::Store(error) => error.into(),
        }
    }

    /// Describes a key that a request chooses and the registry cannot use.
    pub(crate) fn inaccessible_key(
        &self,
        key: &KeyIdentifier,
        identity: ClientId,
        cause: Cause,
    ) -> InaccessibleKey {
        InaccessibleKey {
            kid: self.names.key_uri(key),
            key: key.clone(),
            identity,
            cause,
            is_current: false,
        }
    }
}
