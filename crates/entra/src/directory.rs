use std::{ops::Bound, sync::Arc};

use futures_util::TryStreamExt as _;
use jiff::{SignedDuration, Timestamp};
use sealock_core::{ClientId, Clock, IdentityName, PrincipalId, ResourceGroupName, TenantId};
use sealock_store::{Batch, Store, Table};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{
    ClientSecret, Error, ManagedIdentity, Result, TrackedResource, default_resource_group,
};

/// The only tenant. Its id is the same in every emulator, so that clients need not look it up.
pub const TENANT: TenantId =
    TenantId::from_uuid(Uuid::from_u128(0x5ea1_0c00_0000_4000_8000_0000_0000_0000));

const TENANTS: Table<TenantId> = Table::control("tenants");
/// Keyed by resource group and name, both in lower case.
const IDENTITIES: Table<ManagedIdentity> = Table::control("identities");

/// Keyed by the owner's ARM id in lower case.
const SYSTEM_IDENTITIES: Table<ManagedIdentity> = Table::control("system-identities");

/// The identities whose credentials may still serve, keyed by client id.
const DEPARTED_IDENTITIES: Table<DepartedIdentity> = Table::control("departed-identities");

/// The key of the only tenant's record.
const HOME: &[&str] = &["home"];

/// An identity that was deleted.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct DepartedIdentity {
    identity: ManagedIdentity,
    deleted: Timestamp,
}

/// An identity that a service of Azure uses, or used until it was deleted.
#[derive(Clone, Debug)]
pub struct ServedIdentity {
    /// The identity.
    pub identity: ManagedIdentity,
    /// The time of its deletion. `None` while it exists.
    pub deleted: Option<Timestamp>,
}

/// The tenant with its managed identities and applications. Clones share them.
#[derive(Clone)]
pub struct Directory {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    /// The developer's secret until it is renewed. `None` accepts none.
    pub(crate) developer_secret: Option<Arc<ClientSecret>>,
    /// The time for which the credential of a deleted identity may serve.
    credential_lifetime: SignedDuration,
}

impl Directory {
    /// Opens the directory. The first start creates the tenant with its developer, whose secret is unknown.
    ///
    /// # Errors
    /// The store fails.
    pub async fn open(store: Store, clock: Clock) -> Result<Self> {
        let directory = Self {
            store,
            clock,
            developer_secret: None,
            credential_lifetime: SignedDuration::ZERO,
        };
        let store = &directory.store;
        let created = store.update(|| async {
            if store.get(&TENANTS, HOME).await?.is_some() {
                return Ok((Batch::new(), ()));
            }
            let batch = Batch::new()
                .expect_absent(&TENANTS, HOME)
                .put(&TENANTS, HOME, &TENANT);
            Ok::<_, Error>((directory.create_developer(batch).await?, ()))
        });
        created.await?;
        Ok(directory)
    }

    /// Sets the secret that the developer has until it is renewed.
    #[must_use]
    pub fn with_developer_secret(self, secret: ClientSecret) -> Self {
        Self {
            developer_secret: Some(Arc::new(secret)),
            ..self
        }
    }

    /// Sets the time for which the credential of a deleted identity may serve.
    #[must_use]
    pub fn with_credential_lifetime(self, lifetime: SignedDuration) -> Self {
        Self {
            credential_lifetime: lifetime,
            ..self
        }
    }

    /// Returns the tenant of all principals.
    pub fn tenant(&self) -> TenantId {
        TENANT
    }

    /// Returns the time by the emulator's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Creates the identity `name` in the default resource group, or returns the existing one. The flag is true if the
    /// identity is new. An identity that is created again after its deletion has other ids.
    ///
    /// # Errors
    /// The store fails.
    pub async fn create_identity(&self, name: IdentityName) -> Result<(ManagedIdentity, bool)> {
        let resource = TrackedResource::of_operator(self.clock.now());
        let keep = |existing: &ManagedIdentity| existing.resource.clone();
        self.put_identity(&name, &resource, keep).await
    }

