use std::ops::Bound;

use futures_util::StreamExt as _;
use sealock_core::VaultName;
use sealock_store::Table;
use sealock_vault::{
    Error, KeyChange, KeyPermission, KeyType, NetworkAcls, RotationPolicy, State, VaultChange,
    VaultProperties, VaultSettings, VirtualNetworkRule, operation::PatchVault,
};
use serde_json::Value;
use uuid::Uuid;

use crate::world::{SECRET, World, operator, refused, wire};

#[tokio::test]
async fn deleted_vault_holds_its_name_and_is_not_found() {
    let world = World::new().await;
    let kid = world.create_key().await.unwrap().current.kid;
    let wrapped = world.wrap(&kid).await.unwrap();
    let (vaults, vault) = (&world.vaults, &world.vault);
    let create = async || {
        let settings = VaultSettings::default();
        vaults.create_vault(&operator(), vault, settings).await
    };
    assert_eq!(wire(create().await), (409, "VaultAlreadyExists", None));

    let deleted = vaults.delete_vault(&operator(), vault).await.unwrap();
    assert_eq!(deleted.state, State::Deleted);
    assert_eq!(vaults.vaults(&operator()).await.unwrap(), [deleted]);
    let error = refused(world.unwrap(&kid, &wrapped).await);
    assert!(matches!(error, Error::VaultDeleted { .. }));
    let error = refused(create().await);
    assert!(matches!(error, Error::VaultNameReserved { .. }));
    assert_eq!(
        wire(vaults.keys(&operator(), vault).await),
        (404, "VaultNotFound", None)
    );

    vaults.recover_vault(&operator(), vault).await.unwrap();
    assert_eq!(*world.unwrap(&kid, &wrapped).await.unwrap(), SECRET);
}

