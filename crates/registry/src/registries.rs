use std::{ops::Bound, sync::Arc};

use futures_util::TryStreamExt as _;
use sealock_cmk::{Custodian, Encryption, Sku, rules};
use sealock_core::{Clock, RegistryId, RegistryName};
use sealock_entra::TokenIssuer;
use sealock_envelope::ServiceKey;
use sealock_store::{Batch, Record, Store};

use crate::{
    Error, Registry,
    content::read_ahead::ReadAhead,
    manifests::stamps::Stamps,
    registry::{REGISTRIES, RegistryRecord, Settings},
    upload::open_uploads::OpenUploads,
};

/// All registries. Clones share their state.
#[derive(Clone)]
pub struct Registries {
    pub(crate) store: Store,
    pub(crate) custodian: Custodian,
    pub(crate) service_key: Arc<ServiceKey>,
    pub(crate) clock: Clock,
    pub(crate) uploads: OpenUploads,
    read_ahead: ReadAhead,
    stamps: Stamps,
    settings: Settings,
    pub(crate) entra: TokenIssuer,
}

impl Registries {
    /// Creates the registries over `store`.
    pub fn new(
        store: Store,
        custodian: Custodian,
        service_key: Arc<ServiceKey>,
        clock: Clock,
        settings: Settings,
        entra: TokenIssuer,
    ) -> Self {
        Self {
            entra,
            service_key,
            settings,
            uploads: OpenUploads::new(clock.clone()),
            read_ahead: ReadAhead::default(),
            stamps: Stamps::default(),
            store,
            custodian,
            clock,
        }
    }

    /// Creates a registry, or updates an existing one. The returned flag is true for a new registry.
    ///
    /// # Errors
    /// The rule of [`sealock_cmk::rules`] that the request breaks. Nothing is changed then.
    pub async fn create_or_update(
        &self,
        name: &RegistryName,
        sku: Sku,
        encryption: &Encryption,
    ) -> Result<(RegistryRecord, bool), sealock_cmk::Error> {
        let updated = self.store.update(|| async {
            let existing = self.store.get(&REGISTRIES, &[name.as_str()]).await?;
            let is_new = existing.is_none();
            let (record, batch) = match existing {
                Some(existing) => self.update(&existing, sku, encryption).await?,
                None => self.create(name, sku, encryption).await?,
            };
            let lock = self.custodian.lock(record.id).await?;
            Ok::<_, sealock_cmk::Error>((batch, (record, is_new, lock)))
        });
        let (record, is_new, _lock) = updated.await?;
        self.custodian.write_second_copy(record.id).await?;
        Ok((record, is_new))
    }

    async fn create(
        &self,
        name: &RegistryName,
        sku: Sku,
        encryption: &Encryption,
    ) -> Result<(RegistryRecord, Batch), sealock_cmk::Error> {
        let record = RegistryRecord {
            id: RegistryId::random(),
            name: name.clone(),
            sku,
            encrypted: encryption.is_requested(),
            created: self.clock.now(),
        };
        let batch = Batch::new()
            .expect_absent(&REGISTRIES, &[name.as_str()])
            .put(&REGISTRIES, &[name.as_str()], &record);
        let batch = self
            .custodian
            .establish(record.id, name, sku, encryption, batch)
            .await?;
        Ok((record, batch))
    }

    async fn update(
        &self,
        existing: &Record<RegistryRecord>,
        sku: Sku,
        encryption: &Encryption,
    ) -> Result<(RegistryRecord, Batch), sealock_cmk::Error> {
        let (name, encrypted) = (&existing.name, existing.encrypted);
        rules::only_at_creation(name, encrypted, encryption.is_requested())?;
        rules::encryption_is_permanent(name, encrypted, encryption.is_requested())?;
        rules::no_downgrade(name, encrypted, sku)?;
        if encryption.is_requested() {
            self.custodian
                .check_unchanged(existing.id, name, encryption)
                .await?;
        }
        let record = RegistryRecord {
            sku,
            ..existing.value.clone()
        };
        let batch = Batch::new()
            .expect(&REGISTRIES, &[name.as_str()], existing)
            .put(&REGISTRIES, &[name.as_str()], &record);
        Ok((record, batch))
    }

    /// Returns the registry of this name.
    ///
    /// # Errors
    /// [`Error::RegistryUnknown`] if there is none.
    pub async fn get(&self, name: &RegistryName) -> Result<Registry, Error> {
        let record = self.store.get(&REGISTRIES, &[name.as_str()]).await?;
        match record {
            Some(record) => self.registry_with(record.value).await,
            None => Err(Error::RegistryUnknown(name.clone())),
        }
    }

    /// Lists all registries by name.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn list(&self) -> Result<Vec<Registry>, Error> {
        let mut registries = Vec::new();
        let mut entries = self.store.scan(&REGISTRIES, &[], Bound::Unbounded);
        while let Some(entry) = entries.try_next().await? {
            registries.push(self.registry_with(entry.record.value).await?);
        }
        Ok(registries)
    }

    pub(crate) async fn registry_with(&self, record: RegistryRecord) -> Result<Registry, Error> {
        Ok(Registry {
            custody: self.custodian.custody(record.id, record.encrypted).await?,
            service_key: Arc::clone(&self.service_key),
            id: Arc::from(record.id.to_string()),
            record,
            store: self.store.clone(),
            clock: self.clock.clone(),
            uploads: self.uploads.clone(),
            read_ahead: self.read_ahead.clone(),
            stamps: self.stamps.clone(),
            settings: self.settings,
            entra: self.entra.clone(),
        })
    }
}