    /// Creates an identity at the place of `resource`, or changes an existing one to what `change` makes of it. The flag
    /// is true if the identity is new.
    ///
    /// # Errors
    /// The store fails.
    pub async fn put_identity(
        &self,
        name: &IdentityName,
        resource: &TrackedResource,
        change: impl Fn(&ManagedIdentity) -> TrackedResource,
    ) -> Result<(ManagedIdentity, bool)> {
        let [group, key] = identity_key(&resource.resource_group, name);
        let key = [&*group, &*key];
        let put = self.store.update(|| async {
            let found = self.store.get(&IDENTITIES, &key).await?;
            let identity = match &found {
                Some(found) => ManagedIdentity {
                    resource: change(found),
                    ..found.value.clone()
                },
                None => ManagedIdentity {
                    name: name.clone(),
                    client_id: ClientId::random(),
                    principal_id: PrincipalId::random(),
                    tenant_id: TENANT,
                    resource: resource.clone(),
                    owner: None,
                },
            };
            let is_new = found.is_none();
            let batch = match &found {
                Some(found) if found.value == identity => Batch::new(),
                found => Batch::new()
                    .expect_same(&IDENTITIES, &key, found.as_ref())
                    .put(&IDENTITIES, &key, &identity),
            };
            Ok((batch, (identity, is_new)))
        });
        put.await
    }

    /// Adds a system-assigned identity for the resource with the ARM id `owner` to `batch`, or returns the existing one.
    ///
    /// # Errors
    /// The store fails.
    pub async fn plan_system_identity(
        &self,
        owner: &str,
        name: &IdentityName,
        resource: &TrackedResource,
        batch: Batch,
    ) -> sealock_store::Result<(ManagedIdentity, Batch)> {
        if let Some(existing) = self.system_identity(owner).await? {
            return Ok((existing, batch));
        }
        let identity = ManagedIdentity {
            name: name.clone(),
            client_id: ClientId::random(),
            principal_id: PrincipalId::random(),
            tenant_id: TENANT,
            resource: resource.clone(),
            owner: Some(owner.to_owned()),
        };
        let key = name_key(owner);
        let batch = batch.expect_absent(&SYSTEM_IDENTITIES, &[&key]).put(
            &SYSTEM_IDENTITIES,
            &[&key],
            &identity,
        );
        Ok((identity, batch))
    }

    /// Adds the removal of a resource's system-assigned identity to `batch`, if it has one.
    ///
    /// # Errors
    /// The store fails.
    pub async fn plan_system_identity_removal(
        &self,
        owner: &str,
        batch: Batch,
    ) -> sealock_store::Result<Batch> {
        let Some(identity) = self.system_identity(owner).await? else {
            return Ok(batch);
        };
        let batch = batch.delete(&SYSTEM_IDENTITIES, &[&name_key(owner)]);
        self.plan_departure(&identity, batch).await
    }

    /// Returns the system-assigned identity of the resource with the ARM id `owner`, if it has one.
    ///
    /// # Errors
    /// The store fails.
    pub async fn system_identity(
        &self,
        owner: &str,
    ) -> sealock_store::Result<Option<ManagedIdentity>> {
        let found = self
            .store
            .get(&SYSTEM_IDENTITIES, &[&name_key(owner)])
            .await?;
        Ok(found.map(|found| found.value))
    }

    /// Returns all system-assigned identities.
    pub(crate) async fn system_identities(&self) -> Result<Vec<ManagedIdentity>> {
        self.all(&SYSTEM_IDENTITIES).await
    }

    /// Returns all user-assigned identities, sorted by resource group and name.
    ///
    /// # Errors
    /// The store fails.
    pub async fn identities(&self) -> Result<Vec<ManagedIdentity>> {
        self.all(&IDENTITIES).await
    }

    /// Returns the identity `name`: that of the default resource group, or the only one of this name.
    ///
    /// # Errors
    /// [`Error::IdentityNotFound`], [`Error::IdentityNameAmbiguous`], or the store fails.
    pub async fn identity(&self, name: &IdentityName) -> Result<ManagedIdentity> {
        match self.identity_in(&default_resource_group(), name).await {
            Err(Error::IdentityNotFound { .. }) => {}
            found => return found,
        }
        let mut named = self.identities().await?;
        named.retain(|it| name_key(it.name.as_str()) == name_key(name.as_str()));
        match (named.pop(), named.is_empty()) {
            (Some(identity), true) => Ok(identity),
            (Some(_), false) => Err(Error::IdentityNameAmbiguous { name: name.clone() }),
            (None, _) => Err(Error::IdentityNotFound { name: name.clone() }),
        }
    }

    /// Returns an identity of a resource group.
    ///
    /// # Errors
    /// [`Error::IdentityNotFound`], or the store fails.
    pub async fn identity_in(
        &self,
        group: &ResourceGroupName,
        name: &IdentityName,
    ) -> Result<ManagedIdentity> {
        let [group, key] = identity_key(group, name);
        let found = self.store.get(&IDENTITIES, &[&group, &key]).await?;
        let found = found.ok_or_else(|| Error::IdentityNotFound { name: name.clone() })?;
        Ok(found.value)
    }

