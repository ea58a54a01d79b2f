//! Which requests a vault counts, and as how much.

use jiff::SignedDuration;
use sealock_vault::{
    Error, ImportedKey, KeyChange, KeyPermission, KeyType, Requester, Result, VaultSettings,
};

use crate::world::{World, operator, wire};

const THROTTLED: (u16, &str, Option<&str>) = (429, "Throttled", None);

/// One in which the identity may do everything.
async fn world() -> World {
    let world = World::throttled().await;
    world.grant(&[KeyPermission::All]).await;
    world
}

/// How often it is served before it is throttled.
async fn served<T>(mut ask: impl AsyncFnMut() -> Result<T>) -> usize {
    for count in 0..5000 {
        match ask().await {
            Ok(_) => {}
            Err(Error::Throttled { .. }) => return count,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("this should have been throttled")
}

fn pass(world: &World, seconds: i64) {
    world.pass(SignedDuration::from_secs(seconds));
}

#[tokio::test]
async fn what_is_created_is_counted_by_its_type_and_apart_from_the_rest() {
    let world = world().await;
    let (vaults, client) = (&world.vaults, &world.machine());
    let create = async |kty| served(async || world.create_as(client, kty).await).await;
    assert_eq!(create(KeyType::Ec).await, 20);
    assert_eq!(create(KeyType::EcHsm).await, 0);
    vaults.get_key(client, &world.identifier()).await.unwrap();
    pass(&world, 10);
    assert_eq!(create(KeyType::EcHsm).await, 10);
    pass(&world, 10);
    let rotate = async || vaults.rotate_key(client, &world.vault, &world.key).await;
    assert_eq!(served(rotate).await, 10, "of the key that is there");
    assert_eq!(create(KeyType::Ec).await, 0);
}

/// Whatever their type is.
#[tokio::test]
async fn imports_have_a_limit_of_their_own() {
    let world = world().await;
    let (vaults, client) = (&world.vaults, &world.machine());
    let import = async || {
        let imported = ImportedKey {
            key: serde_json::from_str(r#"{"kty":"oct","k":"AAECAwQFBgcICQoLDA0ODw"}"#)?,
            hsm: true,
            change: KeyChange::default(),
        };
        let imported = Ok(imported);
        vaults
            .import_key(client, &world.vault, &world.key, imported)
            .await
    };
    assert_eq!(served(import).await, 300);
    world.create_as(client, KeyType::Ec).await.unwrap();
}

#[tokio::test]
async fn what_is_asked_of_a_key_is_counted_by_the_keys_type() {
    let world = world().await;
    let (vaults, client) = (&world.vaults, &world.machine());
    let get = async || vaults.get_key(client, &world.identifier()).await;
    for (kty, most) in [(KeyType::Ec, 4000), (KeyType::EcHsm, 2000)] {
        world.create_as(&operator(), kty).await.unwrap();
        assert_eq!(served(get).await, most, "{kty}");
        pass(&world, 10);
    }
    // The version counts, if one is named.
    let first = world.shown().await.unwrap();
    let first = first.versions().last().unwrap().kid.identifier();
    let get = async || vaults.get_key(client, &first).await;
    assert_eq!(served(get).await, 4000);
}

/// The operator would be hindered, and a registry revoked.
#[tokio::test]
async fn only_clients_are_counted_and_throttled() {
    let world = world().await;
    let create = async |requester: &Requester| world.create_as(requester, KeyType::Ec).await;
    for requester in [operator(), world.caller.clone()] {
        for _ in 0..21 {
            create(&requester).await.unwrap();
        }
    }
    let client = world.machine();
    assert_eq!(served(async || create(&client).await).await, 20);
    for requester in [operator(), world.caller.clone()] {
        create(&requester).await.unwrap();
    }
}

#[tokio::test]
async fn whoever_brings_no_token_uses_up_nothing() {
    let world = world().await;
    let (vaults, client) = (&world.vaults, &world.machine());
    for _ in 0..4001 {
        vaults
            .record_unauthenticated(&client.client, &world.vault, String::new())
            .await
            .unwrap();
    }
    let random = async || vaults.random_bytes(client, &world.vault, Ok(1)).await;
    assert_eq!(served(random).await, 4000);
}

#[tokio::test]
async fn vaults_are_counted_one_by_one() {
    let world = world().await;
    let (vaults, client) = (&world.vaults, &world.machine());
    let random = async |vault| vaults.random_bytes(client, vault, Ok(1)).await;
    let other = "kv2".parse().unwrap();
    vaults
        .create_vault(&operator(), &other, VaultSettings::default())
        .await
        .unwrap();
    assert_eq!(served(async || random(&world.vault).await).await, 4000);
    random(&other).await.unwrap();
    vaults
        .delete_vault(&operator(), &world.vault)
        .await
        .unwrap();
    let refused = wire(random(&world.vault).await);
    assert_eq!(refused, (404, "VaultNotFound", None));
}

#[tokio::test]
async fn what_is_refused_for_another_reason_counts() {
    let world = world().await;
    world.revoke(KeyPermission::All).await;
    let create = async || wire(world.create_as(&world.machine(), KeyType::Ec).await);
    for _ in 0..20 {
        assert_eq!(
            create().await,
            (403, "Forbidden", Some("ForbiddenByPolicy"))
        );
    }
    assert_eq!(create().await, THROTTLED);
}

#[tokio::test]
async fn a_throttled_request_is_recorded_as_one_that_was_not_judged() {
    let world = world().await;
    let create = async || world.create_as(&world.machine(), KeyType::Ec).await;
    assert_eq!(served(create).await, 20);
    let event = world.audit().pop().unwrap();
    assert_eq!(event.operation_name, "KeyCreate");
    assert_eq!(event.result_signature, "TooManyRequests");
    assert_eq!(event.identity.claim.oid, Some(world.identity.principal_id));
    let properties = &event.properties;
    assert_eq!(properties.http_status_code, 429);
    assert_eq!(properties.is_address_authorized, None);
    assert_eq!(properties.is_access_policy_match, None);
}

#[tokio::test]
async fn nothing_is_throttled_unless_it_is_said() {
    let world = World::new().await;
    world.grant(&[KeyPermission::All]).await;
    for _ in 0..21 {
        let client = world.machine();
        world.create_as(&client, KeyType::Ec).await.unwrap();
    }
}
