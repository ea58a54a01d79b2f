//! A request with several faults gets the refusal that comes first in Azure's order: vault, network, permission, lookup,
//! state, parameters.

use sealock_core::{KeyIdentifier, VaultName};
use sealock_vault::{
    DefaultAction, Error, KeyChange, KeyOperation, KeyPermission, KeySpec, KeyType, Page,
    VaultChange, VaultSettings, VaultSku,
};

use crate::world::{World, operator, wire};

type Wire = (u16, &'static str, Option<&'static str>);

const NO_VAULT: Wire = (404, "VaultNotFound", None);
const FIREWALL: Wire = (403, "Forbidden", Some("ForbiddenByFirewall"));
const DENIED: Wire = (403, "Forbidden", Some("ForbiddenByPolicy"));
const READ_ONLY: Wire = (403, "Forbidden", Some("VaultIsReadOnly"));
const MISSING: Wire = (404, "KeyNotFound", None);
const DISABLED: Wire = (403, "Forbidden", Some("KeyDisabled"));
const FORBIDDEN: Wire = (403, "Forbidden", Some("KeyOperationForbidden"));
const HELD: Wire = (409, "Conflict", Some("ObjectIsDeletedButRecoverable"));
const BAD: Wire = (400, "BadParameter", None);

/// A parameter that cannot be parsed.
fn unreadable<T>() -> Result<T, Error> {
    Err(Error::BadParameter("unreadable".to_owned()))
}

/// Wraps and creates with parameters that cannot be parsed, and returns both refusals.
async fn wrap_and_create(world: &World, key: &str) -> (Wire, Wire) {
    let identifier: KeyIdentifier = key.parse().unwrap();
    let (vaults, requester) = (&world.vaults, world.machine());
    let operation = KeyOperation::WrapKey;
    let wrapped = vaults
        .use_key(&requester, &identifier, operation, unreadable())
        .await;
    let created = vaults
        .create_key(&requester, &identifier.vault, &identifier.key, unreadable())
        .await;
    (wire(wrapped), wire(created))
}

#[tokio::test]
async fn request_with_many_faults_is_refused_for_the_first() {
    let world = World::new().await;
    world.revoke(KeyPermission::All).await;
    let firewall = |default_action| VaultChange {
        default_action: Some(default_action),
        ..VaultChange::default()
    };
    let failed_over = |failed_over| VaultChange {
        failed_over: Some(failed_over),
        ..VaultChange::default()
    };
    world
        .change_vault(firewall(DefaultAction::Deny))
        .await
        .unwrap();
    assert_eq!(
        wrap_and_create(&world, "kv2/k1").await,
        (NO_VAULT, NO_VAULT)
    );
    // Each step removes the fault that was reported.
    assert_eq!(
        wrap_and_create(&world, "kv1/k1").await,
        (FIREWALL, FIREWALL)
    );
    world
        .change_vault(firewall(DefaultAction::Allow))
        .await
        .unwrap();
    assert_eq!(wrap_and_create(&world, "kv1/k1").await, (DENIED, DENIED));

    world
        .grant(&[KeyPermission::WrapKey, KeyPermission::Create])
        .await;
    world.change_vault(failed_over(true)).await.unwrap();
    assert_eq!(
        wrap_and_create(&world, "kv1/k1").await,
        (MISSING, READ_ONLY)
    );
    world.change_vault(failed_over(false)).await.unwrap();
    let kid = world.create_ec_key().await.unwrap().current.kid;
    world.set_enabled(&kid, false).await.unwrap();
    assert_eq!(wrap_and_create(&world, "kv1/k1").await, (DISABLED, BAD));
    world.set_enabled(&kid, true).await.unwrap();
    assert_eq!(wrap_and_create(&world, "kv1/k1").await, (FORBIDDEN, BAD));
    world.delete_key().await.unwrap();
    assert_eq!(wrap_and_create(&world, "kv1/k1").await, (MISSING, HELD));
    world.purge_key().await.unwrap();
    world.create_key().await.unwrap();
    assert_eq!(wrap_and_create(&world, "kv1/k1").await, (BAD, BAD));
}

#[tokio::test]
async fn api_version_is_judged_after_the_permission_and_before_the_key() {
    let world = World::new().await;
    world.revoke(KeyPermission::All).await;
    let get = async |version: Option<&str>| {
        let mut client = world.machine();
        client.client.api_version = version.map(str::to_owned);
        wire(world.vaults.get_key(&client, &world.identifier()).await)
    };
    for bad in [None, Some("latest")] {
        assert_eq!(get(bad).await, DENIED);
    }
    world.grant(&[KeyPermission::Get]).await;
    for bad in [None, Some("latest")] {
        assert_eq!(get(bad).await, BAD);
    }
    assert_eq!(get(Some("7.4")).await, MISSING);
}

