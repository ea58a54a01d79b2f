use sealock_cmk::{Cause, Error, Refusal};
use sealock_core::RegistryId;

use crate::{
    fake_vault::{Change, State, version},
    world::{World, establish},
};

#[tokio::test]
async fn unversioned_key_is_followed_once_the_new_version_is_usable() {
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
        "no registry moves to a disabled version"
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
        "the registry is reported as left behind"
    );

    world.set(|state| state.refuses_wrap = None);
    world.control_commit().await;
    assert_eq!(world.follow(2).await, []);
    assert_eq!(world.wrapping_version().await, version(2));
    assert_eq!(world.revoked().await, None);
}

#[tokio::test]
async fn versioned_key_is_not_followed() {
    let world = World::with_key(&format!("kv1/k1/{}", version(1))).await;
    world.set(|state| state.current = version(2));
    world.control_commit().await;
    assert_eq!(
        world.follow(2).await,
        [],
        "a registry that does not follow is not left behind"
    );
    assert_eq!(world.revoked().await, None);
    assert_eq!(world.wrapping_version().await, version(1));
}

#[tokio::test]
async fn registry_is_not_established_with_an_unusable_key() {
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
async fn second_copy_follows_each_rotation() {
    let world = World::with_key("kv1/k1").await;
    let copy = || world.store.custodies.get(world.registry.as_uuid()).unwrap();
    assert_eq!(copy(), None);
    world.custodian.write_second_copies().await.unwrap();
    let created = copy().unwrap();
    world.set(|state| state.current = version(2));
    world.control_commit().await;
    assert!(world.follow(2).await.is_empty());
    let rotated = copy().unwrap();
    assert!(rotated != created);
    world.custodian.write_second_copies().await.unwrap();
    assert_eq!(copy().unwrap(), rotated);
}

#[tokio::test]
async fn start_copies_no_custody_record_that_is_being_changed() {
    let world = World::with_key("kv1/k1").await;
    let copy = || world.store.custodies.get(world.registry.as_uuid()).unwrap();
    let lock = world.custodian.lock(world.registry).await.unwrap();
    let custodian = world.custodian.clone();
    let start = tokio::spawn(async move { custodian.write_second_copies().await });
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(copy(), None, "the holder of the lock writes the copy");
    drop(lock);
    start.await.unwrap().unwrap();
    assert!(copy().is_some());
}
