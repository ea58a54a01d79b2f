use sealock_core::KeyIdentifier;
use sealock_vault::{Error, KeyChange, KeySpec, KeyType, State};

use crate::world::{SECRET, World, operator, refused, wire};

#[tokio::test]
async fn old_version_unwraps_after_a_rotation() {
    let world = World::new().await;
    let first = world.create_key().await.unwrap().current.kid;
    let wrapped = world.wrap(&first).await.unwrap();
    let rotated = world
        .vaults
        .rotate_key(&operator(), &world.vault, &world.key)
        .await
        .unwrap();

    assert_ne!(rotated.current.kid, first);
    let versions: Vec<_> = rotated.versions().map(|version| &version.kid).collect();
    assert_eq!(versions, [&rotated.current.kid, &first]);
    let unversioned = first.identifier().unversioned();
    let facts = world.vaults.get_key(&world.registry, &unversioned).await;
    assert_eq!(facts.unwrap().kid, rotated.current.kid);
    assert_eq!(*world.unwrap(&first, &wrapped).await.unwrap(), SECRET);
    assert_eq!(
        wire(world.unwrap(&rotated.current.kid, &wrapped).await),
        (400, "BadParameter", None)
    );
}

#[tokio::test]
async fn disabled_version_is_shown_but_refuses_to_wrap_and_unwrap() {
    let world = World::new().await;
    let kid = world.create_key().await.unwrap().current.kid;
    let wrapped = world.wrap(&kid).await.unwrap();
    assert!(!world.set_enabled(&kid, false).await.unwrap().enabled);
    let disabled = (403, "Forbidden", Some("KeyDisabled"));
    assert_eq!(wire(world.wrap(&kid).await), disabled);
    assert_eq!(wire(world.unwrap(&kid, &wrapped).await), disabled);
    let error = refused(world.unwrap(&kid, &wrapped).await);
    assert_eq!(
        error.to_string(),
        "Operation unwrapKey is not allowed on a disabled key."
    );
    assert!(matches!(error, Error::KeyDisabled { kid: disabled, .. } if disabled == kid));
    let facts = world
        .vaults
        .get_key(&world.registry, &kid.identifier())
        .await;
    assert!(!facts.unwrap().attributes.enabled);

    assert!(world.set_enabled(&kid, true).await.unwrap().enabled);
    assert_eq!(*world.unwrap(&kid, &wrapped).await.unwrap(), SECRET);
}

#[tokio::test]
async fn deleted_key_is_not_found_until_it_is_recovered() {
    let world = World::new().await;
    let kid = world.create_key().await.unwrap().current.kid;
    let wrapped = world.wrap(&kid).await.unwrap();
    let (vaults, vault, key) = (&world.vaults, &world.vault, &world.key);
    assert!(matches!(
        vaults.recover_key(&operator(), vault, key).await,
        Err(Error::DeletedKeyNotFound { .. })
    ));

    let deleted = vaults.delete_key(&operator(), vault, key).await.unwrap();
    assert_eq!(deleted.state, State::Deleted);
    assert!(deleted.scheduled_purge > deleted.deleted);
    let error = refused(world.unwrap(&kid, &wrapped).await);
    assert!(matches!(error, Error::KeyDeleted { .. }));
    assert_eq!((error.status(), error.code()), (404, "KeyNotFound"));
    assert_eq!(wire(world.wrap(&kid).await), (404, "KeyNotFound", None));
    let got = vaults.get_key(&world.registry, &kid.identifier()).await;
    assert_eq!(wire(got), (404, "KeyNotFound", None));
    assert_eq!(
        wire(world.create_key().await),
        (409, "Conflict", Some("ObjectIsDeletedButRecoverable"))
    );
    assert_eq!(vaults.keys(&operator(), vault).await.unwrap(), [deleted]);

    let recovered = vaults.recover_key(&operator(), vault, key).await.unwrap();
    assert_eq!(recovered.state, State::Active);
    assert_eq!(*world.unwrap(&kid, &wrapped).await.unwrap(), SECRET);
}

