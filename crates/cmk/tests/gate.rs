//! The gate over a vault that counts, refuses, stalls and lies on command.
#![expect(clippy::unwrap_used, reason = "in a test, a surprise is a failure")]

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use sealock_cmk::{
    Cause, Custodian, Custody, Encryption, Error, Identity, KeyFacts, KeyVault, NotDone,
    Propagation, Refusal, Settings, Sku, Standing,
};
use sealock_core::{ClientId, Clock, KeyIdentifier, Kid, ObjectId, PublicName, RegistryId};
use sealock_envelope::ServiceKey;
use sealock_store::{Batch, Commit, Fault, Store, Table};
use zeroize::Zeroizing;

const ANY_CONTROL_TABLE: Table<u32> = Table::control("any");

/// A vault that "wraps" by prefixing the kid.
#[derive(Default)]
struct FakeVault {
    unwraps: AtomicUsize,
    state: Mutex<State>,
}

/// Something that happens to the vault.
type Change = fn(&mut State);

struct State {
    current: String,
    kty: &'static str,
    enabled: bool,
    refuses_unwrap: Option<Cause>,
    refuses_wrap: Option<Cause>,
    fails_with: Option<io::ErrorKind>,
    unwraps_to: Option<Vec<u8>>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            current: version(1),
            kty: "RSA",
            enabled: true,
            refuses_unwrap: None,
            refuses_wrap: None,
            fails_with: None,
            unwraps_to: None,
        }
    }
}

fn version(n: u8) -> String {
    format!("{n:032x}")
}

#[async_trait]
impl KeyVault for FakeVault {
    async fn judge_unwrap(&self, _: ClientId, _: &Kid) -> Result<(), NotDone> {
        match self.state.lock().unwrap().refuses_unwrap {
            Some(cause) => Err(cause.into()),
            None => Ok(()),
        }
    }

    async fn get_key(&self, _: ClientId, key: &KeyIdentifier) -> Result<KeyFacts, NotDone> {
        let state = self.state.lock().unwrap();
        let version = key
            .version
            .clone()
            .map_or(state.current.clone(), String::from);
        Ok(KeyFacts {
            kid: format!("{}/{}/{version}", key.vault, key.key)
                .parse()
                .unwrap(),
            kty: state.kty.to_owned(),
            enabled: state.enabled,
        })
    }

    async fn wrap_key(&self, _: ClientId, kid: &Kid, plaintext: &[u8]) -> Result<Vec<u8>, NotDone> {
        match self.state.lock().unwrap().refuses_wrap {
            Some(cause) => Err(cause.into()),
            None => Ok([kid.to_string().as_bytes(), plaintext].concat()),
        }
    }

    async fn unwrap_key(
        &self,
        _: ClientId,
        kid: &Kid,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, NotDone> {
        self.unwraps.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        let state = self.state.lock().unwrap();
        if let Some(cause) = state.refuses_unwrap {
            return Err(cause.into());
        }
        if let Some(kind) = state.fails_with {
            return Err(NotDone::Store(io::Error::from(kind).into()));
        }
        let plaintext = wrapped.strip_prefix(kid.to_string().as_bytes());
        let plaintext = plaintext.ok_or(Cause::KeyNotFound)?.to_vec();
        Ok(Zeroizing::new(
            state.unwraps_to.clone().unwrap_or(plaintext),
        ))
    }
}

struct World {
    vault: Arc<FakeVault>,
    store: Store,
    clock: Clock,
    custodian: Custodian,
    registry: RegistryId,
    custody: Custody,
}

impl World {
    async fn with_key(key: &str) -> Self {
        Self::with(key, Propagation::Immediate).await
    }

    async fn with(key: &str, propagation: Propagation) -> Self {
        let clock = Clock::frozen_at(Timestamp::UNIX_EPOCH);
        let vault = Arc::new(FakeVault::default());
        let store = Store::ephemeral();
        let custodian = Custodian::new(
            store.clone(),
            Arc::new(ServiceKey::random()),
            Arc::clone(&vault) as Arc<dyn KeyVault>,
            clock.clone(),
            PublicName::parse("localhost", 5000).unwrap(),
            &Settings { propagation },
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

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.vault.state.lock().unwrap());
    }

