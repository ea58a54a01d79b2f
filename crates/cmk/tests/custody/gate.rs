use std::io;

use jiff::SignedDuration;
use sealock_cmk::{Availability, Cause, Error, Propagation};
use sealock_core::{ObjectId, RegistryId};
use sealock_store::Fault;

use crate::{fake_vault::version, world::World};

#[tokio::test]
async fn disk_fault_below_the_vault_is_no_revocation_and_is_forgotten() {
    let world = World::with_key("kv1/k1").await;
    world.control_commit().await;
    world.set(|state| state.fails_with = Some(io::ErrorKind::StorageFull));
    match world.custody.lease().await {
        Err(Error::Store(error)) => assert_eq!(error.fault(), Some(Fault::Full)),
        other => panic!("{:?}", other.map(drop)),
    }
    let (_, availability) = world.custodian.status(world.registry).await.unwrap();
    assert!(
        matches!(availability, Availability::Unknown(_)),
        "{availability:?}"
    );
    world.set(|state| state.fails_with = None);
    assert_eq!(world.revoked().await, None);
}

#[tokio::test]
async fn vault_is_asked_once_while_nothing_changes() {
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
async fn cached_content_lives_until_the_next_control_commit() {
    let world = World::with_key("kv1/k1").await;
    let object = ObjectId::random();
    world.cache(object).await;
    assert_eq!(world.cached(object).await.unwrap(), "content");

    // Any change empties the cache, not only a revocation.
    world.control_commit().await;
    assert_eq!(world.cached(object).await, None);

    world.cache(object).await;
    world.set(|state| state.refuses_unwrap = Some(Cause::KeyDisabled));
    world.control_commit().await;
    assert_eq!(world.revoked().await, Some(Cause::KeyDisabled));
    world.set(|state| state.refuses_unwrap = None);
    world.control_commit().await;
    assert_eq!(world.cached(object).await, None);
}

#[tokio::test]
async fn concurrent_leases_share_one_evaluation() {
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
async fn refused_unwrap_revokes_and_permitted_unwrap_restores() {
    let world = World::with_key("kv1/k1").await;
    world.set(|state| state.refuses_unwrap = Some(Cause::KeyDisabled));
    assert_eq!(
        world.revoked().await,
        None,
        "without a commit the verdict stands"
    );
    world.control_commit().await;
    assert_eq!(world.revoked().await, Some(Cause::KeyDisabled));
    world.set(|state| state.refuses_unwrap = None);
    world.control_commit().await;
    assert_eq!(world.revoked().await, None);
}

#[tokio::test]
async fn unavailable_vault_is_asked_again() {
    let world = World::with_key("kv1/k1").await;
    world.set(|state| state.refuses_unwrap = Some(Cause::VaultUnavailable));
    world.control_commit().await;
    assert_eq!(world.revoked().await, Some(Cause::VaultUnavailable));
    world.set(|state| state.refuses_unwrap = None);
    assert_eq!(world.revoked().await, None, "the vault is asked again");
}

#[tokio::test]
async fn wrong_unwrapped_key_is_never_used() {
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
        "a damaged answer is no verdict"
    );
}

#[tokio::test]
async fn azure_propagation_caches_the_key_for_an_hour() {
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
        "the registry finds the restored key by itself"
    );
    assert_eq!(world.wrapping_version().await, version(2));

    // Hours without any change: the hour counts from the last question to the vault.
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
async fn registry_with_a_custody_record_is_encrypted_whatever_its_own_record_says() {
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
