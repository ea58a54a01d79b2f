use sealock_core::{RegistryId, RegistryName};

use crate::{Cause, Refusal, Revocation};

/// Why a registry's key cannot be had or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The stored custody of a registry does not open, or its key is not the one that was wrapped.
    #[error("the custody record of the registry {registry} is damaged: {why}")]
    Damaged {
        /// The registry.
        registry: RegistryName,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A registry with a customer-managed key has no custody record, so nothing but its id is known here.
    #[error("the custody record of the registry with the id {0} is missing")]
    Missing(RegistryId),
    /// A rule for registries with a customer-managed key.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The vault refuses the key.
    #[error(transparent)]
    Revoked(#[from] Revocation),
    /// The store.
    #[error(transparent)]
    Store(#[from] sealock_store::Error),
}

impl Error {
    /// The cause for which the vault refuses the key, if that is the error.
    pub fn cause(&self) -> Option<Cause> {
        match self {
            Self::Refused(Refusal::KeyInaccessible(key)) => Some(key.cause),
            Self::Revoked(revocation) => Some(revocation.cause),
            _ => None,
        }
    }
}