    /// Returns the identity with this client id, or `None` if it does not exist. Scans all identities, of which an
    /// emulator has few.
    ///
    /// # Errors
    /// The store fails.
    pub async fn identity_by_client_id(
        &self,
        id: ClientId,
    ) -> sealock_store::Result<Option<ManagedIdentity>> {
        for table in [&IDENTITIES, &SYSTEM_IDENTITIES] {
            let mut entries = self.store.scan(table, &[], Bound::Unbounded);
            while let Some(entry) = entries.try_next().await? {
                if entry.record.client_id == id {
                    return Ok(Some(entry.record.value));
                }
            }
        }
        Ok(None)
    }

    /// Returns the identity with this client id, even if it was deleted, as long as its credential serves.
    ///
    /// # Errors
    /// The store fails.
    pub async fn served_identity(
        &self,
        id: ClientId,
    ) -> sealock_store::Result<Option<ServedIdentity>> {
        if let Some(identity) = self.identity_by_client_id(id).await? {
            return Ok(Some(ServedIdentity {
                identity,
                deleted: None,
            }));
        }
        let key = id.to_string();
        let departed = self.store.get(&DEPARTED_IDENTITIES, &[&key]).await?;
        let serving = departed.filter(|departed| self.credential_serves(departed));
        Ok(serving.map(|departed| ServedIdentity {
            identity: departed.identity.clone(),
            deleted: Some(departed.deleted),
        }))
    }

    fn credential_serves(&self, departed: &DepartedIdentity) -> bool {
        self.now().duration_since(departed.deleted) < self.credential_lifetime
    }

    /// Adds to `batch` the memory of an identity that is deleted now, and the removal of what is no longer needed.
    async fn plan_departure(
        &self,
        identity: &ManagedIdentity,
        batch: Batch,
    ) -> sealock_store::Result<Batch> {
        let now = self.now();
        let departed = DepartedIdentity {
            identity: identity.clone(),
            deleted: now,
        };
        let key = identity.client_id.to_string();
        let mut batch = batch.put(&DEPARTED_IDENTITIES, &[&key], &departed);
        let mut entries = self.store.scan(&DEPARTED_IDENTITIES, &[], Bound::Unbounded);
        while let Some(entry) = entries.try_next().await? {
            if !self.credential_serves(&entry.record) {
                batch = batch.delete(&DEPARTED_IDENTITIES, &[&entry.key.concat()]);
            }
        }
        Ok(batch)
    }

    /// Deletes an identity. Its access policies and role assignments remain without effect.
    ///
    /// # Errors
    /// [`Error::IdentityNotFound`] if it has been deleted or replaced, or the store fails.
    pub async fn delete_identity(&self, identity: &ManagedIdentity) -> Result<()> {
        let name = &identity.name;
        let [group, key] = identity_key(&identity.resource.resource_group, name);
        let key = [&*group, &*key];
        let deleted = self.store.update(|| async {
            let found = self.store.get(&IDENTITIES, &key).await?;
            match found.filter(|found| found.client_id == identity.client_id) {
                Some(found) => {
                    let batch = Batch::new()
                        .expect(&IDENTITIES, &key, &found)
                        .delete(&IDENTITIES, &key);
                    Ok((self.plan_departure(&found, batch).await?, ()))
                }
                None => Err(Error::IdentityNotFound { name: name.clone() }),
            }
        });
        deleted.await
    }

    /// Returns all records of a table.
    pub(crate) async fn all<T: DeserializeOwned + Send + 'static>(
        &self,
        table: &Table<T>,
    ) -> Result<Vec<T>> {
        let entries = self.store.scan(table, &[], Bound::Unbounded);
        let values = entries.map_ok(|entry| entry.record.value);
        Ok(values.try_collect().await?)
    }
}

fn identity_key(group: &ResourceGroupName, name: &IdentityName) -> [String; 2] {
    [name_key(group.as_str()), name_key(name.as_str())]
}