#[tokio::test]
async fn new_key_cannot_unwrap_for_its_purged_namesake() {
    let world = World::new().await;
    let kid = world.create_key().await.unwrap().current.kid;
    let wrapped = world.wrap(&kid).await.unwrap();
    assert_eq!(world.file_count(), 2);
    let purged = world
        .vaults
        .purge_key(&operator(), &world.vault, &world.key)
        .await;
    assert_eq!(wire(purged), (404, "KeyNotFound", None));

    world.delete_and_purge_key().await;
    assert_eq!(world.file_count(), 0);
    let error = refused(world.unwrap(&kid, &wrapped).await);
    assert!(matches!(error, Error::KeyNotFound { .. }), "{error:?}");
    assert!(error.to_string().starts_with(&format!(
        "A key with (name/id) k1/{} was not found in this key vault.",
        kid.version
    )));

    let again = world.create_key().await.unwrap();
    assert_eq!(again.versions().count(), 1);
    assert_eq!(world.file_count(), 2);
    assert!(matches!(
        world.unwrap(&kid, &wrapped).await,
        Err(Error::KeyNotFound { .. })
    ));
    assert!(matches!(
        world.unwrap(&again.current.kid, &wrapped).await,
        Err(Error::BadParameter(_))
    ));
}

#[tokio::test]
async fn unsupported_size_and_overlong_plaintext_are_refused() {
    let world = World::new().await;
    let create = async |kty, key_size| {
        let spec = KeySpec {
            kty,
            key_size: Some(key_size),
            curve: None,
        };
        let vaults = &world.vaults;
        vaults
            .create_key(
                &operator(),
                &world.vault,
                &world.key,
                Ok((spec, KeyChange::default())),
            )
            .await
    };
    let bad = (400, "BadParameter", None);
    let size = (400, "BadParameter", Some("KeySizeNotSupported"));
    assert_eq!(wire(create(KeyType::Ec, 384).await), bad);
    assert_eq!(wire(create(KeyType::Ec, 2048).await), size);
    assert_eq!(wire(create(KeyType::Rsa, 1024).await), size);
    assert_eq!(world.file_count(), 0);

    let created = create(KeyType::RsaHsm, 2048).await.unwrap();
    assert_eq!(created.current.kty, KeyType::RsaHsm);
    let wrap = async |length| {
        let value = vec![7; length];
        world.wrap_bytes(&created.current.kid, &value).await
    };
    assert_eq!(wrap(190).await.unwrap().len(), 256);
    assert_eq!(wire(wrap(191).await), bad);
    for garbage in [&[][..], &[0; 255], &[0xff; 256], &[0; 257]] {
        assert_eq!(wire(world.unwrap(&created.current.kid, garbage).await), bad);
    }
}

#[tokio::test]
async fn missing_private_key_is_reported_as_damage() {
    let world = World::new().await;
    let kid = world.create_key().await.unwrap().current.kid;
    let wrapped = world.wrap(&kid).await.unwrap();
    for id in world.store.vault_keys.list().unwrap() {
        world.store.vault_keys.remove(id).unwrap();
    }
    let error = refused(world.unwrap(&kid, &wrapped).await);
    assert!(matches!(error, Error::Damaged { .. }));
    assert_eq!((error.status(), error.code()), (500, "InternalServerError"));
    assert_eq!(
        error.to_string(),
        format!("the stored private key of {kid} is damaged: it is missing")
    );
}

#[tokio::test]
async fn concurrent_creations_make_two_versions() {
    let world = World::new().await;
    let (first, second) = tokio::join!(world.create_key(), world.create_key());
    let numbers = [
        first.unwrap().versions().count(),
        second.unwrap().versions().count(),
    ];
    assert!(numbers == [1, 2] || numbers == [2, 1], "{numbers:?}");
    let key = world
        .vaults
        .key(&operator(), &world.vault, &world.key)
        .await
        .unwrap();
    assert_eq!(key.versions().count(), 2);
    assert_eq!(world.file_count(), 4);
}

#[tokio::test]
async fn permission_is_judged_before_the_key_is_looked_up() {
    let world = World::new().await;
    let missing: KeyIdentifier = "kv1/missing".parse().unwrap();
    let get = async || world.vaults.get_key(&world.registry, &missing).await;
    assert_eq!(wire(get().await), (404, "KeyNotFound", None));
    world
        .vaults
        .revoke(
            &operator(),
            &world.vault,
            world.identity.principal_id,
            [sealock_vault::KeyPermission::Get].into(),
        )
        .await
        .unwrap();
    let error = refused(get().await);
    assert_eq!(
        (error.status(), error.code(), error.inner_code()),
        (403, "Forbidden", Some("ForbiddenByPolicy"))
    );
    assert!(
        error.to_string().starts_with(&format!(
            "The user, group or application 'appid={};oid={};iss=https://sts.windows.net/{}/' does not have keys get permission on key vault 'kv1;location=",
            world.identity.client_id, world.identity.principal_id, world.identity.tenant_id
        )),
        "{error}"
    );
}
