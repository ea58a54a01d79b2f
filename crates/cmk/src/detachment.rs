//! The detachment of the identity that uses a registry's key.
//!
//! A registry holds a credential of its identity, and renews it while the identity is assigned to it. After the identity
//! was detached or deleted, the credential serves until it expires.
//!
//! <https://learn.microsoft.com/azure/container-registry/tutorial-troubleshoot-customer-managed-keys>

use jiff::Timestamp;
use sealock_core::RegistryId;
use sealock_store::{Batch, Table};

use crate::{Cause, Custodian, Error, VaultError, context::Context, record::CustodyRecord};

/// The times at which the identities in use were detached.
const DETACHMENTS: Table<Timestamp> = Table::control("detachments");

/// The end of an identity's credential, which the registry cannot renew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CredentialEnd {
    pub(crate) at: Timestamp,
    /// The cause of the revocation that follows.
    pub(crate) cause: Cause,
}

impl Context {
    /// Returns the end of the credential of a registry's identity. `None` while the identity is assigned to the registry.
    pub(crate) async fn credential_end(
        &self,
        registry: RegistryId,
        record: &CustodyRecord,
    ) -> Result<Option<CredentialEnd>, Error> {
        let detached = self.detached(registry).await?;
        let deleted = match self.vault.identity_deletion(record.identity).await {
            Ok(deleted) => deleted,
            // The directory no longer remembers the identity.
            Err(VaultError::Refused(Cause::IdentityNotFound)) => Some(Timestamp::MIN),
            Err(VaultError::Refused(_)) => None,
            Err(VaultError::Store(error)) => return Err(error.into()),
        };
        let detached = detached.map(|at| (at, Cause::IdentityDetached));
        let deleted = deleted.map(|at| (at, Cause::IdentityNotFound));
        let first = detached.into_iter().chain(deleted).min_by_key(|it| it.0);
        Ok(first.map(|(at, cause)| CredentialEnd {
            at: at
                .saturating_add(self.credential_lifetime)
                .unwrap_or(Timestamp::MAX),
            cause,
        }))
    }

    pub(crate) async fn detached(&self, registry: RegistryId) -> Result<Option<Timestamp>, Error> {
        let id = registry.to_string();
        let detached = self.store.get(&DETACHMENTS, &[&id]).await?;
        Ok(detached.map(|detached| detached.value))
    }
}

impl Custodian {
    /// Returns true if the identity that uses a registry's key is detached from the registry.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn is_detached(&self, registry: RegistryId) -> Result<bool, Error> {
        Ok(self.context.detached(registry).await?.is_some())
    }

    /// Adds to `batch` that the identity in use is assigned to the registry, or is not.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn plan_attachment(
        &self,
        registry: RegistryId,
        is_attached: bool,
        batch: Batch,
    ) -> Result<Batch, Error> {
        let id = registry.to_string();
        let detached = self.context.store.get(&DETACHMENTS, &[&id]).await?;
        Ok(match detached {
            Some(_) if is_attached => batch.delete(&DETACHMENTS, &[&id]),
            None if !is_attached => batch.put(&DETACHMENTS, &[&id], &self.context.clock.now()),
            _ => batch,
        })
    }
}

/// Adds to `batch` that the identity in use is assigned to the registry.
pub(crate) fn remove_detachment(registry: RegistryId, batch: Batch) -> Batch {
    batch.delete(&DETACHMENTS, &[&registry.to_string()])
}
