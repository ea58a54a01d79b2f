//! What a refusal tells, so that a caller knows what to do next.

use jiff::SignedDuration;
use sealock_vault::{
    Error, KeyChange, KeyOperation, KeyPermission, KeyType, Result, State, VaultSettings,
    least_role,
};

use crate::world::{World, operator, refused};

/// The role that would permit what was refused.
fn missing_role<T>(result: Result<T>) -> String {
    match refused(result) {
        Error::ForbiddenByRbac { action, .. } => least_role(action).to_string(),
        error => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_missing_role_is_the_least_that_permits_the_operation() {
    let settings = VaultSettings {
        rbac: true,
        ..VaultSettings::default()
    };
    let world = World::with(settings).await;
    assert_eq!(
        missing_role(world.wrap_as(&world.caller).await),
        "Key Vault Crypto Service Encryption User"
    );
    let vaults = &world.vaults;
    let backup = vaults.backup_key(&world.caller, &world.vault, &world.key);
    assert_eq!(missing_role(backup.await), "Key Vault Crypto User");
    let deleted = vaults.delete_key(&world.caller, &world.vault, &world.key);
    assert_eq!(missing_role(deleted.await), "Key Vault Crypto Officer");
}

/// The version is named, since it need not be the current one.
#[tokio::test]
async fn a_forbidden_operation_tells_the_version_and_what_it_would_have_to_be_for() {
    let world = World::new().await;
    let change = KeyChange {
        key_ops: Some(vec![KeyOperation::UnwrapKey]),
        ..KeyChange::default()
    };
    let first = world.create(KeyType::Rsa, change).await.unwrap();
    let ec = world.create_ec_key().await.unwrap();
    let told = |error| match error {
        Error::KeyOperationForbidden { kid, wider, .. } => (kid, wider),
        error => panic!("{error}"),
    };
    let both = vec![KeyOperation::UnwrapKey, KeyOperation::WrapKey];
    assert_eq!(
        told(refused(world.wrap(&first.current.kid).await)),
        (first.current.kid, Some(both))
    );
    // No key on a curve wraps anything.
    assert_eq!(
        told(refused(world.wrap(&ec.current.kid).await)),
        (ec.current.kid, None)
    );
}

#[tokio::test]
async fn a_throttled_request_tells_when_it_can_be_tried_again() {
    let world = World::throttled().await;
    world.grant(&[KeyPermission::Create]).await;
    let client = world.machine();
    for _ in 0..20 {
        world.create_as(&client, KeyType::Ec).await.unwrap();
    }
    world.pass(SignedDuration::from_secs(7));
    let error = refused(world.create_as(&client, KeyType::Ec).await);
    assert!(matches!(error, Error::Throttled { retry_after: 3 }));
}

#[tokio::test]
async fn a_restore_is_possible_once_the_name_is_free() {
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
