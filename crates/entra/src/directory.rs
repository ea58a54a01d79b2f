use std::ops::Bound;

use futures_util::TryStreamExt as _;
use sealock_core::{ClientId, Clock, IdentityName, PrincipalId, TenantId};
use sealock_store::{Batch, Commit, Record, Store, Table};
use serde::de::DeserializeOwned;

use crate::{Error, ManagedIdentity, Result};

const TENANTS: Table<TenantId> = Table::control("tenants");
const IDENTITIES: Table<ManagedIdentity> = Table::control("identities");

/// The key of the only tenant's record.
const HOME: &[&str] = &["home"];

/// The tenant with its managed identities and applications. Clones share them.
#[derive(Clone)]
pub struct Directory {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    tenant: TenantId,
}

impl Directory {
    /// Opens the directory. The first start creates the tenant with a permanent id.
    ///
    /// # Errors
    /// The store fails.
    pub async fn open(store: Store, clock: Clock) -> Result<Self> {
        let tenant = store.update(|| async {
            if let Some(known) = store.get(&TENANTS, HOME).await? {
                return Ok((Batch::new(), known.value));
            }
            let tenant = TenantId::random();
            let batch = Batch::new()
                .expect_absent(&TENANTS, HOME)
                .put(&TENANTS, HOME, &tenant);
            Ok::<_, Error>((batch, tenant))
        });
        let tenant = tenant.await?;
        Ok(Self {
            store,
            clock,
            tenant,
        })
    }

    /// Returns the tenant of all principals.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Creates the identity `name`, or returns the existing one. The flag is true if the identity is new. An identity that
    /// is created again after its deletion has other ids.
    ///
    /// # Errors
    /// The store fails.
    pub async fn create_identity(&self, name: IdentityName) -> Result<(ManagedIdentity, bool)> {
        let key = name_key(name.as_str());
        let created = self.store.update(|| async {
            if let Some(found) = self.store.get(&IDENTITIES, &[&key]).await? {
                return Ok((Batch::new(), (found.value, false)));
            }
            let identity = ManagedIdentity {
                name: name.clone(),
                client_id: ClientId::random(),
                principal_id: PrincipalId::random(),
                tenant_id: self.tenant,
                created: self.clock.now(),
            };
            let batch = Batch::new().expect_absent(&IDENTITIES, &[&key]).put(
                &IDENTITIES,
                &[&key],
                &identity,
            );
            Ok((batch, (identity, true)))
        });
        created.await
    }

    /// Returns all identities, sorted by name.
    ///
    /// # Errors
    /// The store fails.
    pub async fn identities(&self) -> Result<Vec<ManagedIdentity>> {
        self.all(&IDENTITIES).await
    }

    /// Returns the identity `name`.
    ///
    /// # Errors
    /// [`Error::IdentityNotFound`], or the store fails.
    pub async fn identity(&self, name: &IdentityName) -> Result<ManagedIdentity> {
        Ok(self.identity_record(name).await?.value)
    }

    /// Returns the identity with this client id, or `None` if it does not exist. Scans all identities, of which an
    /// emulator has few.
    ///
    /// # Errors
    /// The store fails.
    pub async fn identity_by_client_id(&self, id: ClientId) -> Result<Option<ManagedIdentity>> {
        let mut entries = self.store.scan(&IDENTITIES, &[], Bound::Unbounded);
        while let Some(entry) = entries.try_next().await? {
            if entry.record.client_id == id {
                return Ok(Some(entry.record.value));
            }
        }
        Ok(None)
    }

    /// Deletes an identity. Its access policies and role assignments remain without effect.
    ///
    /// # Errors
    /// [`Error::IdentityNotFound`], or the store fails.
    pub async fn delete_identity(&self, name: &IdentityName) -> Result<()> {
        let record = self.identity_record(name).await?;
        let key = name_key(name.as_str());
        let batch = Batch::new()
            .expect(&IDENTITIES, &[&key], &record)
            .delete(&IDENTITIES, &[&key]);
        match self.store.commit(batch).await? {
            Commit::Done => Ok(()),
            Commit::Conflict => Err(Error::IdentityNotFound { name: name.clone() }),
        }
    }

    async fn identity_record(&self, name: &IdentityName) -> Result<Record<ManagedIdentity>> {
        let found = self
            .store
            .get(&IDENTITIES, &[&name_key(name.as_str())])
            .await?;
        found.ok_or_else(|| Error::IdentityNotFound { name: name.clone() })
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
    async fn tenant_keeps_its_id_across_starts() {
        let store = Store::ephemeral();
        let tenant = directory(&store).await.tenant();
        assert_eq!(directory(&store).await.tenant(), tenant);
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

        directory.delete_identity(&name).await.unwrap();
        assert_eq!(by_id().await, None);
        assert!(matches!(
            directory.identity(&name).await,
            Err(Error::IdentityNotFound { .. })
        ));
        assert!(directory.delete_identity(&name).await.is_err());

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
        directory.delete_identity(&name("NEW-one")).await.unwrap();
        assert_eq!(directory.identities().await.unwrap(), []);
    }

    #[tokio::test]
    async fn creating_and_deleting_an_identity_raises_the_epoch() {
        let store = Store::ephemeral();
        let directory = directory(&store).await;
        let name: IdentityName = "registry-identity".parse().unwrap();
        let before = store.epoch().await.unwrap();
        directory.create_identity(name.clone()).await.unwrap();
        let created = store.epoch().await.unwrap();
        directory.delete_identity(&name).await.unwrap();
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
