use std::sync::{Arc, atomic::Ordering};

use bytes::Bytes;
use jiff::Timestamp;
use sealock_cmk::{
    Cause, Custodian, Custody, Encryption, Error, Identity, KeyVault, Propagation, Settings, Sku,
};
use sealock_core::{ClientId, Clock, ObjectId, PublicName, RegistryId};
use sealock_envelope::ServiceKey;
use sealock_store::{Batch, Commit, Store, Table};

use crate::fake_vault::{FakeVault, State, version};

const ANY_CONTROL_TABLE: Table<u32> = Table::control("any");

/// A registry with a vault that obeys the test.
pub(crate) struct World {
    pub(crate) vault: Arc<FakeVault>,
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) custodian: Custodian,
    pub(crate) registry: RegistryId,
    pub(crate) custody: Custody,
}

impl World {
    pub(crate) async fn with_key(key: &str) -> Self {
        Self::with(key, Propagation::Immediate).await
    }

    pub(crate) async fn with(key: &str, propagation: Propagation) -> Self {
        let clock = Clock::frozen_at(Timestamp::UNIX_EPOCH);
        let vault = Arc::new(FakeVault::default());
        let store = Store::ephemeral();
        let custodian = Custodian::new(
            store.clone(),
            Arc::new(ServiceKey::random()),
            Arc::clone(&vault) as Arc<dyn KeyVault>,
            clock.clone(),
            PublicName::parse("localhost", 5000).unwrap(),
            &Settings {
                propagation,
                ..Settings::default()
            },
        );
        let registry = RegistryId::random();
        let establishment = establish(&custodian, registry, key).await.unwrap();
        assert_eq!(store.commit(establishment).await.unwrap(), Commit::Done);
        let world = Self {
            custody: custodian.custody(registry, true).await.unwrap(),
            vault,
            store,
            clock,
            custodian,
            registry,
        };
        world.custody.lease().await.unwrap();
        world.vault.unwraps.store(0, Ordering::SeqCst);
        world
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.vault.state.lock().unwrap());
    }

    /// Commits to a control table, as every change of keys, policies and identities does.
    pub(crate) async fn control_commit(&self) {
        let batch = Batch::new().put(&ANY_CONTROL_TABLE, &["x"], &0);
        assert_eq!(self.store.commit(batch).await.unwrap(), Commit::Done);
    }

    pub(crate) fn unwraps(&self) -> usize {
        self.vault.unwraps.load(Ordering::SeqCst)
    }

    pub(crate) async fn revoked(&self) -> Option<Cause> {
        match self.custody.lease().await {
            Ok(_) => None,
            Err(Error::Revoked(revocation)) => Some(revocation.cause),
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) async fn cache(&self, object: ObjectId) {
        let lease = self.custody.lease().await.unwrap();
        lease.cache().unwrap().insert(object, b"content");
    }

    pub(crate) async fn cached(&self, object: ObjectId) -> Option<Bytes> {
        let lease = self.custody.lease().await.unwrap();
        lease.cache().unwrap().get(object)
    }

    /// Lets the registries follow the key to its version `n`, and returns those left behind.
    pub(crate) async fn follow(&self, n: u8) -> Vec<RegistryId> {
        let current = format!("kv1/k1/{}", version(n)).parse().unwrap();
        self.custodian.follow(&current).await.unwrap();
        let followers = self.custodian.followers(&current).await.unwrap();
        let behind = followers.into_iter().filter(|it| it.kid != current);
        behind.map(|it| it.registry).collect()
    }

    pub(crate) async fn wrapping_version(&self) -> String {
        let (status, _) = self.custodian.status(self.registry).await.unwrap();
        status.in_use.kid.version.to_string()
    }
}

pub(crate) async fn establish(
    custodian: &Custodian,
    registry: RegistryId,
    key: &str,
) -> Result<Batch, Error> {
    let encryption = Encryption {
        key: Some(key.parse().unwrap()),
        identity: Some(Identity::UserAssigned(ClientId::random())),
    };
    let name = "sealock".parse().unwrap();
    custodian
        .establish(registry, &name, Sku::Premium, &encryption, Batch::new())
        .await
}
