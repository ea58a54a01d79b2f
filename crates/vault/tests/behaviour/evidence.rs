//! The caller, the client and the deciding check in audit events.

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
async fn audit_event_names_the_deciding_check() {
    const YES: Option<bool> = Some(true);
    const NO: Option<bool> = Some(false);
    const PUBLIC: Option<&str> = Some("PublicIP");
    const TRUSTED: Option<&str> = Some("TrustedService");

    let world = World::new().await;
    world.create_key().await.unwrap();
    let assert_evidence = async |requester: &Requester, status, expected: Evidence<'_>| {
        let _ = world.wrap_as(requester).await;
        let event = world.audit_events().pop().unwrap();
        assert_eq!(event.operation_name, "KeyWrap");
        assert_eq!(event.properties.http_status_code, status);
        assert_eq!(evidence(&event), expected, "{}", event.result_description);
    };
    let (operator, registry, machine) = (operator(), world.registry.clone(), world.machine());
    assert_evidence(&operator, 200, (None, None, None, None)).await;
    assert_evidence(&registry, 200, (YES, None, YES, TRUSTED)).await;
    assert_evidence(&machine, 200, (YES, None, YES, PUBLIC)).await;
    world.revoke(KeyPermission::WrapKey).await;
    assert_evidence(&machine, 403, (NO, None, YES, PUBLIC)).await;

    let rbac = VaultChange {
        rbac: Some(true),
        ..VaultChange::default()
    };
    world.change_vault(rbac).await.unwrap();
    assert_evidence(&registry, 403, (None, NO, YES, TRUSTED)).await;
    let scope = format!("/subscriptions/{SUBSCRIPTION}").parse().unwrap();
    let role = Role::KeyVaultCryptoServiceEncryptionUser;
    let principal = world.principal();
    let assigned = world.directory.assign_role(&principal, role, scope);
    assigned.await.unwrap();
    assert_evidence(&registry, 200, (None, YES, YES, TRUSTED)).await;
    // A later check changes nothing.
    let kid = world.whole_key().await.unwrap().current.kid;
    world.set_enabled(&kid, false).await.unwrap();
    assert_evidence(&registry, 403, (None, YES, YES, TRUSTED)).await;

    let deny = VaultChange {
        default_action: Some(DefaultAction::Deny),
        bypass: Some(Bypass::None),
        ..VaultChange::default()
    };
    world.change_vault(deny).await.unwrap();
    assert_evidence(&registry, 403, (None, None, NO, None)).await;
    assert_evidence(&machine, 403, (None, None, NO, None)).await;
    world
        .vaults
        .delete_vault(&operator, &world.vault)
        .await
        .unwrap();
    assert_evidence(&machine, 404, (None, None, None, None)).await;
}

/// A registry and a machine with the same identity have different clients.
#[tokio::test]
async fn audit_event_names_the_client() {
    let world = World::new().await;
    world.create_key().await.unwrap();
    world.wrap_as(&world.machine()).await.unwrap();
    let event = world.audit_events().pop().unwrap();
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
async fn request_without_a_token_is_audited_without_an_identity() {
    let world = World::new().await;
    let why = "AKV10000: Request is missing a Bearer or PoP token.";
    let client = world.machine().client;
    world
        .vaults
        .record_unauthenticated(&client, &world.vault, why)
        .await
        .unwrap();
    let event = world.audit_events().pop().unwrap();
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

/// Random bytes need no permission, only access through the firewall.
#[tokio::test]
async fn random_bytes_are_audited_with_the_network_decision() {
    let world = World::new().await;
    let ask = async || {
        let (vaults, machine) = (&world.vaults, world.machine());
        let asked = vaults.random_bytes(&machine, &world.vault, Ok(16)).await;
        drop(asked);
        world.audit_events().pop().unwrap()
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
