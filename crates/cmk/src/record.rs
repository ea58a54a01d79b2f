use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use sealock_core::{ChosenKey, ClientId, Kid, RegistryId, RegistryName};
use sealock_envelope::{Dek, ServiceKey};
use sealock_store::Table;
use serde::{Deserialize, Serialize};

use crate::{CustodyChange, Error, KeyInUse, WRAP_ALGORITHM};

pub(crate) const CUSTODIES: Table<CustodyRecord> = Table::content("custodies");

/// The custody of a registry as the store holds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CustodyRecord {
    /// The registry's name, which never changes. Its id is the record's key.
    pub(crate) name: RegistryName,
    /// The key as it was chosen: with or without a version.
    pub(crate) key: ChosenKey,
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

    /// Returns the bytes for the vault to unwrap. `None` if another algorithm wrapped them or they are not base64.
    pub(crate) fn value(&self) -> Option<Vec<u8>> {
        (self.algorithm == WRAP_ALGORITHM).then(|| STANDARD.decode(&self.value).ok())?
    }

    /// Returns the DEK that the vault unwrapped. `None` if it is not the DEK that was wrapped.
    pub(crate) fn verify_unwrapped(&self, unwrapped: &[u8]) -> Option<Dek> {
        let check = STANDARD.decode(&self.check).ok()?;
        Dek::from_slice(unwrapped).filter(|dek| dek.has_check_value(&check))
    }
}

impl CustodyRecord {
    pub(crate) fn new(
        registry: RegistryId,
        name: RegistryName,
        service_key: &ServiceKey,
        key: ChosenKey,
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

    /// Returns the event of the history that this record makes.
    pub(crate) fn wrapped_now(&self) -> CustodyChange {
        CustodyChange::Wrapped {
            kid: self.kid.clone(),
            identity: self.identity,
        }
    }

    pub(crate) fn in_use(&self) -> KeyInUse {
        KeyInUse {
            key: self.key.clone(),
            kid: self.kid.clone(),
            identity: self.identity,
            rotated: self.rotated,
        }
    }

    #[expect(clippy::expect_used, reason = "plain data")]
    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a record becomes JSON")
    }

    /// Opens the wrapped DEK under the service key.
    ///
    /// # Errors
    /// [`Error::Damaged`] if the record was changed or sealed under another service key.
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