    /// What every change of keys, policies and identities does.
    async fn control_commit(&self) {
        let batch = Batch::new().put(&ANY_CONTROL_TABLE, &["x"], &0);
        assert_eq!(self.store.commit(batch).await.unwrap(), Commit::Done);
    }

    fn unwraps(&self) -> usize {
        self.vault.unwraps.load(Ordering::SeqCst)
    }

    async fn revoked(&self) -> Option<Cause> {
        match self.custody.lease().await {
            Ok(_) => None,
            Err(Error::Revoked(revocation)) => Some(revocation.cause),
            Err(error) => panic!("{error}"),
        }
    }

    async fn keep(&self, object: ObjectId) {
        let lease = self.custody.lease().await.unwrap();
        lease.opened().unwrap().keep(object, b"content");
    }

    async fn kept(&self, object: ObjectId) -> Option<Bytes> {
        let lease = self.custody.lease().await.unwrap();
        lease.opened().unwrap().get(object)
    }

    /// The registries that do not follow the key to its version `n`.
    async fn follow(&self, n: u8) -> Vec<RegistryId> {
        let current = format!("kv1/k1/{}", version(n)).parse().unwrap();
        self.custodian.follow(&current).await.unwrap();
        let followers = self.custodian.followers(&current).await.unwrap();
        let behind = followers.into_iter().filter(|it| it.kid != current);
        behind.map(|it| it.registry).collect()
    }

