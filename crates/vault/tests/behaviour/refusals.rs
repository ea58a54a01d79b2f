//! Refusals with the details that a caller needs for its next step.

use jiff::SignedDuration;
use sealock_vault::{Error, KeyPermission, KeyType, State};

use crate::world::{World, operator, refused};

#[tokio::test]
async fn throttled_request_gets_the_time_to_retry() {
    let world = World::throttled().await;
    world.grant(&[KeyPermission::Create]).await;
    let client = world.machine();
    for _ in 0..20 {
        world.create_as(&client, KeyType::Ec).await.unwrap();
    }
    world.advance(SignedDuration::from_secs(7));
    let error = refused(world.create_as(&client, KeyType::Ec).await);
    assert!(matches!(error, Error::Throttled { retry_after: 3 }));
}

#[tokio::test]
async fn restore_conflicts_until_the_name_is_free() {
    let world = World::new().await;
    world.create_ec_key().await.unwrap();
    let (vaults, vault) = (&world.vaults, &world.vault);
    let backup = vaults.backup_key(&operator(), vault, &world.key).await;
    let backup = backup.unwrap();
    let restore = async || {
        let backup = Ok(backup.clone());
        vaults.restore_key(&operator(), vault, backup).await
    };
    let state = async || match refused(restore().await) {
        Error::RestoreConflict { state, .. } => state,
        error => panic!("{error}"),
    };
    assert_eq!(state().await, State::Active);
    world.delete_key().await.unwrap();
    assert_eq!(state().await, State::Deleted);
    world.purge_key().await.unwrap();
    restore().await.unwrap();
}
