use std::ops::Bound;

use sealock_core::{ClientId, Clock, IdentityName, PrincipalId, TenantId};
use sealock_store::{Batch, Commit, Store, Table};

use crate::{Error, ManagedIdentity, Result};

const TENANTS: Table<TenantId> = Table::control("tenants");
const IDENTITIES: Table<ManagedIdentity> = Table::control("identities");

/// The key of the one tenant's record.
const HOME: &[&str] = &["home"];

/// The tenant, its managed identities and its applications. Clones share them.
#[derive(Clone)]
pub struct Directory {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    tenant: TenantId,
}

impl Directory {
    /// Opens the directory. At the first start, the tenant gets its id, which it keeps.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn open(store: Store, clock: Clock) -> Result<Self> {
        let tenant = loop {
            if let Some(known) = store.get(&TENANTS, HOME)? {
                break known.value;
            }
            let batch =
                Batch::new()
                    .expect_absent(&TENANTS, HOME)
                    .put(&TENANTS, HOME, &TenantId::random());
            // Whoever came first, the record is what counts.
            let (Commit::Done | Commit::Conflict) = store.commit(batch).await?;
        };
        Ok(Self {
            store,
            clock,
            tenant,
        })
    }

    /// The tenant that all principals belong to.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The identity of this name, and whether it was created just now. One that is created again
    /// after its deletion is another identity with other ids.
    pub async fn create_identity(&self, name: IdentityName) -> Result<(ManagedIdentity, bool)> {
        loop {
            if let Some(found) = self.find(&name)? {
                return Ok((found, false));
            }
            let identity = ManagedIdentity {
                name: name.clone(),
                client_id: ClientId::random(),
                principal_id: PrincipalId::random(),
                tenant_id: self.tenant,
                created: self.clock.now(),
            };
            let batch = Batch::new()
                .expect_absent(&IDENTITIES, &[name.as_str()])
                .put(&IDENTITIES, &[name.as_str()], &identity);
            if self.store.commit(batch).await? == Commit::Done {
                return Ok((identity, true));
            }
        }
    }

    /// All identities, by name.
    pub fn identities(&self) -> Result<Vec<ManagedIdentity>> {
        self.scan().collect()
    }

    /// The identity of this name.
    ///
    /// # Errors
    /// If there is none, or the store fails.
    pub fn identity(&self, name: &IdentityName) -> Result<ManagedIdentity> {
        self.find(name)?
            .ok_or_else(|| Error::IdentityNotFound { name: name.clone() })
    }

    /// The identity with this client id, if it is still there. Looks at all of them: an emulator has few.
    pub fn identity_by_client_id(&self, id: ClientId) -> Result<Option<ManagedIdentity>> {
        self.scan()
            .find(|identity| {
                identity
                    .as_ref()
                    .map_or(true, |found| found.client_id == id)
            })
            .transpose()
    }

    /// Deletes an identity. Access policies that name it stay, and name nobody.
    ///
    /// # Errors
    /// If there is none, or the store fails.
    pub async fn delete_identity(&self, name: &IdentityName) -> Result<()> {
        let batch = Batch::new()
            .expect_present(&IDENTITIES, &[name.as_str()])
            .delete(&IDENTITIES, &[name.as_str()]);
        match self.store.commit(batch).await? {
            Commit::Done => Ok(()),
            Commit::Conflict => Err(Error::IdentityNotFound { name: name.clone() }),
        }
    }

    fn find(&self, name: &IdentityName) -> Result<Option<ManagedIdentity>> {
        let record = self.store.get(&IDENTITIES, &[name.as_str()])?;
        Ok(record.map(|record| record.value))
    }

    fn scan(&self) -> impl Iterator<Item = Result<ManagedIdentity>> {
        self.store
            .scan(&IDENTITIES, &[], Bound::Unbounded)
            .map(|entry| Ok(entry?.record.value))
    }
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
    async fn the_tenant_keeps_its_id() {
        let store = Store::ephemeral();
        let tenant = directory(&store).await.tenant();
        assert_eq!(directory(&store).await.tenant(), tenant);
    }

    #[tokio::test]
    async fn an_identity_is_found_by_its_name_and_its_client_id_until_it_is_deleted() {
        let directory = directory(&Store::ephemeral()).await;
        let name: IdentityName = "registry-identity".parse().unwrap();
        let (identity, created) = directory.create_identity(name.clone()).await.unwrap();
        assert!(created);
        assert_eq!(
            directory.create_identity(name.clone()).await.unwrap(),
            (identity.clone(), false)
        );
        assert_eq!(directory.identity(&name).unwrap(), identity);
        assert_eq!(
            directory.identities().unwrap(),
            std::slice::from_ref(&identity)
        );
        let by_id = |identity: &ManagedIdentity| {
            directory.identity_by_client_id(identity.client_id).unwrap()
        };
        assert_eq!(by_id(&identity), Some(identity.clone()));

        directory.delete_identity(&name).await.unwrap();
        assert_eq!(by_id(&identity), None);
        assert!(matches!(
            directory.identity(&name),
            Err(Error::IdentityNotFound { .. })
        ));
        assert!(directory.delete_identity(&name).await.is_err());

        let (again, _) = directory.create_identity(name).await.unwrap();
        assert_ne!(again.client_id, identity.client_id);
        assert_ne!(again.principal_id, identity.principal_id);
    }

    #[tokio::test]
    async fn creating_and_deleting_an_identity_raises_the_epoch() {
        let store = Store::ephemeral();
        let directory = directory(&store).await;
        let name: IdentityName = "registry-identity".parse().unwrap();
        let before = store.epoch();
        directory.create_identity(name.clone()).await.unwrap();
        let created = store.epoch();
        directory.delete_identity(&name).await.unwrap();
        assert!(before < created && created < store.epoch());
    }

    #[tokio::test]
    async fn an_identity_in_json_is_what_the_control_api_shows() {
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
