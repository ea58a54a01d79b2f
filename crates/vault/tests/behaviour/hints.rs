//! What a refusal says to do next: commands as `sealock` takes them, with the names in question.

use jiff::SignedDuration;
use sealock_vault::{
    DefaultAction, KeyChange, KeyOperation, KeyPermission, KeyType, Result, VaultChange,
    VaultSettings,
};

use crate::world::{World, operator, refused};

fn hint<T>(result: Result<T>) -> String {
    refused(result).hint().unwrap()
}

#[tokio::test]
async fn a_role_that_is_missing_can_be_assigned() {
    let settings = VaultSettings {
        rbac: true,
        ..VaultSettings::default()
    };
    let world = World::with(settings).await;
    let next = |role| {
        format!(
            "assign a role with: sealock role assign --role \"{role}\" --identity registry-identity --vault kv1"
        )
    };
    assert_eq!(
        hint(world.wrap_as(&world.caller).await),
        next("Key Vault Crypto Service Encryption User")
    );
    let vaults = &world.vaults;
    let backup = vaults.backup_key(&world.caller, &world.vault, &world.key);
    assert_eq!(hint(backup.await), next("Key Vault Crypto User"));
    let deleted = vaults.delete_key(&world.caller, &world.vault, &world.key);
    assert_eq!(hint(deleted.await), next("Key Vault Crypto Officer"));
}

#[tokio::test]
async fn a_firewall_can_be_changed() {
    let world = World::new().await;
    let change = VaultChange {
        default_action: Some(DefaultAction::Deny),
        ..VaultChange::default()
    };
    world.change_vault(change).await.unwrap();
    assert_eq!(
        hint(world.wrap_as(&world.machine()).await),
        "see from where it can be reached, and change it, with: sealock vault network kv1"
    );
}

#[tokio::test]
async fn a_key_outside_its_time_can_be_rotated_or_the_clock_looked_at() {
    let world = World::new().await;
    let hour = SignedDuration::from_hours(1);
    let change = KeyChange {
        not_before: Some(world.clock.now() + hour),
        expires: Some(world.clock.now() + hour * 2),
        ..KeyChange::default()
    };
    world.create(KeyType::Rsa, change).await.unwrap();
    let next = "rotate the key with: sealock key rotate k1 --vault kv1; or see the clock: sealock clock show";
    assert_eq!(hint(world.wrap_as(&world.caller).await), next);
    world.pass(hour * 2);
    assert_eq!(hint(world.wrap_as(&world.caller).await), next);
}

/// The version is named, since it need not be the current one.
#[tokio::test]
async fn a_key_can_be_made_to_be_for_more() {
    let world = World::new().await;
    let change = KeyChange {
        key_ops: Some(vec![KeyOperation::UnwrapKey]),
        ..KeyChange::default()
    };
    let first = world.create(KeyType::Rsa, change).await.unwrap();
    let kid = first.current.kid;
    let ec = world.create_ec_key().await.unwrap();
    assert_eq!(
        hint(world.wrap(&kid).await),
        format!(
            "have it be for wrapKey, too, with: sealock key update k1 --vault kv1 --version {} --ops unwrapKey,wrapKey",
            kid.version
        )
    );
    // No key on a curve wraps anything.
    assert_eq!(
        hint(world.wrap(&ec.current.kid).await),
        "see what it is for with: sealock key show k1 --vault kv1"
    );
}

#[tokio::test]
async fn what_is_throttled_can_be_had_later() {
    let world = World::throttled().await;
    world.grant(&[KeyPermission::Create]).await;
    let client = world.machine();
    for _ in 0..20 {
        world.create_as(&client, KeyType::Ec).await.unwrap();
    }
    world.pass(SignedDuration::from_secs(7));
    assert_eq!(
        hint(world.create_as(&client, KeyType::Ec).await),
        "let the time pass with: sealock clock advance 3s"
    );
}

/// Whether the key in its way is active or deleted.
#[tokio::test]
async fn a_name_can_be_made_free_for_a_restore() {
    let world = World::new().await;
    world.create_ec_key().await.unwrap();
    let (vaults, vault) = (&world.vaults, &world.vault);
    let backup = vaults.backup_key(&operator(), vault, &world.key).await;
    let backup = backup.unwrap();
    let restore = async || {
        let backup = Ok(backup.clone());
        vaults.restore_key(&operator(), vault, backup).await
    };
    assert_eq!(
        hint(restore().await),
        "a key of this name is there, and needs no restore if it is the one; to replace it, delete it with: sealock key delete k1 --vault kv1; then, for good, remove it with: sealock key purge k1 --vault kv1"
    );
    world.delete_key().await.unwrap();
    assert_eq!(
        hint(restore().await),
        "recover it with: sealock key recover k1 --vault kv1; or, for good, remove it with: sealock key purge k1 --vault kv1"
    );
    world.purge_key().await.unwrap();
    restore().await.unwrap();
}
