use sealock_store::objects;
use sealock_vault::{Error, KeyChange, KeySpec, Swept, VaultSettings};

use crate::world::{World, operator};

#[tokio::test]
async fn deleted_key_is_not_found_after_its_retention() {
    // Purge protection forbids only purges before the end of the retention.
    let world = World::with(VaultSettings {
        purge_protection: true,
        soft_delete_retention_days: 7,
        ..VaultSettings::default()
    })
    .await;
    let kid = world.create_key().await.unwrap().current.kid;
    let wrapped = world.wrap(&kid).await.unwrap();
    let (vaults, vault, key) = (&world.vaults, &world.vault, &world.key);
    vaults.delete_key(&operator(), vault, key).await.unwrap();

    world.advance_days(6);
    assert_eq!(vaults.sweep().await.unwrap(), Swept::default());
    assert!(matches!(
        world.unwrap(&kid, &wrapped).await,
        Err(Error::KeyDeleted { .. })
    ));
    world.advance_days(1);
    assert!(matches!(
        world.unwrap(&kid, &wrapped).await,
        Err(Error::KeyNotFound { .. })
    ));
    assert!(matches!(
        vaults.recover_key(&operator(), vault, key).await,
        Err(Error::KeyNotFound { .. })
    ));
    assert!(vaults.keys(&operator(), vault).await.unwrap().is_empty());
    assert_eq!(world.file_count(), 2);

    let swept = vaults.sweep().await.unwrap();
    assert_eq!((swept.vaults, swept.keys, swept.files), (0, 1, 0));
    assert_eq!(world.file_count(), 0);
}

#[tokio::test]
async fn name_is_free_after_the_retention_even_before_the_sweep() {
    let world = World::with(VaultSettings {
        soft_delete_retention_days: 7,
        ..VaultSettings::default()
    })
    .await;
    world.create_key().await.unwrap();
    let (vaults, vault, key) = (&world.vaults, &world.vault, &world.key);
    vaults.delete_key(&operator(), vault, key).await.unwrap();
    world.advance_days(7);
    let again = world.create_key().await.unwrap();
    assert_eq!(again.versions().count(), 1);
    assert_eq!(world.file_count(), 2);

    vaults.delete_vault(&operator(), vault).await.unwrap();
    world.advance_days(7);
    assert!(matches!(
        vaults.vault(&operator(), vault).await,
        Err(Error::VaultNotFound { .. })
    ));
    let settings = VaultSettings::default();
    vaults
        .create_vault(&operator(), vault, settings)
        .await
        .unwrap();
    assert_eq!(world.file_count(), 0);
    assert!(vaults.keys(&operator(), vault).await.unwrap().is_empty());
}

#[tokio::test]
async fn sweep_removes_an_expired_vault_with_its_keys() {
    let world = World::new().await;
    world.create_key().await.unwrap();
    world
        .vaults
        .delete_vault(&operator(), &world.vault)
        .await
        .unwrap();
    world.advance_days(90);
    let swept = world.vaults.sweep().await.unwrap();
    assert_eq!((swept.vaults, swept.keys, swept.files), (1, 0, 0));
    assert_eq!(world.file_count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sweep_removes_orphans_but_no_key_in_creation() {
    let world = World::new().await;
    objects::publish(&*world.store.vault_keys, b"left by a crash").unwrap();
    let creation = tokio::spawn({
        let (vaults, vault, key) = (world.vaults.clone(), world.vault.clone(), world.key.clone());
        async move {
            let asked = (KeySpec::default(), KeyChange::default());
            vaults
                .create_key(&operator(), &vault, &key, Ok(asked))
                .await
        }
    });
    let mut files = 0;
    loop {
        let finished = creation.is_finished();
        files += world.vaults.sweep().await.unwrap().files;
        if finished {
            break;
        }
    }
    let created = creation.await.unwrap().unwrap();
    assert_eq!(files, 1);
    assert_eq!(world.file_count(), 2);
    assert!(world.wrap(&created.current.kid).await.is_ok());
}
