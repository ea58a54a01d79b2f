//! What the audit log tells of who asked, from where, and what decided.

use std::net::{IpAddr, Ipv4Addr};

use sealock_entra::{Role, SUBSCRIPTION};
use sealock_vault::{AuditEvent, Bypass, DefaultAction, KeyPermission, Requester, VaultChange};
use uuid::Uuid;

use crate::world::{World, operator};

/// `isAccessPolicyMatch`, `isRbacAuthorized`, `isAddressAuthorized` and `addressAuthorizationType`.
type Evidence<'a> = (Option<bool>, Option<bool>, Option<bool>, Option<&'a str>);

fn evidence(event: &AuditEvent) -> Evidence<'_> {
    let properties = &event.properties;
    (
        properties.is_access_policy_match,
        properties.is_rbac_authorized,
        properties.is_address_authorized,
        properties.address_authorization_type.as_deref(),
    )
}

#[tokio::test]
async fn a_record_tells_what_decided() {
    const YES: Option<bool> = Some(true);
    const NO: Option<bool> = Some(false);
    const PUBLIC: Option<&str> = Some("PublicIP");
    const TRUSTED: Option<&str> = Some("TrustedService");

    let world = World::new().await;
    world.create_key().await.unwrap();
    let tells = async |requester: &Requester, status, expected: Evidence<'_>| {
        let _ = world.wrap_as(requester).await;
        let event = world.audit().pop().unwrap();
        assert_eq!(event.operation_name, "KeyWrap");
        assert_eq!(event.properties.http_status_code, status);
        assert_eq!(evidence(&event), expected, "{}", event.result_description);
    };
    let (operator, registry, machine) = (operator(), world.caller.clone(), world.machine());
    tells(&operator, 200, (None, None, None, None)).await;
    tells(&registry, 200, (YES, None, YES, TRUSTED)).await;
    tells(&machine, 200, (YES, None, YES, PUBLIC)).await;
    world.revoke(KeyPermission::WrapKey).await;
    tells(&machine, 403, (NO, None, YES, PUBLIC)).await;

    let rbac = VaultChange {
        rbac: Some(true),
        ..VaultChange::default()
    };
    world.change_vault(rbac).await.unwrap();
    tells(&registry, 403, (None, NO, YES, TRUSTED)).await;
    let scope = format!("/subscriptions/{SUBSCRIPTION}").parse().unwrap();
    let role = Role::KeyVaultCryptoServiceEncryptionUser;
    let principal = world.principal();
    let assigned = world.directory.assign_role(&principal, role, scope);
    assigned.await.unwrap();
    tells(&registry, 200, (None, YES, YES, TRUSTED)).await;
    // What comes after does not matter.
    let kid = world.shown().await.unwrap().current.kid;
    world.set_enabled(&kid, false).await.unwrap();
    tells(&registry, 403, (None, YES, YES, TRUSTED)).await;

    let deny = VaultChange {
        default_action: Some(DefaultAction::Deny),
        bypass: Some(Bypass::None),
        ..VaultChange::default()
    };
    world.change_vault(deny).await.unwrap();
    tells(&registry, 403, (None, None, NO, None)).await;
    tells(&machine, 403, (None, None, NO, None)).await;
    world
        .vaults
        .delete_vault(&operator, &world.vault)
        .await
        .unwrap();
    tells(&machine, 404, (None, None, None, None)).await;
}

/// The identity is the same, the request is not.
#[tokio::test]
async fn a_record_tells_the_client() {
    let world = World::new().await;
    world.create_key().await.unwrap();
    world.wrap_as(&world.machine()).await.unwrap();
    let event = world.audit().pop().unwrap();
    assert_eq!(
        event.caller_ip_address,
        IpAddr::from(Ipv4Addr::new(203, 0, 113, 7))
    );
    assert_eq!(event.operation_version, "7.6");
    assert_eq!(event.correlation_id, Uuid::from_u128(7));
    let properties = &event.properties;
    assert_eq!(properties.client_info, "azsdk-python-keyvault-keys/4.11.3");
    assert_eq!(
        properties.request_uri,
        "https://kv1.vault.localhost:5000/keys/k1/wrapkey?api-version=7.6"
    );
    assert_eq!(properties.algorithm.as_deref(), Some("RSA-OAEP-256"));
    assert_eq!(event.identity.claim.idtyp.as_deref(), Some("app"));
}

#[tokio::test]
async fn a_request_without_a_token_is_recorded_as_nobodys() {
    let world = World::new().await;
    let why = "AKV10000: Request is missing a Bearer or PoP token.";
    let client = world.machine().client;
    world
        .vaults
        .record_unauthenticated(&client, &world.vault, why.to_owned())
        .await
        .unwrap();
    let event = world.audit().pop().unwrap();
    assert_eq!(event.operation_name, "Authentication");
    assert_eq!(event.result_signature, "Unauthorized");
    assert_eq!(event.result_description, why);
    assert_eq!(event.properties.http_status_code, 401);
    assert_eq!(event.properties.client_info, client.user_agent);
    assert_eq!(
        event.properties.request_uri,
        "https://kv1.vault.localhost:5000/?api-version=7.6"
    );
    assert_eq!(event.identity.claim, sealock_vault::Claim::default());
    assert_eq!(event.correlation_id, client.correlation_id);
    assert_eq!(evidence(&event), (None, None, None, None));
    assert!(event.resource_id.ends_with("/VAULTS/KV1"));
}

/// Nobody has a permission for random bytes, but a firewall lets in who asks for them.
#[tokio::test]
async fn random_bytes_are_recorded_with_where_they_went() {
    let world = World::new().await;
    let ask = async || {
        let (vaults, machine) = (&world.vaults, world.machine());
        let asked = vaults.random_bytes(&machine, &world.vault, Ok(16)).await;
        drop(asked);
        world.audit().pop().unwrap()
    };
    let event = ask().await;
    assert_eq!(event.operation_name, "RandomBytesGet");
    assert_eq!(evidence(&event), (None, None, Some(true), Some("PublicIP")));
    let change = VaultChange {
        public_network_access: Some(false),
        ..VaultChange::default()
    };
    world.change_vault(change).await.unwrap();
    assert_eq!(evidence(&ask().await), (None, None, Some(false), None));
}
