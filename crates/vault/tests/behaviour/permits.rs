//! A permit between the authorization and the end of its operation.

use sealock_vault::{
    EncryptionAlgorithm, Error, KeyPermission,
    operation::{GetRandomBytes, UnwrapKey, WrapKey},
};
use zeroize::Zeroizing;

use crate::world::{SECRET, World, wire};

const ALGORITHM: EncryptionAlgorithm = EncryptionAlgorithm::RsaOaep256;

#[tokio::test]
async fn key_disabled_after_the_authorization_is_not_used() {
    let world = World::new().await;
    let kid = world.create_key().await.unwrap().current.kid;
    let wrapped = world.wrap(&kid).await.unwrap();
    let permit = world
        .vaults
        .authorize(&world.registry, UnwrapKey, kid.identifier());
    let permit = permit.await.unwrap();
    world.set_enabled(&kid, false).await.unwrap();

    let unwrapped = permit.run(ALGORITHM, wrapped).await;
    assert_eq!(wire(unwrapped), (403, "Forbidden", Some("KeyDisabled")));
    let event = world.audit_events().pop().unwrap();
    assert_eq!(event.operation_name, "KeyUnwrap");
    assert_eq!(event.result_signature, "Forbidden");
}

#[tokio::test]
async fn permission_revoked_after_the_authorization_refuses_the_use() {
    let world = World::new().await;
    let kid = world.create_key().await.unwrap().current.kid;
    let permit = world
        .vaults
        .authorize(&world.registry, WrapKey, kid.identifier());
    let permit = permit.await.unwrap();
    world.revoke(KeyPermission::WrapKey).await;

    let wrapped = permit.run(ALGORITHM, Zeroizing::new(SECRET.to_vec()));
    let forbidden = (403, "Forbidden", Some("ForbiddenByPolicy"));
    assert_eq!(wire(wrapped.await), forbidden);
}

#[tokio::test]
async fn unreadable_parameters_leave_one_refusal() {
    let world = World::new().await;
    let machine = world.machine();
    let permit = world
        .vaults
        .authorize(&machine, GetRandomBytes, world.vault.clone());
    let permit = permit.await.unwrap();
    let before = world.audit_events().len();
    let unreadable = Error::BadParameter("no number".to_owned());
    let parsed = permit.parse(async { Err::<usize, _>(unreadable) }).await;

    assert!(matches!(parsed, Err(Error::BadParameter(_))));
    let events = world.audit_events();
    assert_eq!(events.len(), before + 1);
    assert_eq!(events[before].result_signature, "BadRequest");
}
