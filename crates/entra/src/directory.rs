use std::ops::Bound;

use futures_util::TryStreamExt as _;
use sealock_core::{ClientId, Clock, IdentityName, PrincipalId, TenantId};
use sealock_store::{Batch, Commit, Entry, Store, Table};
use serde::de::DeserializeOwned;

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

    /// The tenant that all principals belong to.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The identity of this name, and whether it was created just now. One that is created again
    /// after its deletion is another identity with other ids.
    pub async fn create_identity(&self, name: IdentityName) -> Result<(ManagedIdentity, bool)> {
        let created = self.store.update(|| async {
            if let Some(found) = self.named(&IDENTITIES, name.as_str()).await? {
                return Ok((Batch::new(), (found.record.value, false)));
            }
            let identity = ManagedIdentity {
                name: name.clone(),
                client_id: ClientId::random(),
                principal_id: PrincipalId::random(),
                tenant_id: self.tenant,
                created: self.clock.now(),
            };
            let key = folded(name.as_str());
            let batch = Batch::new().expect_absent(&IDENTITIES, &[&key]).put(
                &IDENTITIES,
                &[&key],
                &identity,
            );
            Ok((batch, (identity, true)))
        });
        created.await
    }

    /// All identities, by name.
    pub async fn identities(&self) -> Result<Vec<ManagedIdentity>> {
        self.all(&IDENTITIES).await
    }

    /// The identity of this name.
    ///
    /// # Errors
    /// If there is none, or the store fails.
    pub async fn identity(&self, name: &IdentityName) -> Result<ManagedIdentity> {
        Ok(self.known_identity(name).await?.record.value)
    }

    /// The identity with this client id, if it is still there. Looks at all of them: an emulator has few.
    pub async fn identity_by_client_id(&self, id: ClientId) -> Result<Option<ManagedIdentity>> {
        let mut entries = self.store.scan(&IDENTITIES, &[], Bound::Unbounded);
        while let Some(entry) = entries.try_next().await? {
            if entry.record.client_id == id {
                return Ok(Some(entry.record.value));
            }
        }
        Ok(None)
    }

    /// Deletes an identity. Access policies that name it stay, and name nobody.
    ///
    /// # Errors
    /// If there is none, or the store fails.
    pub async fn delete_identity(&self, name: &IdentityName) -> Result<()> {
        let Entry { key, record } = self.known_identity(name).await?;
        let key: Vec<_> = key.iter().map(String::as_str).collect();
        let batch = Batch::new()
            .expect(&IDENTITIES, &key, &record)
            .delete(&IDENTITIES, &key);
        match self.store.commit(batch).await? {
            Commit::Done => Ok(()),
            Commit::Conflict => Err(Error::IdentityNotFound { name: name.clone() }),
        }
    }

    async fn known_identity(&self, name: &IdentityName) -> Result<Entry<ManagedIdentity>> {
        let found = self.named(&IDENTITIES, name.as_str()).await?;
        found.ok_or_else(|| Error::IdentityNotFound { name: name.clone() })
    }

    /// What is stored under a name in any case; earlier versions stored it as it was written. If they let in
    /// several, the one of just this name goes first. Looks at all of them: an emulator has few.
    pub(crate) async fn named<T: DeserializeOwned>(
        &self,
        table: &Table<T>,
        name: &str,
    ) -> Result<Option<Entry<T>>> {
        let entries = self.store.scan(table, &[], Bound::Unbounded);
        let mut entries: Vec<Entry<T>> = entries.try_collect().await?;
        let is = |name: &str| entries.iter().position(|entry| entry.key == [name]);
        let place = is(name).or_else(|| {
            let name = folded(name);
            let mut keys = entries.iter().map(|entry| &entry.key[..]);
            keys.position(|key| matches!(key, [key] if folded(key) == name))
        });
        Ok(place.map(|place| entries.swap_remove(place)))
    }

    /// All records of a table.
    pub(crate) async fn all<T: DeserializeOwned>(&self, table: &Table<T>) -> Result<Vec<T>> {
        let entries = self.store.scan(table, &[], Bound::Unbounded);
        let values = entries.map_ok(|entry| entry.record.value);
        Ok(values.try_collect().await?)
    }
}

/// A name in lower case: what it is stored under, since Azure compares names so.
///
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules>
pub(crate) fn folded(name: &str) -> String {
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
    async fn an_identity_has_its_name_in_any_case_also_one_of_an_earlier_version() {
        let store = Store::ephemeral();
        let directory = directory(&store).await;
        let name = |text: &str| text.parse::<IdentityName>().unwrap();
        let create = |text: &str| directory.create_identity(name(text));
        let (new, _) = create("New-One").await.unwrap();
        let mut earlier = Vec::new();
        for text in ["Old-One", "Twice", "twice"] {
            let identity = ManagedIdentity {
                name: name(text),
                client_id: ClientId::random(),
                ..new.clone()
            };
            let batch = Batch::new().put(&IDENTITIES, &[text], &identity);
            assert_eq!(store.commit(batch).await.unwrap(), Commit::Done);
            earlier.push(identity);
        }
        for (text, identity) in [
            ("new-one", &new),
            ("NEW-ONE", &new),
            ("old-one", &earlier[0]),
            ("Old-One", &earlier[0]),
            ("Twice", &earlier[1]),
            ("twice", &earlier[2]),
        ] {
            assert_eq!(&directory.identity(&name(text)).await.unwrap(), identity);
            assert_eq!(create(text).await.unwrap(), (identity.clone(), false));
        }
        for text in ["NEW-one", "OLD-one", "TWICE", "TWICE"] {
            directory.delete_identity(&name(text)).await.unwrap();
        }
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
