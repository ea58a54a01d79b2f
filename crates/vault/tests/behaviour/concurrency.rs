//! Concurrent operations take effect as if one came after the other.

use jiff::SignedDuration;
use sealock_vault::{
    Action, Error, KeyChange, KeyType, LifetimeAction, RotationPolicy, State, Trigger, VaultChange,
};

use crate::{
    rotation::{after_create, rotate},
    world::{SECRET, World, operator, wire},
};

fn tagged() -> KeyChange {
    KeyChange {
        tags: Some([("owner".to_owned(), "someone".to_owned())].into()),
        ..KeyChange::default()
    }
}

/// The current version has the tags, whichever operation comes first.
#[tokio::test]
async fn rotation_adopts_a_concurrent_update() {
    let world = World::new().await;
    world.create_key().await.unwrap();
    let (rotated, changed) = tokio::join!(world.rotate_key(), world.update(tagged()));
    rotated.unwrap();
    let (_, changed) = changed.unwrap();
    assert_eq!(changed.tags.len(), 1);
    let shown = world.whole_key().await.unwrap();
    assert_eq!(shown.current.tags, changed.tags);
    assert_eq!(shown.versions().count(), 2);
    assert_eq!(world.file_count(), 4);
}

#[tokio::test]
async fn concurrent_rotations_all_take_effect() {
    let world = World::new().await;
    world.create_ec_key().await.unwrap();
    let (one, other, third) =
        tokio::join!(world.rotate_key(), world.rotate_key(), world.rotate_key());
    assert!(one.is_ok() && other.is_ok() && third.is_ok());
    assert_eq!(world.whole_key().await.unwrap().versions().count(), 4);
    assert_eq!(world.file_count(), 8);
}

/// Exceeds the number of times that a change may be overtaken before it runs alone.
#[tokio::test(flavor = "multi_thread")]
async fn crowd_of_concurrent_rotations_and_updates_all_take_effect() {
    let world = World::new().await;
    world.create_ec_key().await.unwrap();
    let rotations = futures_util::future::join_all((0..64).map(|_| world.rotate_key()));
    let changes = futures_util::future::join_all((0..64).map(|_| world.update(tagged())));
    let (rotations, changes) = tokio::join!(rotations, changes);
    assert!(rotations.iter().all(Result::is_ok));
    assert!(changes.iter().all(Result::is_ok));
    assert_eq!(world.whole_key().await.unwrap().versions().count(), 65);
    assert_eq!(world.file_count(), 130);
}

#[test]
fn change_that_is_always_overtaken_is_a_conflict() {
    let overtaken = Error::from(sealock_store::Error::Overtaken);
    assert_eq!(wire::<()>(Err(overtaken)), (409, "Conflict", None));
}

/// A manual rotation in the meantime makes the scheduled one unnecessary.
#[tokio::test(flavor = "multi_thread")]
async fn scheduled_work_is_judged_again_at_its_commit() {
    for _ in 0..20 {
        let world = World::new().await;
        let change = KeyChange {
            expires: Some(world.clock.now() + SignedDuration::from_hours(24 * 60)),
            ..KeyChange::default()
        };
        world.create(KeyType::Ec, change).await.unwrap();
        let actions = vec![rotate(after_create("P10D"))];
        world.set_policy(actions, None).await.unwrap();
        world.advance_days(10);
        let (due, rotated) = tokio::join!(world.vaults.run_due(), world.rotate_key());
        rotated.unwrap();
        // Either may come first. After the manual rotation, the policy's is no longer due.
        let current = world.whole_key().await.unwrap().current.kid;
        assert!(!due.unwrap().rotated.contains(&current));

        // Only a version that has expired is reported, even if the key rotates during the run.
        world.set_policy(vec![], Some("P60D")).await.unwrap();
        world.rotate_key().await.unwrap();
        world.advance_days(60);
        let rotations = futures_util::future::join_all((0..4).map(|_| world.rotate_key()));
        let (due, _) = tokio::join!(world.vaults.run_due(), rotations);
        due.unwrap();
        let events = world.audit_events();
        let expired = events
            .iter()
            .filter(|event| event.operation_name == "KeyExpiredEventGridNotification");
        let shown = world.whole_key().await.unwrap();
        for event in expired {
            let id = &event.properties.id;
            let version = shown
                .versions()
                .find(|version| id.ends_with(version.kid.version.as_str()));
            let expires = version.unwrap().attributes.expires;
            assert!(expires.is_some_and(|end| end <= world.clock.now()), "{id}");
        }
    }
}

