use sealock_vault::{VaultChange, VaultSettings};

use crate::world::World;

/// <https://learn.microsoft.com/rest/api/keyvault/keys/get-key/get-key#deletionrecoverylevel>. The emulator
/// has neither vaults without soft delete nor protected subscriptions.
#[tokio::test]
async fn key_has_the_recovery_level_of_its_vault() {
    for (days, purge_protection, level) in [
        (90, false, "Recoverable+Purgeable"),
        (90, true, "Recoverable"),
        (89, false, "CustomizedRecoverable+Purgeable"),
        (89, true, "CustomizedRecoverable"),
        (7, false, "CustomizedRecoverable+Purgeable"),
        (7, true, "CustomizedRecoverable"),
    ] {
        let world = World::with(VaultSettings {
            soft_delete_retention_days: days,
            purge_protection,
            ..VaultSettings::default()
        })
        .await;
        let created = world.create_ec_key().await.unwrap().current;
        let got = world
            .vaults
            .get_key(&world.registry, &world.identifier())
            .await;
        assert_eq!(got.unwrap(), created);
        let recovery = created.attributes.recovery;
        assert_eq!((recovery.level(), u32::from(recovery.days)), (level, days));
        let deleted = world.delete_key().await.unwrap();
        let retained = deleted.scheduled_purge.unwrap() - deleted.deleted.unwrap();
        assert_eq!(retained.as_secs(), i64::from(days) * 24 * 60 * 60);
        assert_eq!(deleted.current.attributes.recovery.level(), level);
        assert_eq!(world.purge_key().await.is_err(), purge_protection);
    }
}

#[tokio::test]
async fn purge_protection_changes_the_level_of_existing_keys() {
    let world = World::new().await;
    world.create_ec_key().await.unwrap();
    let change = VaultChange {
        purge_protection: Some(true),
        ..VaultChange::default()
    };
    assert!(world.change_vault(change).await.unwrap().purge_protection);
    let shown = world.whole_key().await.unwrap();
    assert_eq!(shown.current.attributes.recovery.level(), "Recoverable");
}
