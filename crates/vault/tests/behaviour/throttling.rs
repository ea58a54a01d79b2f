//! The requests that count against a vault's limits, and their weights.

use jiff::SignedDuration;
use sealock_vault::{
    Error, ImportedKey, KeyChange, KeyPermission, KeyType, Requester, Result, VaultSettings,
};

use crate::world::{World, operator, wire};

const THROTTLED: (u16, &str, Option<&str>) = (429, "Throttled", None);

/// A throttled world whose identity has all permissions.
async fn world() -> World {
    let world = World::throttled().await;
    world.grant(&[KeyPermission::All]).await;
    world
}

/// Repeats a request until it is throttled, and returns how often it was served.
async fn count_until_throttled<T>(mut ask: impl AsyncFnMut() -> Result<T>) -> usize {
    for count in 0..5000 {
        match ask().await {
            Ok(_) => {}
            Err(Error::Throttled { .. }) => return count,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("expected the limit to be reached")
}

fn advance(world: &World, seconds: i64) {
    world.advance(SignedDuration::from_secs(seconds));
}

#[tokio::test]
async fn creations_are_counted_by_type_in_a_limit_of_their_own() {
    let world = world().await;
    let (vaults, client) = (&world.vaults, &world.machine());
    let create =
        async |kty| count_until_throttled(async || world.create_as(client, kty).await).await;
    assert_eq!(create(KeyType::Ec).await, 20);
    assert_eq!(create(KeyType::EcHsm).await, 0);
    vaults.get_key(client, &world.identifier()).await.unwrap();
    advance(&world, 10);
    assert_eq!(create(KeyType::EcHsm).await, 10);
    advance(&world, 10);
    let rotate = async || vaults.rotate_key(client, &world.vault, &world.key).await;
    assert_eq!(
        count_until_throttled(rotate).await,
        10,
        "a rotation weighs as much as the existing key"
    );
    assert_eq!(create(KeyType::Ec).await, 0);
}

/// All key types weigh the same.
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
    assert_eq!(count_until_throttled(import).await, 300);
    world.create_as(client, KeyType::Ec).await.unwrap();
}

#[tokio::test]
async fn requests_are_counted_by_the_type_of_the_key() {
    let world = world().await;
    let (vaults, client) = (&world.vaults, &world.machine());
    let get = async || vaults.get_key(client, &world.identifier()).await;
    for (kty, limit) in [(KeyType::Ec, 4000), (KeyType::EcHsm, 2000)] {
        world.create_as(&operator(), kty).await.unwrap();
        assert_eq!(count_until_throttled(get).await, limit, "{kty}");
        advance(&world, 10);
    }
    // A request for a version has the weight of that version's type.
    let first = world.whole_key().await.unwrap();
    let first = first.versions().last().unwrap().kid.identifier();
    let get = async || vaults.get_key(client, &first).await;
    assert_eq!(count_until_throttled(get).await, 4000);
}

/// Throttling would hinder the operator, and revoke registries.
#[tokio::test]
async fn operator_and_registries_are_not_throttled() {
    let world = world().await;
    let create = async |requester: &Requester| world.create_as(requester, KeyType::Ec).await;
    for requester in [operator(), world.registry.clone()] {
        for _ in 0..21 {
            create(&requester).await.unwrap();
        }
    }
    let client = world.machine();
    assert_eq!(
        count_until_throttled(async || create(&client).await).await,
        20
    );
    for requester in [operator(), world.registry.clone()] {
        create(&requester).await.unwrap();
    }
}

#[tokio::test]
async fn requests_without_a_token_are_not_counted() {
    let world = world().await;
    let (vaults, client) = (&world.vaults, &world.machine());
    for _ in 0..4001 {
        vaults
            .record_unauthenticated(&client.client, &world.vault, "")
            .await
            .unwrap();
    }
    let random = async || vaults.random_bytes(client, &world.vault, Ok(1)).await;
    assert_eq!(count_until_throttled(random).await, 4000);
}

#[tokio::test]
async fn each_vault_is_counted_separately() {
    let world = world().await;
    let (vaults, client) = (&world.vaults, &world.machine());
    let random = async |vault| vaults.random_bytes(client, vault, Ok(1)).await;
    let other = "kv2".parse().unwrap();
    vaults
        .create_vault(&operator(), &other, VaultSettings::default())
        .await
        .unwrap();
    assert_eq!(
        count_until_throttled(async || random(&world.vault).await).await,
        4000
    );
    random(&other).await.unwrap();
    vaults
        .delete_vault(&operator(), &world.vault)
        .await
        .unwrap();
    let refused = wire(random(&world.vault).await);
    assert_eq!(refused, (404, "VaultNotFound", None));
}

#[tokio::test]
async fn refused_requests_are_counted() {
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
async fn throttled_request_is_audited_without_a_decision() {
    let world = world().await;
    let create = async || world.create_as(&world.machine(), KeyType::Ec).await;
    assert_eq!(count_until_throttled(create).await, 20);
    let event = world.audit_events().pop().unwrap();
    assert_eq!(event.operation_name, "KeyCreate");
    assert_eq!(event.result_signature, "TooManyRequests");
    assert_eq!(event.identity.claim.oid, Some(world.identity.principal_id));
    let properties = &event.properties;
    assert_eq!(properties.http_status_code, 429);
    assert_eq!(properties.is_address_authorized, None);
    assert_eq!(properties.is_access_policy_match, None);
}

#[tokio::test]
async fn throttling_is_off_by_default() {
    let world = World::new().await;
    world.grant(&[KeyPermission::All]).await;
    for _ in 0..21 {
        let client = world.machine();
        world.create_as(&client, KeyType::Ec).await.unwrap();
    }
}