/// The new private key is generated before the commit, and is useless after a change of type.
#[tokio::test]
async fn rotation_is_refused_after_a_new_version_of_another_type() {
    let world = World::new().await;
    world.create_key().await.unwrap();
    let (rotated, created) = tokio::join!(world.rotate_key(), world.create_ec_key());
    created.unwrap();
    assert!(matches!(rotated, Err(Error::ConcurrentChange)));
    let shown = world.whole_key().await.unwrap();
    assert_eq!(shown.current.kty, KeyType::Ec);
    assert_eq!(world.file_count(), 2 * shown.versions().count());
}

/// Changes that are committed while the private key is generated count.
#[tokio::test]
async fn overtaken_creation_is_refused_and_leaves_no_files() {
    let world = World::new().await;
    let change = |failed_over| VaultChange {
        failed_over: Some(failed_over),
        ..VaultChange::default()
    };
    let (created, changed) = tokio::join!(world.create_key(), world.change_vault(change(true)));
    changed.unwrap();
    assert!(matches!(created, Err(Error::FailedOver { .. })));
    assert_eq!(world.file_count(), 0);
    world.change_vault(change(false)).await.unwrap();

    world.create_ec_key().await.unwrap();
    let (rotated, deleted) = tokio::join!(world.create_key(), world.delete_key());
    deleted.unwrap();
    assert!(matches!(
        rotated,
        Err(Error::ObjectIsDeletedButRecoverable { .. })
    ));
    assert_eq!(world.file_count(), 2);

    let (vaults, vault, operator) = (&world.vaults, &world.vault, operator());
    world.recover_key().await.unwrap();
    let (rotated, deleted) =
        tokio::join!(world.create_key(), vaults.delete_vault(&operator, vault));
    deleted.unwrap();
    assert!(matches!(rotated, Err(Error::VaultDeleted { .. })));
    assert_eq!(world.file_count(), 2);
}

/// A key in purge must never look damaged.
#[tokio::test(flavor = "multi_thread")]
async fn key_in_purge_is_either_usable_or_missing() {
    let world = World::new().await;
    for _ in 0..20 {
        let kid = world.create_key().await.unwrap().current.kid;
        let wrapped = world.wrap(&kid).await.unwrap();
        world.delete_key().await.unwrap();
        world.recover_key().await.unwrap();
        let purge = async {
            world.delete_key().await.unwrap();
            world.purge_key().await.unwrap();
        };
        let backup = async {
            let operator = operator();
            let vaults = &world.vaults;
            vaults.backup_key(&operator, &world.vault, &world.key).await
        };
        let ((), unwrapped, backup) = tokio::join!(purge, world.unwrap(&kid, &wrapped), backup);
        match unwrapped {
            Ok(secret) => assert_eq!(*secret, SECRET),
            Err(Error::KeyDeleted { .. } | Error::KeyNotFound { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
        match backup {
            Ok(_) | Err(Error::KeyDeleted { .. } | Error::KeyNotFound { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
        assert_eq!(world.file_count(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scheduled_rotation_and_concurrent_update_both_take_effect() {
    let world = World::new().await;
    let change = KeyChange {
        expires: Some(world.clock.now() + SignedDuration::from_hours(24 * 37)),
        ..KeyChange::default()
    };
    world.create(KeyType::Ec, change).await.unwrap();
    let policy = RotationPolicy {
        lifetime_actions: vec![LifetimeAction {
            trigger: Trigger::AfterCreate("P7D".parse().unwrap()),
            action: Action::Rotate,
        }],
        expiry_time: None,
    };
    let vaults = &world.vaults;
    vaults
        .set_rotation_policy(&operator(), &world.vault, &world.key, Ok(policy))
        .await
        .unwrap();
    world.advance_days(7);
    let (one, other, changed) =
        tokio::join!(vaults.run_due(), vaults.run_due(), world.update(tagged()),);
    changed.unwrap();
    let rotated = one.unwrap().rotated.len() + other.unwrap().rotated.len();
    assert_eq!(rotated, 1);
    let shown = world.whole_key().await.unwrap();
    assert_eq!(shown.state, State::Active);
    assert_eq!(shown.versions().count(), 2);
    assert_eq!(shown.current.tags.len(), 1);
    vaults.run_due().await.unwrap();
    let notices = world.audit_events();
    let notices = notices
        .iter()
        .filter(|event| event.operation_name == "KeyNearExpiryEventGridNotification");
    assert_eq!(notices.count(), 1);
}