#[tokio::test]
async fn purging_a_vault_purges_its_keys_and_policies() {
    let world = World::new().await;
    let kid = world.create_key().await.unwrap().current.kid;
    let (vaults, vault) = (&world.vaults, &world.vault);
    assert_eq!(
        wire(vaults.purge_vault(&operator(), vault).await),
        (404, "DeletedVaultNotFound", None)
    );
    vaults.delete_vault(&operator(), vault).await.unwrap();
    vaults.purge_vault(&operator(), vault).await.unwrap();
    assert_eq!(world.file_count(), 0);
    assert!(vaults.vaults(&operator()).await.unwrap().is_empty());

    vaults
        .create_vault(&operator(), vault, VaultSettings::default())
        .await
        .unwrap();
    assert!(
        vaults
            .policies(&operator(), vault)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(vaults.keys(&operator(), vault).await.unwrap().is_empty());
    assert_eq!(
        wire(world.wrap(&kid).await),
        (403, "Forbidden", Some("ForbiddenByPolicy"))
    );
}

#[tokio::test]
async fn purge_protection_refuses_both_purges() {
    let world = World::with(VaultSettings {
        purge_protection: true,
        ..VaultSettings::default()
    })
    .await;
    world.create_key().await.unwrap();
    let (vaults, vault, key) = (&world.vaults, &world.vault, &world.key);
    vaults.delete_key(&operator(), vault, key).await.unwrap();
    let error = refused(vaults.purge_key(&operator(), vault, key).await);
    assert_eq!((error.status(), error.code()), (403, "Forbidden"));
    assert!(
        error
            .to_string()
            .starts_with("Operation \"purge\" is not allowed because purge protection is enabled"),
        "{error}"
    );
    vaults.delete_vault(&operator(), vault).await.unwrap();
    let error = refused(vaults.purge_vault(&operator(), vault).await);
    assert!(matches!(error, Error::VaultPurgeProtected { .. }));
    assert_eq!(world.file_count(), 2);
}

#[tokio::test]
async fn retention_out_of_bounds_is_refused() {
    let world = World::new().await;
    for (days, served) in [(0, false), (6, false), (7, true), (90, true), (91, false)] {
        let settings = VaultSettings {
            soft_delete_retention_days: days,
            ..VaultSettings::default()
        };
        let name: VaultName = format!("kv-{days}d").parse().unwrap();
        let created = world
            .vaults
            .create_vault(&operator(), &name, settings)
            .await;
        assert_eq!(created.is_ok(), served, "{days} days");
    }
}

#[tokio::test]
async fn principal_may_not_manage_vaults_and_policies() {
    let world = World::new().await;
    let (vaults, vault, caller) = (&world.vaults, &world.vault, &world.registry);
    let name: VaultName = "kv2".parse().unwrap();
    let principal = world.identity.principal_id;
    let refused = (403, "AuthorizationFailed", None);
    let create = vaults.create_vault(caller, &name, VaultSettings::default());
    assert_eq!(wire(create.await), refused);
    assert_eq!(wire(vaults.delete_vault(caller, vault).await), refused);
    let grant = vaults.grant(caller, vault, principal, [KeyPermission::All].into());
    assert_eq!(wire(grant.await), refused);
    assert_eq!(wire(vaults.policies(caller, vault).await), refused);
}

#[tokio::test]
async fn grants_accumulate_and_revocations_keep_the_rest() {
    use KeyPermission::{Get, List, UnwrapKey, WrapKey};

    let world = World::new().await;
    let (vaults, vault) = (&world.vaults, &world.vault);
    let principal = world.identity.principal_id;
    let granted = vaults
        .grant(&operator(), vault, principal, [List].into())
        .await
        .unwrap();
    assert_eq!(
        granted.permissions.key_permissions(),
        [Get, List, WrapKey, UnwrapKey].into()
    );
    assert_eq!(
        vaults.policies(&operator(), vault).await.unwrap(),
        [granted]
    );

    let remaining = vaults
        .revoke(&operator(), vault, principal, [List, WrapKey].into())
        .await
        .unwrap();
    assert_eq!(remaining.principal, principal);
    assert_eq!(
        remaining.permissions.key_permissions(),
        [Get, UnwrapKey].into()
    );
    let remaining = vaults
        .revoke(&operator(), vault, principal, [Get, UnwrapKey].into())
        .await
        .unwrap();
    assert!(remaining.permissions.key_permissions().is_empty());
    assert!(
        vaults
            .policies(&operator(), vault)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn purged_vault_leaves_no_records() {
    const TABLES: [&str; 8] = [
        "vaults",
        "keys",
        "key-versions",
        "key-tags",
        "rotation-policies",
        "access-policies",
        "ip-rules",
        "virtual-network-rules",
    ];
    let world = World::new().await;
    let (vaults, vault, key) = (&world.vaults, &world.vault, &world.key);
    let records = async || {
        let mut counts = Vec::new();
        for table in TABLES {
            let table: Table<Value> = Table::control(table);
            let records = world.store.scan(&table, &[], Bound::Unbounded);
            counts.push(records.count().await);
        }
        counts
    };
    let change = KeyChange {
        tags: Some([("owner".to_owned(), "someone".to_owned())].into()),
        ..KeyChange::default()
    };
    world.create(KeyType::Ec, change).await.unwrap();
    let policy = Ok(RotationPolicy::default());
    vaults
        .set_rotation_policy(&operator(), vault, key, policy)
        .await
        .unwrap();
    let change = VaultChange {
        add_ip_rules: ["203.0.113.7".parse().unwrap()].into(),
        ..VaultChange::default()
    };
    world.change_vault(change).await.unwrap();
    let subnets = NetworkAcls {
        virtual_network_rules: Some(vec![VirtualNetworkRule {
            id: "subnet1".to_owned(),
            ignore_missing_service_endpoint: None,
        }]),
        ..NetworkAcls::default()
    };
    let change = VaultProperties {
        network: Some(subnets),
        ..VaultProperties::default()
    };
    let operator = operator();
    let permit = vaults.authorize(&operator, PatchVault, vault.clone());
    permit.await.unwrap().run(change).await.unwrap();
    assert_eq!(records().await, [1; 8]);
    vaults.delete_vault(&operator, vault).await.unwrap();
    assert_eq!(records().await, [1; 8]);
    vaults.purge_vault(&operator, vault).await.unwrap();
    assert_eq!(records().await, [0; 8]);
}

#[tokio::test]
async fn access_policy_beyond_1024_is_refused() {
    let world = World::new().await;
    let grant = async |principal: u128| {
        let (vaults, permissions) = (&world.vaults, [KeyPermission::Get].into());
        let principal = Uuid::from_u128(principal).to_string().parse().unwrap();
        vaults
            .grant(&operator(), &world.vault, principal, permissions)
            .await
    };
    for principal in 1..1024 {
        grant(principal).await.unwrap();
    }
    assert_eq!(wire(grant(1024).await), (400, "BadParameter", None));
    grant(1023).await.unwrap();
    world.revoke(KeyPermission::Get).await;
    world.revoke(KeyPermission::WrapKey).await;
    world.revoke(KeyPermission::UnwrapKey).await;
    grant(1024).await.unwrap();
}