/// Returns `name` in lower case, which is its key in the store, since Azure ignores the case of names.
///
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules>
pub(crate) fn name_key(name: &str) -> String {
    name.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn directory(store: &Store) -> Directory {
        Directory::open(store.clone(), Clock::system())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn tenant_has_the_documented_id() {
        let tenant = directory(&Store::ephemeral()).await.tenant();
        assert_eq!(tenant.to_string(), "5ea10c00-0000-4000-8000-000000000000");
    }

    #[tokio::test]
    async fn identity_is_found_by_name_and_client_id_until_its_deletion() {
        let directory = directory(&Store::ephemeral()).await;
        let name: IdentityName = "registry-identity".parse().unwrap();
        let (identity, created) = directory.create_identity(name.clone()).await.unwrap();
        assert!(created);
        assert_eq!(
            directory.create_identity(name.clone()).await.unwrap(),
            (identity.clone(), false)
        );
        assert_eq!(directory.identity(&name).await.unwrap(), identity);
        assert_eq!(
            directory.identities().await.unwrap(),
            std::slice::from_ref(&identity)
        );
        let by_id = || async {
            let found = directory.identity_by_client_id(identity.client_id).await;
            found.unwrap()
        };
        assert_eq!(by_id().await, Some(identity.clone()));

        directory.delete_identity(&identity).await.unwrap();
        assert_eq!(by_id().await, None);
        assert!(matches!(
            directory.identity(&name).await,
            Err(Error::IdentityNotFound { .. })
        ));
        assert!(directory.delete_identity(&identity).await.is_err());

        let (again, _) = directory.create_identity(name).await.unwrap();
        assert_ne!(again.client_id, identity.client_id);
        assert_ne!(again.principal_id, identity.principal_id);
    }

    #[tokio::test]
    async fn identity_is_found_by_its_name_in_any_case() {
        let directory = directory(&Store::ephemeral()).await;
        let name = |text: &str| text.parse::<IdentityName>().unwrap();
        let create = |text: &str| directory.create_identity(name(text));
        let (identity, _) = create("New-One").await.unwrap();
        for text in ["New-One", "new-one", "NEW-ONE"] {
            assert_eq!(directory.identity(&name(text)).await.unwrap(), identity);
            assert_eq!(create(text).await.unwrap(), (identity.clone(), false));
        }
        directory.delete_identity(&identity).await.unwrap();
        assert_eq!(directory.identities().await.unwrap(), []);
    }

    #[tokio::test]
    async fn identity_of_another_group_is_found_by_its_name_unless_two_have_it() {
        let directory = directory(&Store::ephemeral()).await;
        let name: IdentityName = "id1".parse().unwrap();
        let put = |group: &str| {
            let resource = TrackedResource {
                resource_group: group.parse().unwrap(),
                ..TrackedResource::of_operator(directory.clock.now())
            };
            let (directory, name) = (&directory, &name);
            async move {
                let keep = |it: &ManagedIdentity| it.resource.clone();
                directory
                    .put_identity(name, &resource, keep)
                    .await
                    .unwrap()
                    .0
            }
        };
        let first = put("rg1").await;
        assert_eq!(directory.identity(&name).await.unwrap(), first);
        let second = put("RG2").await;
        assert_ne!(first.client_id, second.client_id);
        assert!(matches!(
            directory.identity(&name).await,
            Err(Error::IdentityNameAmbiguous { .. })
        ));
        let group = "rg2".parse().unwrap();
        assert_eq!(directory.identity_in(&group, &name).await.unwrap(), second);
        let own = put("sealock").await;
        assert_eq!(directory.identity(&name).await.unwrap(), own);
    }

    #[tokio::test]
    async fn creating_and_deleting_an_identity_raises_the_epoch() {
        let store = Store::ephemeral();
        let directory = directory(&store).await;
        let name: IdentityName = "registry-identity".parse().unwrap();
        let before = store.epoch().await.unwrap();
        let (identity, _) = directory.create_identity(name).await.unwrap();
        let created = store.epoch().await.unwrap();
        directory.delete_identity(&identity).await.unwrap();
        assert!(before < created && created < store.epoch().await.unwrap());
    }

    #[tokio::test]
    async fn identity_record_has_the_fields_of_the_control_api() {
        let directory = directory(&Store::ephemeral()).await;
        let name = "registry-identity".parse().unwrap();
        let (identity, _) = directory.create_identity(name).await.unwrap();
        let shown = serde_json::to_value(&identity).unwrap();
        assert_eq!(shown["name"], "registry-identity");
        assert_eq!(shown["client_id"], identity.client_id.to_string());
        assert_eq!(
            identity.resource_id(),
            "/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/sealock/providers/Microsoft.ManagedIdentity/userAssignedIdentities/registry-identity"
        );
    }
}
