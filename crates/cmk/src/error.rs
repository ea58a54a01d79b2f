use sealock_core::{RegistryId, RegistryName};

use crate::{Cause, Refusal, Revocation};

/// The reason why a registry cannot get or change its key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The stored custody of a registry does not open, or its key is not the one that was wrapped.
    #[error("the custody record of the registry {registry} is damaged: {why}")]
    Damaged {
        /// The registry.
        registry: RegistryName,
        /// The damage.
        why: &'static str,
    },
    /// A registry with a customer-managed key has no custody record. Only its id is known here.
    #[error("the custody record of the registry with the id {0} is missing")]
    Missing(RegistryId),
    /// The request breaks a rule for registries with a customer-managed key.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The vault refuses the key.
    #[error(transparent)]
    Revoked(#[from] Revocation),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] sealock_store::Error),
}

impl Error {
    /// Returns the cause for which the vault refuses the key. `None` for any other error.
    pub fn cause(&self) -> Option<Cause> {
        match self {
            Self::Refused(Refusal::KeyInaccessible(key)) => Some(key.cause),
            Self::Revoked(revocation) => Some(revocation.cause),
            _ => None,
        }
    }
}
