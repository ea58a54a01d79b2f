use std::sync::Arc;

use sealock_core::RegistryId;
use sealock_envelope::{RegistryKeys, ServiceKey};

use crate::{
    ContentCache, Error,
    gate::{Gate, UnlockedDek},
};

/// A registry's access to its keys.
#[derive(Clone)]
pub struct Custody {
    pub(crate) registry: RegistryId,
    pub(crate) service_key: Arc<ServiceKey>,
    /// `None` in a registry without a customer-managed key.
    pub(crate) gate: Option<Arc<Gate>>,
}

impl Custody {
    /// Takes a lease on the registry's keys. A lease is good for one batch of work: a long transfer takes one
    /// for each batch.
    ///
    /// # Errors
    /// [`Error::Revoked`] while the vault refuses the key.
    pub async fn lease(&self) -> Result<Lease, Error> {
        Ok(Lease {
            registry: self.registry,
            service_key: Arc::clone(&self.service_key),
            dek: match &self.gate {
                Some(gate) => Some(gate.unlock().await?),
                None => None,
            },
        })
    }
}

/// The permission to use a registry's keys for one batch of work.
pub struct Lease {
    registry: RegistryId,
    service_key: Arc<ServiceKey>,
    dek: Option<Arc<UnlockedDek>>,
}

impl Lease {
    /// The keys.
    pub fn keys(&self) -> RegistryKeys<'_> {
        RegistryKeys {
            registry: self.registry,
            service: &self.service_key,
            dek: self.dek.as_deref().map(|unlocked| &unlocked.dek),
        }
    }

    /// The content that was decrypted with the same DEK. `None` without a customer-managed key.
    pub fn cache(&self) -> Option<&ContentCache> {
        self.dek.as_deref().map(|unlocked| &unlocked.cache)
    }
}
