use std::{ops::Bound, sync::Arc};

use futures_util::TryStreamExt as _;
use sealock_cmk::{Custodian, Encryption, Identity, KeyInUse, PlannedRotation, Sku, rules};
use sealock_core::{Clock, NetworkRules, RegistryId, RegistryName};
use sealock_entra::{TokenIssuer, TrackedResource};
use sealock_envelope::ServiceKey;
use sealock_store::{Batch, Record, Store};

use crate::{
    Error, KeyRotation, LoginChange, NetworkChange, Registry, RequestedIdentities,
    content::read_ahead::ReadAhead,
    manifests::stamps::Stamps,
    registry::{REGISTRIES, RegistryRecord, Settings},
    upload::open_uploads::OpenUploads,
};

/// The wanted state of a registry.
#[derive(Clone, Debug)]
pub struct RegistryRequest {
    /// Its service tier.
    pub sku: Sku,
    /// Its place, tags and history. An existing registry keeps its place.
    pub resource: TrackedResource,
    /// Its identities. `None` leaves them as they are.
    pub identities: Option<RequestedIdentities>,
    /// Its encryption. An existing registry must have the same key and identity.
    pub encryption: Encryption,
    /// A rotation of an existing registry's key.
    pub rotation: Option<KeyRotation>,
    /// A change of its login settings.
    pub logins: LoginChange,
    /// A change of its firewall, which is open in a new registry.
    pub network: NetworkChange,
}

