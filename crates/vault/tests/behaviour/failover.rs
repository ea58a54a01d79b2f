//! A failed-over vault, which serves from its paired region: reads and uses of keys work, changes do not.
//!
//! <https://learn.microsoft.com/azure/key-vault/general/disaster-recovery-guidance>

use std::collections::BTreeSet;

use sealock_vault::{KeyChange, KeyPermission, KeySpec, Page, RotationPolicy, State, VaultChange};

use crate::world::{SECRET, World, operator, wire};

type Wire = (u16, &'static str, Option<&'static str>);

const READ_ONLY: Wire = (403, "Forbidden", Some("VaultIsReadOnly"));

fn failed_over(failed_over: bool) -> VaultChange {
    VaultChange {
        failed_over: Some(failed_over),
        ..VaultChange::default()
    }
}

#[tokio::test]
async fn failed_over_vault_still_reads_and_uses_keys() {
    let world = World::new().await;
    let kid = world.create_key().await.unwrap().current.kid;
    world.change_vault(failed_over(true)).await.unwrap();
    let (vaults, operator, vault, key) = (&world.vaults, operator(), &world.vault, &world.key);
    let page = || {
        Ok(Page {
            after: None,
            limit: 25,
        })
    };
    let wrapped = world.wrap(&kid).await.unwrap();
    assert_eq!(*world.unwrap(&kid, &wrapped).await.unwrap(), SECRET);
    assert!(vaults.vault(&operator, vault).await.unwrap().failed_over);
    world.whole_key().await.unwrap();
    vaults.policies(&operator, vault).await.unwrap();
    vaults
        .get_key(&world.registry, &kid.identifier())
        .await
        .unwrap();
    vaults.list_keys(&operator, vault, page()).await.unwrap();
    vaults
        .list_deleted_keys(&operator, vault, page())
        .await
        .unwrap();
    vaults
        .list_versions(&operator, vault, key, page())
        .await
        .unwrap();
    vaults.rotation_policy(&operator, vault, key).await.unwrap();
    vaults.random_bytes(&operator, vault, Ok(1)).await.unwrap();
    let backup = vaults.backup_key(&operator, vault, key).await.unwrap();
    let restored = vaults.restore_key(&operator, vault, Ok(backup)).await;
    assert_eq!(wire(restored), READ_ONLY);
}

#[tokio::test]
async fn failed_over_vault_refuses_every_change_but_failing_back() {
    let world = World::new().await;
    world.create_ec_key().await.unwrap();
    let other = "k2".parse().unwrap();
    let spec = || Ok((KeySpec::default(), KeyChange::default()));
    let (vaults, operator, vault, key) = (&world.vaults, operator(), &world.vault, &world.key);
    vaults
        .create_key(&operator, vault, &other, spec())
        .await
        .unwrap();
    vaults.delete_key(&operator, vault, &other).await.unwrap();
    world.change_vault(failed_over(true)).await.unwrap();
    let before = vaults.keys(&operator, vault).await.unwrap();

    let all: BTreeSet<_> = [KeyPermission::All].into();
    let principal = world.identity.principal_id;
    let with_more = VaultChange {
        purge_protection: Some(true),
        ..failed_over(false)
    };
    let rule = VaultChange {
        add_ip_rules: ["203.0.113.7".parse().unwrap()].into(),
        ..VaultChange::default()
    };
    for (change, refused) in [
        (
            "create",
            wire(vaults.create_key(&operator, vault, key, spec()).await),
        ),
        ("update", wire(world.update(KeyChange::default()).await)),
        ("delete", wire(world.delete_key().await)),
        (
            "recover",
            wire(vaults.recover_key(&operator, vault, &other).await),
        ),
        (
            "purge",
            wire(vaults.purge_key(&operator, vault, &other).await),
        ),
        ("rotate", wire(world.rotate_key().await)),
        (
            "set rotation policy",
            wire(
                vaults
                    .set_rotation_policy(&operator, vault, key, Ok(RotationPolicy::default()))
                    .await,
            ),
        ),
        (
            "grant",
            wire(vaults.grant(&operator, vault, principal, all.clone()).await),
        ),
        (
            "revoke",
            wire(vaults.revoke(&operator, vault, principal, all).await),
        ),
        ("firewall", wire(world.change_vault(rule).await)),
        (
            "fail back and more",
            wire(world.change_vault(with_more).await),
        ),
        (
            "no change",
            wire(world.change_vault(VaultChange::default()).await),
        ),
        (
            "delete the vault",
            wire(vaults.delete_vault(&operator, vault).await),
        ),
    ] {
        assert_eq!(refused, READ_ONLY, "{change}");
    }
    assert_eq!(vaults.keys(&operator, vault).await.unwrap(), before);

    let back = world.change_vault(failed_over(false)).await.unwrap();
    assert!(!back.failed_over && back.state == State::Active && !back.purge_protection);
    world.rotate_key().await.unwrap();
}
