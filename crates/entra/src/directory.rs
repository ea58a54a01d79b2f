use std::ops::Bound;

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
            if let Some(found) = self.named(&IDENTITIES, name.as_str())? {
                return Ok((found.record.value, false));
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
        Ok(self.known_identity(name)?.record.value)
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
        let Entry { key, record } = self.known_identity(name)?;
        let key: Vec<_> = key.iter().map(String::as_str).collect();
        let batch = Batch::new()
            .expect(&IDENTITIES, &key, &record)
            .delete(&IDENTITIES, &key);
        match self.store.commit(batch).await? {
            Commit::Done => Ok(()),
            Commit::Conflict => Err(Error::IdentityNotFound { name: name.clone() }),
        }
    }

    fn known_identity(&self, name: &IdentityName) -> Result<Entry<ManagedIdentity>> {
        let found = self.named(&IDENTITIES, name.as_str())?;
        found.ok_or_else(|| Error::IdentityNotFound { name: name.clone() })
    }

    /// What is stored under a name in any case; earlier versions stored it as it was written. If they let in
    /// several, the one of just this name goes first. Looks at all of them: an emulator has few.
    pub(crate) fn named<T: DeserializeOwned>(
        &self,
        table: &Table<T>,
        name: &str,
    ) -> Result<Option<Entry<T>>> {
        let entries = self.store.scan(table, &[], Bound::Unbounded);
        let mut entries = entries.collect::<sealock_store::Result<Vec<_>>>()?;
        let is = |name: &str| entries.iter().position(|entry| entry.key == [name]);
        let place = is(name).or_else(|| {
            let name = folded(name);
            let mut keys = entries.iter().map(|entry| &entry.key[..]);
            keys.position(|key| matches!(key, [key] if folded(key) == name))
        });
        Ok(place.map(|place| entries.swap_remove(place)))
    }

    fn scan(&self) -> impl Iterator<Item = Result<ManagedIdentity>> {
        self.store
            .scan(&IDENTITIES, &[], Bound::Unbounded)
            .map(|entry| Ok(entry?.record.value))
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
            assert_eq!(&directory.identity(&name(text)).unwrap(), identity);
            assert_eq!(create(text).await.unwrap(), (identity.clone(), false));
        }
        for text in ["NEW-one", "OLD-one", "TWICE", "TWICE"] {
            directory.delete_identity(&name(text)).await.unwrap();
        }
        assert_eq!(directory.identities().unwrap(), []);
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