/// A registry that is created or updated once its batch is committed.
struct Planned {
    record: RegistryRecord,
    is_new: bool,
    rotation: Option<PlannedRotation>,
}

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

    /// Creates a registry for the operator, or updates an existing one. The flag is true for a new registry. Assigns the
    /// identity of `encryption` to a new one.
    ///
    /// # Errors
    /// The rule that the request breaks: of [`sealock_cmk::rules`], or a [`Refusal`](crate::Refusal). Nothing is changed
    /// then.
    pub async fn create_or_update(
        &self,
        name: &RegistryName,
        sku: Sku,
        encryption: &Encryption,
    ) -> Result<(RegistryRecord, bool), Error> {
        let existing = self.store.get(&REGISTRIES, &[name.as_str()]).await?;
        let (resource, identities) = match existing {
            Some(existing) => (existing.resource.clone(), None),
            None => (
                TrackedResource::of_operator(self.clock.now()),
                Some(self.identity_of(encryption).await?),
            ),
        };
        let request = RegistryRequest {
            sku,
            resource,
            identities,
            encryption: encryption.clone(),
            rotation: None,
            logins: LoginChange::default(),
            network: NetworkChange::default(),
        };
        self.put(name, &request).await
    }

    /// Creates a registry, or updates an existing one. The flag is true for a new registry.
    ///
    /// # Errors
    /// The rule that the request breaks: of [`sealock_cmk::rules`], or a [`Refusal`](crate::Refusal). Nothing is changed
    /// then.
    pub async fn put(
        &self,
        name: &RegistryName,
        request: &RegistryRequest,
    ) -> Result<(RegistryRecord, bool), Error> {
        let updated = self.store.update(|| async {
            let (batch, planned) = self.plan(name, request).await?;
            let lock = match planned.rotation {
                // It holds the lock.
                Some(_) => None,
                None => Some(self.custodian.lock(planned.record.id).await?),
            };
            Ok::<_, Error>((batch, (planned, lock)))
        });
        let (planned, lock) = updated.await?;
        let Planned {
            record,
            is_new,
            rotation,
        } = planned;
        match rotation {
            Some(rotation) => rotation.complete().await,
            None => self.custodian.write_second_copy(record.id).await?,
        }
        drop(lock);
        if request.identities.is_some() && !is_new {
            self.replace_deleted_identity(&record).await?;
        }
        Ok((record, is_new))
    }

    async fn plan(
        &self,
        name: &RegistryName,
        request: &RegistryRequest,
    ) -> Result<(Batch, Planned), Error> {
        let existing = self.store.get(&REGISTRIES, &[name.as_str()]).await?;
        let is_new = existing.is_none();
        let (record, batch) = match existing {
            Some(existing) => self.update(&existing, request).await?,
            None => self.create(name, request).await?,
        };
        let batch = self.plan_logins(&record, request.logins, batch).await?;
        let batch = request.network.plan(record.id, batch);
        let (batch, in_use, rotation) = match &request.rotation {
            Some(rotation) => {
                let identities = request.identities.as_ref();
                let planned = self.plan_rotation(&record, rotation, identities, batch);
                let (batch, identity, planned) = planned.await?;
                (batch, Some(identity), Some(planned))
            }
            None => (batch, self.identity_in_use(&record).await?, None),
        };
        let batch = match &request.identities {
            Some(identities) => {
                if rotation.is_none() {
                    self.identity_in_use_stays(&record, identities).await?;
                }
                self.plan_identities(&record, identities, in_use, batch)
                    .await?
            }
            None => batch,
        };
        let planned = Planned {
            record,
            is_new,
            rotation,
        };
        Ok((batch, planned))
    }

    async fn create(
        &self,
        name: &RegistryName,
        request: &RegistryRequest,
    ) -> Result<(RegistryRecord, Batch), Error> {
        let RegistryRequest {
            sku, encryption, ..
        } = request;
        let record = RegistryRecord {
            id: RegistryId::random(),
            name: name.clone(),
            sku: *sku,
            encrypted: encryption.is_requested(),
            resource: request.resource.clone(),
            network: request.network.applied_to(NetworkRules::default(), *sku)?,
        };
        let batch = Batch::new()
            .expect_absent(&REGISTRIES, &[name.as_str()])
            .put(&REGISTRIES, &[name.as_str()], &record);
        let batch = self
            .custodian
            .establish(record.id, name, *sku, encryption, batch)
            .await?;
        Ok((record, batch))
    }

    async fn update(
        &self,
        existing: &Record<RegistryRecord>,
        request: &RegistryRequest,
    ) -> Result<(RegistryRecord, Batch), Error> {
        let RegistryRequest {
            sku, encryption, ..
        } = request;
        let (name, encrypted) = (&existing.name, existing.encrypted);
        rules::only_at_creation(name, encrypted, encryption.is_requested())?;
        rules::encryption_is_permanent(name, encrypted, encryption.is_requested())?;
        rules::no_downgrade(name, encrypted, *sku)?;
        if encryption.is_requested() {
            self.custodian
                .check_unchanged(existing.id, name, encryption)
                .await?;
        }
        let record = RegistryRecord {
            sku: *sku,
            // A registry never moves, even if two requests create it at once.
            resource: TrackedResource {
                resource_group: existing.resource.resource_group.clone(),
                location: existing.resource.location.clone(),
                ..request.resource.clone()
            },
            network: request.network.applied_to(existing.network, *sku)?,
            ..existing.value.clone()
        };
        let batch = Batch::new()
            .expect(&REGISTRIES, &[name.as_str()], existing)
            .put(&REGISTRIES, &[name.as_str()], &record);
        Ok((record, batch))
    }

    /// Returns the key of a registry without asking its vault. `None` without a customer-managed key.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn key_in_use(
        &self,
        registry: &RegistryRecord,
    ) -> Result<Option<KeyInUse>, sealock_cmk::Error> {
        self.custodian.key_in_use(registry.id).await
    }

    /// Returns the user-assigned identity that a request for encryption names, if it exists.
    async fn identity_of(
        &self,
        encryption: &Encryption,
    ) -> Result<RequestedIdentities, sealock_cmk::Error> {
        let mut identities = RequestedIdentities::default();
        if let Some(Identity::UserAssigned(client_id)) = encryption.identity {
            let directory = self.entra.directory();
            let found = directory.identity_by_client_id(client_id).await?;
            identities
                .user_assigned
                .extend(found.as_ref().map(Into::into));
        }
        Ok(identities)
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
            record: Arc::new(record),
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