    async fn wrapping_version(&self) -> String {
        let (status, _) = self.custodian.status(self.registry).await.unwrap();
        status.kid.version.to_string()
    }
}

async fn establish(custodian: &Custodian, registry: RegistryId, key: &str) -> Result<Batch, Error> {
    let encryption = Encryption {
        key: Some(key.parse().unwrap()),
        identity: Some(Identity::UserAssigned(ClientId::random())),
    };
    let name = "sealock".parse().unwrap();
    custodian
        .establish(registry, &name, Sku::Premium, &encryption, Batch::new())
        .await
}

#[tokio::test]
async fn a_disk_that_fails_under_the_vault_is_no_revocation_and_is_not_remembered() {
    let world = World::with_key("kv1/k1").await;
    world.control_commit().await;
    world.set(|state| state.fails_with = Some(io::ErrorKind::StorageFull));
    match world.custody.lease().await {
        Err(Error::Store(error)) => assert_eq!(error.fault(), Some(Fault::Full)),
        other => panic!("{:?}", other.map(drop)),
    }
    let (_, standing) = world.custodian.status(world.registry).await.unwrap();
    assert!(matches!(standing, Standing::Unknown(_)), "{standing:?}");
    world.set(|state| state.fails_with = None);
    assert_eq!(world.revoked().await, None);
}

#[tokio::test]
async fn the_vault_is_asked_once_as_long_as_nothing_changes() {
    let world = World::with_key("kv1/k1").await;
    for _ in 0..100 {
        world.custody.lease().await.unwrap();
    }
    assert_eq!(
        world.unwraps(),
        0,
        "the verdict of the creation still holds"
    );
    world.control_commit().await;
    world.custody.lease().await.unwrap();
    world.custody.lease().await.unwrap();
    assert_eq!(world.unwraps(), 1);
}

#[tokio::test]
async fn what_was_opened_is_kept_as_long_as_nothing_changes_and_no_longer() {
    let world = World::with_key("kv1/k1").await;
    let object = ObjectId::random();
    world.keep(object).await;
    assert_eq!(world.kept(object).await.unwrap(), "content");

    // Whatever changed: not only what the next verdict will refuse.
    world.control_commit().await;
    assert_eq!(world.kept(object).await, None);

    world.keep(object).await;
    world.set(|state| state.refuses_unwrap = Some(Cause::KeyDisabled));
    world.control_commit().await;
    assert_eq!(world.revoked().await, Some(Cause::KeyDisabled));
    world.set(|state| state.refuses_unwrap = None);
    world.control_commit().await;
    assert_eq!(world.kept(object).await, None);
}

#[tokio::test]
async fn many_that_wait_are_answered_by_one_evaluation() {
    let world = World::with_key("kv1/k1").await;
    world.control_commit().await;
    let leases = (0..50).map(|_| {
        let custody = world.custody.clone();
        tokio::spawn(async move { custody.lease().await.is_ok() })
    });
    for lease in leases.collect::<Vec<_>>() {
        assert!(lease.await.unwrap());
    }
    assert_eq!(world.unwraps(), 1);
}

#[tokio::test]
async fn a_refused_unwrap_revokes_and_a_permitted_one_restores() {
    let world = World::with_key("kv1/k1").await;
    world.set(|state| state.refuses_unwrap = Some(Cause::KeyDisabled));
    assert_eq!(world.revoked().await, None, "no commit, no new verdict");
    world.control_commit().await;
    assert_eq!(world.revoked().await, Some(Cause::KeyDisabled));
    world.set(|state| state.refuses_unwrap = None);
    world.control_commit().await;
    assert_eq!(world.revoked().await, None);
}

#[tokio::test]
async fn a_fault_is_not_remembered_as_a_revocation() {
    let world = World::with_key("kv1/k1").await;
    world.set(|state| state.refuses_unwrap = Some(Cause::VaultUnavailable));
    world.control_commit().await;
    assert_eq!(world.revoked().await, Some(Cause::VaultUnavailable));
    world.set(|state| state.refuses_unwrap = None);
    assert_eq!(world.revoked().await, None, "the vault is asked again");
}

#[tokio::test]
async fn a_key_that_is_not_the_one_that_was_wrapped_is_never_used() {
    let world = World::with_key("kv1/k1").await;
    for lie in [vec![7; 32], vec![7; 31], vec![]] {
        world.set(|state| state.unwraps_to = Some(lie));
        world.control_commit().await;
        assert!(matches!(
            world.custody.lease().await,
            Err(Error::Damaged { .. })
        ));
    }
    world.set(|state| state.unwraps_to = None);
    assert!(
        world.custody.lease().await.is_ok(),
        "a damaged answer is no verdict to keep"
    );
}

#[tokio::test]
async fn an_unversioned_key_is_followed_if_the_new_version_can_be_used() {
    let world = World::with_key("kv1/k1").await;
    world.set(|state| {
        state.current = version(2);
        state.enabled = false;
    });
    world.control_commit().await;
    assert_eq!(world.revoked().await, None);
    assert_eq!(
        world.wrapping_version().await,
        version(1),
        "a disabled version is not moved to"
    );

    world.set(|state| {
        state.enabled = true;
        state.refuses_wrap = Some(Cause::ForbiddenByPolicy);
    });
    world.control_commit().await;
    assert_eq!(world.revoked().await, None, "the old version still unwraps");
    assert_eq!(world.wrapping_version().await, version(1));

    assert_eq!(
        world.follow(2).await,
        [world.registry],
        "it is said to be left behind"
    );

    world.set(|state| state.refuses_wrap = None);
    world.control_commit().await;
    assert_eq!(world.follow(2).await, []);
    assert_eq!(world.wrapping_version().await, version(2));
    assert_eq!(world.revoked().await, None);
}

#[tokio::test]
async fn a_versioned_key_is_not_followed() {
    let world = World::with_key(&format!("kv1/k1/{}", version(1))).await;
    world.set(|state| state.current = version(2));
    world.control_commit().await;
    assert_eq!(
        world.follow(2).await,
        [],
        "it does not follow, so it is not left behind"
    );
    assert_eq!(world.revoked().await, None);
    assert_eq!(world.wrapping_version().await, version(1));
}

#[tokio::test]
async fn as_in_azure_a_key_is_cached_for_an_hour() {
    let world = World::with("kv1/k1", Propagation::Azure).await;
    let minutes = |minutes| {
        world
            .clock
            .advance(SignedDuration::from_mins(minutes))
            .unwrap();
    };
    world.set(|state| {
        state.current = version(2);
        state.refuses_unwrap = Some(Cause::KeyDisabled);
    });
    world.control_commit().await;
    assert_eq!(world.follow(2).await, []);
    assert_eq!(world.revoked().await, None);
    minutes(59);
    assert_eq!(world.revoked().await, None);
    minutes(1);
    assert_eq!(world.revoked().await, Some(Cause::KeyDisabled));

    world.set(|state| state.refuses_unwrap = None);
    world.control_commit().await;
    assert_eq!(
        world.revoked().await,
        None,
        "a restored key is picked up by itself"
    );
    assert_eq!(world.wrapping_version().await, version(2));

    // Hours without any change: the hour counts from when the vault was asked last.
    minutes(150);
    assert_eq!(world.revoked().await, None);
    world.set(|state| state.refuses_unwrap = Some(Cause::KeyDisabled));
    world.control_commit().await;
    minutes(59);
    assert_eq!(world.revoked().await, None);
    minutes(1);
    assert_eq!(world.revoked().await, Some(Cause::KeyDisabled));
}

#[tokio::test]
async fn a_registry_is_not_established_with_a_key_that_it_could_not_use() {
    let world = World::with_key("kv1/k1").await;
    let cases: [(&str, Change); 4] = [
        ("disabled", |state| state.enabled = false),
        ("no wrap", |state| {
            state.refuses_wrap = Some(Cause::ForbiddenByPolicy);
        }),
        ("no unwrap", |state| {
            state.refuses_unwrap = Some(Cause::ForbiddenByPolicy);
        }),
        ("lies", |state| state.unwraps_to = Some(vec![0; 32])),
    ];
    for (name, change) in cases {
        world.set(|state| *state = State::default());
        world.set(change);
        let refused = establish(&world.custodian, RegistryId::random(), "kv1/k1").await;
        let refused = refused
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        assert!(
            refused.starts_with("Failed to access KeyId 'https://kv1.vault.localhost:5000/keys/k1"),
            "{name}: {refused}"
        );
    }
    world.set(|state| {
        *state = State {
            kty: "EC",
            ..State::default()
        }
    });
    let refused = establish(&world.custodian, RegistryId::random(), "kv1/k1").await;
    assert!(matches!(
        refused,
        Err(Error::Refused(Refusal::KeyTypeUnsupported { .. }))
    ));
}

#[tokio::test]
async fn a_registry_with_a_custody_record_is_encrypted_whatever_its_own_record_says() {
    let world = World::with_key("kv1/k1").await;
    let custody = world
        .custodian
        .custody(world.registry, false)
        .await
        .unwrap();
    assert!(custody.lease().await.unwrap().keys().dek.is_some());
    world.set(|state| state.refuses_unwrap = Some(Cause::KeyDisabled));
    world.control_commit().await;
    assert!(matches!(custody.lease().await, Err(Error::Revoked(_))));
    let another = world
        .custodian
        .custody(RegistryId::random(), false)
        .await
        .unwrap();
    assert!(another.lease().await.unwrap().keys().dek.is_none());
}

#[tokio::test]
async fn the_custody_records_second_copy_follows_each_rotation() {
    let world = World::with_key("kv1/k1").await;
    let copy = || world.store.custodies.get(world.registry.as_uuid()).unwrap();
    assert_eq!(copy(), None);
    world.custodian.back_up_all().await.unwrap();
    let created = copy().unwrap();
    world.set(|state| state.current = version(2));
    world.control_commit().await;
    assert!(world.follow(2).await.is_empty());
    let rotated = copy().unwrap();
    assert!(rotated != created);
    world.custodian.back_up_all().await.unwrap();
    assert_eq!(copy().unwrap(), rotated);
}

#[tokio::test]
async fn a_start_copies_no_custody_record_that_is_being_changed() {
    let world = World::with_key("kv1/k1").await;
    let copy = || world.store.custodies.get(world.registry.as_uuid()).unwrap();
    let turn = world.custodian.turn(world.registry).await.unwrap();
    let custodian = world.custodian.clone();
    let start = tokio::spawn(async move { custodian.back_up_all().await });
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(copy(), None, "whoever has the turn copies it");
    drop(turn);
    start.await.unwrap().unwrap();
    assert!(copy().is_some());
}
