use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use sealock_core::{ClientId, KeyIdentifier, Kid, RegistryId, RegistryName};
use sealock_envelope::{Dek, RegistryKeys, ServiceKey};
use sealock_store::Table;
use serde::{Deserialize, Serialize};

use crate::{
    Error, Opened, WRAP_ALGORITHM,
    gate::{Gate, Unlocked},
};

pub(crate) const CUSTODIES: Table<CustodyRecord> = Table::content("custodies");

/// How one registry gets at its keys.
#[derive(Clone)]
pub struct Custody {
    pub(crate) registry: RegistryId,
    pub(crate) service_key: Arc<ServiceKey>,
    /// `None` in a registry without a customer-managed key.
    pub(crate) gate: Option<Arc<Gate>>,
}

impl Custody {
    /// The keys of the registry, if it may use them now. A lease is good for one batch of work: a long
    /// transfer takes one for each.
    ///
    /// # Errors
    /// [`Error::Revoked`] once the vault refuses the key.
    pub async fn lease(&self) -> Result<Lease, Error> {
        Ok(Lease {
            registry: self.registry,
            service_key: Arc::clone(&self.service_key),
            unlocked: match &self.gate {
                Some(gate) => Some(gate.unlocked().await?),
                None => None,
            },
        })
    }
}

/// The permission to use a registry's keys for one batch of work.
pub struct Lease {
    registry: RegistryId,
    service_key: Arc<ServiceKey>,
    unlocked: Option<Arc<Unlocked>>,
}

impl Lease {
    /// The keys.
    pub fn keys(&self) -> RegistryKeys<'_> {
        RegistryKeys {
            registry: self.registry,
            service: &self.service_key,
            dek: self.unlocked.as_deref().map(|unlocked| &unlocked.dek),
        }
    }

    /// What was opened under the same permission. `None` without a customer-managed key.
    pub fn opened(&self) -> Option<&Opened> {
        self.unlocked.as_deref().map(|unlocked| &unlocked.opened)
    }
}

/// What is stored of a registry's custody.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CustodyRecord {
    /// The registry's name, which never changes. Its id is the record's key.
    pub(crate) name: RegistryName,
    /// The key as it was chosen.
    pub(crate) key: KeyIdentifier,
    pub(crate) identity: ClientId,
    /// The key version that wraps the DEK.
    pub(crate) kid: Kid,
    pub(crate) rotated: Option<Timestamp>,
    /// A [`WrappedDek`], sealed under the service key with registry and `kid` as associated data.
    sealed: String,
}

/// The DEK as the vault wrapped it.
#[derive(Serialize, Deserialize)]
pub(crate) struct WrappedDek {
    algorithm: String,
    value: String,
    check: String,
}

impl WrappedDek {
    pub(crate) fn new(dek: &Dek, wrapped: &[u8]) -> Self {
        Self {
            algorithm: WRAP_ALGORITHM.to_owned(),
            value: STANDARD.encode(wrapped),
            check: STANDARD.encode(dek.check_value()),
        }
    }

    pub(crate) fn value(&self) -> Option<Vec<u8>> {
        (self.algorithm == WRAP_ALGORITHM).then(|| STANDARD.decode(&self.value).ok())?
    }

    /// The DEK that the vault unwrapped, if it is the one that was wrapped.
    pub(crate) fn admit(&self, unwrapped: &[u8]) -> Option<Dek> {
        let check = STANDARD.decode(&self.check).ok()?;
        Dek::from_slice(unwrapped).filter(|dek| dek.has_check_value(&check))
    }
}

impl CustodyRecord {
    #[expect(clippy::expect_used, reason = "plain data")]
    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a record becomes JSON")
    }

    pub(crate) fn new(
        registry: RegistryId,
        name: RegistryName,
        service_key: &ServiceKey,
        key: KeyIdentifier,
        identity: ClientId,
        kid: Kid,
        wrapped: &WrappedDek,
    ) -> Self {
        #[expect(clippy::expect_used, reason = "three strings")]
        let plain = serde_json::to_vec(wrapped).expect("strings become JSON");
        let sealed = service_key
            .record_key()
            .seal(&associated_data(registry, &kid), &plain);
        Self {
            name,
            key,
            identity,
            kid,
            rotated: None,
            sealed: STANDARD.encode(sealed),
        }
    }

    pub(crate) fn wrapped(
        &self,
        registry: RegistryId,
        service_key: &ServiceKey,
    ) -> Result<WrappedDek, Error> {
        let damaged = |why| Error::Damaged {
            registry: self.name.clone(),
            why,
        };
        let sealed = STANDARD
            .decode(&self.sealed)
            .map_err(|_| damaged("it is not base64"))?;
        let plain = service_key
            .record_key()
            .open(&associated_data(registry, &self.kid), &sealed)
            .map_err(|_| damaged("it does not open under the service key"))?;
        serde_json::from_slice(&plain).map_err(|_| damaged("it does not parse"))
    }
}

fn associated_data(registry: RegistryId, kid: &Kid) -> Vec<u8> {
    format!("dek of {registry} under {kid}").into_bytes()
}