/// The refusal is the same for an existing and a missing key, and for any parameters.
#[tokio::test]
async fn caller_without_permission_learns_nothing_about_a_key() {
    let world = World::new().await;
    world.revoke(KeyPermission::All).await;
    world.create_ec_key().await.unwrap();
    let (vaults, caller) = (&world.vaults, &world.registry);
    for name in ["k1", "k2"] {
        let (vault, key): (&VaultName, _) = (&world.vault, &name.parse().unwrap());
        let id: KeyIdentifier = format!("kv1/{name}").parse().unwrap();
        let page = || unreadable::<Page>();
        for (operation, refused) in [
            ("get", wire(vaults.get_key(caller, &id).await)),
            ("key", wire(vaults.key(caller, vault, key).await)),
            ("keys", wire(vaults.list_keys(caller, vault, page()).await)),
            (
                "deleted keys",
                wire(vaults.list_deleted_keys(caller, vault, page()).await),
            ),
            (
                "versions",
                wire(vaults.list_versions(caller, vault, key, page()).await),
            ),
            (
                "deleted key",
                wire(vaults.deleted_key(caller, vault, key).await),
            ),
            (
                "create",
                wire(vaults.create_key(caller, vault, key, unreadable()).await),
            ),
            (
                "import",
                wire(vaults.import_key(caller, vault, key, unreadable()).await),
            ),
            (
                "update",
                wire(vaults.update_key(caller, &id, unreadable()).await),
            ),
            ("delete", wire(vaults.delete_key(caller, vault, key).await)),
            (
                "recover",
                wire(vaults.recover_key(caller, vault, key).await),
            ),
            ("purge", wire(vaults.purge_key(caller, vault, key).await)),
            ("backup", wire(vaults.backup_key(caller, vault, key).await)),
            (
                "restore",
                wire(vaults.restore_key(caller, vault, unreadable()).await),
            ),
            ("rotate", wire(vaults.rotate_key(caller, vault, key).await)),
            (
                "rotation policy",
                wire(vaults.rotation_policy(caller, vault, key).await),
            ),
            (
                "set rotation policy",
                wire(
                    vaults
                        .set_rotation_policy(caller, vault, key, unreadable())
                        .await,
                ),
            ),
        ] {
            assert_eq!(refused, DENIED, "{operation} {name}");
        }
        for operation in [
            KeyOperation::Encrypt,
            KeyOperation::Decrypt,
            KeyOperation::WrapKey,
            KeyOperation::UnwrapKey,
            KeyOperation::Sign,
            KeyOperation::Verify,
            KeyOperation::Export,
        ] {
            let used = vaults.use_key(caller, &id, operation, unreadable()).await;
            assert_eq!(wire(used), DENIED, "{operation} {name}");
        }
    }
    let shown = world.whole_key().await.unwrap();
    assert_eq!(
        shown.versions().count(),
        1,
        "a refused request changed the key"
    );
}

/// The key's name is in the backup, so it is judged before the other parameters.
#[tokio::test]
async fn restore_over_a_used_name_is_refused_before_the_key_type() {
    let standard = VaultSettings {
        sku: VaultSku::Standard,
        ..VaultSettings::default()
    };
    let world = World::new().await;
    let (vaults, vault) = (&world.vaults, "kv2".parse().unwrap());
    vaults
        .create_vault(&operator(), &vault, standard)
        .await
        .unwrap();
    world
        .create(KeyType::EcHsm, KeyChange::default())
        .await
        .unwrap();
    let backup = vaults
        .backup_key(&operator(), &world.vault, &world.key)
        .await
        .unwrap();
    let restore = async || {
        let backup = Ok(backup.clone());
        wire(vaults.restore_key(&operator(), &vault, backup).await)
    };
    assert_eq!(restore().await, BAD);
    let spec = KeySpec {
        kty: KeyType::Ec,
        ..KeySpec::default()
    };
    vaults
        .create_key(
            &operator(),
            &vault,
            &world.key,
            Ok((spec, KeyChange::default())),
        )
        .await
        .unwrap();
    assert_eq!(restore().await, (409, "Conflict", None));
}
