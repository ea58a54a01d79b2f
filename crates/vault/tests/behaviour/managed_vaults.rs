//! Vaults as Resource Manager manages them.

use std::net::Ipv4Addr;

use sealock_core::{ResourceGroupName, TenantId, VaultName};
use sealock_entra::Caller;
use sealock_vault::{
    AccessPolicy, Client, ContentKind, Error, NetworkAcls, Origin, PermissionNames, Permit,
    PolicyPermissions, Requester, Result, Vault, VaultProperties, VaultSku,
    operation::{
        AddPolicies, DeleteVault, GetDeletedVault, GetVault, ManagedVault, Operation, PatchVault,
        PurgeVault, PutVault, RecoverVault,
    },
};
use uuid::Uuid;

use crate::world::{World, operator, refused, wire};

/// A client of Resource Manager, whose roles are checked already.
fn manager(world: &World, api_version: &str) -> Requester {
    Requester {
        caller: Caller::Principal(world.principal()),
        client: Client {
            origin: Origin::ResourceManager(Ipv4Addr::new(203, 0, 113, 7).into()),
            user_agent: "AZURECLI/2.91.0".to_owned(),
            api_version: Some(api_version.to_owned()),
            correlation_id: Uuid::from_u128(7),
        },
    }
}

fn group(name: &str) -> ResourceGroupName {
    name.parse().unwrap()
}

fn in_group(vault: &str, name: &str) -> ManagedVault {
    ManagedVault::in_group(vault.parse().unwrap(), group(name))
}

fn properties(tenant: TenantId) -> VaultProperties {
    VaultProperties {
        location: Some("westeurope".parse().unwrap()),
        tenant_id: Some(tenant),
        sku: Some(VaultSku::Standard),
        policies: Some(Vec::new()),
        ..VaultProperties::default()
    }
}

async fn permit<O: Operation>(world: &World, operation: O, target: O::Target) -> Result<Permit<O>> {
    let manager = manager(world, "2023-07-01");
    world.vaults.authorize(&manager, operation, target).await
}

async fn put(world: &World, target: ManagedVault, properties: VaultProperties) -> Result<Vault> {
    permit(world, PutVault, target).await?.run(properties).await
}

#[tokio::test]
async fn new_vault_has_its_place_author_and_defaults() {
    let world = World::new().await;
    let tenant = world.directory.tenant();
    let vault = put(&world, in_group("kv2", "RG1"), properties(tenant)).await;
    let vault = vault.unwrap();
    assert_eq!(
        vault.id,
        "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/RG1/providers/Microsoft.KeyVault/vaults/kv2"
    );
    assert_eq!(vault.resource.location.as_str(), "westeurope");
    let created = &vault.resource.system_data;
    assert_eq!(
        created.created_by.name,
        world.identity.client_id.to_string()
    );
    assert_eq!(
        (vault.soft_delete_retention_days, vault.purge_protection),
        (90, false)
    );
    assert_eq!(vault.rbac, None);

    world.advance_days(1);
    let again = put(&world, in_group("kv2", "rg1"), properties(tenant)).await;
    let changed = again.unwrap().resource;
    assert_eq!(
        changed.resource_group,
        group("RG1"),
        "keeps the case of its creation"
    );
    assert_eq!(changed.system_data.created_at, created.created_at);
    assert!(changed.system_data.last_modified_at > created.created_at);
}

#[tokio::test]
async fn client_of_the_data_plane_may_not_put_a_vault() {
    let world = World::new().await;
    for requester in [world.machine(), world.registry.clone()] {
        let target = in_group("kv2", "rg1");
        let permit = world.vaults.authorize(&requester, PutVault, target).await;
        assert_eq!(wire(permit.map(drop)), (403, "AuthorizationFailed", None));
    }
}

#[tokio::test]
async fn vault_elsewhere_counts_as_missing_for_every_operation() {
    let world = World::new().await;
    let tenant = world.directory.tenant();
    put(&world, in_group("kv2", "rg1"), properties(tenant))
        .await
        .unwrap();
    let elsewhere = || in_group("kv2", "rg2");
    let missing = (404, "VaultNotFound", None);
    assert_eq!(
        wire(permit(&world, GetVault, elsewhere()).await.map(drop)),
        missing
    );
    assert_eq!(
        wire(permit(&world, PatchVault, elsewhere()).await.map(drop)),
        missing
    );
    assert_eq!(
        wire(permit(&world, AddPolicies, elsewhere()).await.map(drop)),
        missing
    );
    assert_eq!(
        wire(permit(&world, DeleteVault, elsewhere()).await.map(drop)),
        missing
    );
    let taken = put(&world, elsewhere(), properties(tenant)).await;
    assert!(matches!(refused(taken), Error::VaultNameTaken { .. }));

    let deletion = permit(&world, DeleteVault, in_group("kv2", "rg1")).await;
    deletion.unwrap().run().await.unwrap();
    let reserved = put(&world, in_group("kv2", "rg1"), properties(tenant)).await;
    assert!(matches!(refused(reserved), Error::VaultNameReserved { .. }));
    let missing = (404, "DeletedVaultNotFound", None);
    assert_eq!(
        wire(permit(&world, RecoverVault, elsewhere()).await.map(drop)),
        missing
    );
    let name: VaultName = "kv2".parse().unwrap();
    let region = |name: &VaultName, region: &str| {
        ManagedVault::in_location(name.clone(), region.parse().unwrap())
    };
    let other = region(&name, "eastus");
    assert_eq!(
        wire(
            permit(&world, GetDeletedVault, other.clone())
                .await
                .map(drop)
        ),
        missing
    );
    assert_eq!(
        wire(permit(&world, PurgeVault, other).await.map(drop)),
        missing
    );
    let purge = permit(&world, PurgeVault, region(&name, "westeurope")).await;
    purge.unwrap().run().await.unwrap();
    assert!(world.vaults.is_name_free(&name).await.unwrap());
}

#[tokio::test]
async fn refused_put_changes_nothing() {
    let world = World::new().await;
    let tenant = world.directory.tenant();
    let target = || in_group("kv2", "rg1");
    let before = put(&world, target(), properties(tenant)).await.unwrap();
    let policies = (0..1025u128)
        .map(|number| AccessPolicy {
            principal: Uuid::from_u128(number).to_string().parse().unwrap(),
            application: None,
            permissions: PolicyPermissions {
                secrets: Some(
                    PermissionNames::parse(ContentKind::Secrets, vec!["get".to_owned()]).unwrap(),
                ),
                ..PolicyPermissions::default()
            },
        })
        .collect();
    let many = VaultProperties {
        policies: Some(policies),
        ..properties(tenant)
    };
    let rules = (0..=1000u32).map(|number| Ipv4Addr::from(0xCB00_0000 + number).to_string());
    let walled = VaultProperties {
        network: Some(NetworkAcls {
            ip_rules: Some(rules.map(|rule| rule.parse().unwrap()).collect()),
            ..NetworkAcls::default()
        }),
        ..properties(tenant)
    };
    for too_much in [many, walled] {
        let refused = put(&world, target(), too_much).await;
        assert_eq!(wire(refused).0, 400);
    }
    let shown = permit(&world, GetVault, target())
        .await
        .unwrap()
        .run()
        .await;
    assert_eq!(shown.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn reader_sees_one_put_or_the_other_but_no_mixture() {
    let world = World::new().await;
    let tenant = world.directory.tenant();
    let target = || in_group("kv2", "rg1");
    let policy = |number: u128| AccessPolicy {
        principal: Uuid::from_u128(number).to_string().parse().unwrap(),
        application: None,
        permissions: PolicyPermissions {
            keys: Some(PermissionNames::parse(ContentKind::Keys, vec!["get".to_owned()]).unwrap()),
            ..PolicyPermissions::default()
        },
    };
    let settings = |is_on: bool| VaultProperties {
        enabled_for_deployment: Some(is_on),
        policies: Some((0..if is_on { 20 } else { 0 }).map(policy).collect()),
        ..properties(tenant)
    };
    put(&world, target(), settings(true)).await.unwrap();
    let writes = async {
        for round in 0..100 {
            put(&world, target(), settings(round % 2 == 0))
                .await
                .unwrap();
        }
    };
    let reads = async {
        for _ in 0..100 {
            let shown = permit(&world, GetVault, target())
                .await
                .unwrap()
                .run()
                .await;
            let shown = shown.unwrap();
            let expected = if shown.enabled_for.deployment { 20 } else { 0 };
            assert_eq!(shown.policies.len(), expected);
        }
    };
    futures_util::future::join(writes, reads).await;
}

#[tokio::test]
async fn failed_over_vault_takes_no_put_or_patch() {
    let world = World::new().await;
    let tenant = world.directory.tenant();
    let target = || in_group("kv1", "sealock");
    let change = sealock_vault::VaultChange {
        failed_over: Some(true),
        ..Default::default()
    };
    let vaults = &world.vaults;
    vaults
        .update_vault(&operator(), &world.vault, change)
        .await
        .unwrap();
    let read_only = (403, "Forbidden", Some("VaultIsReadOnly"));
    let put = put(&world, target(), properties(tenant)).await;
    assert_eq!(wire(put), read_only);
    assert_eq!(
        wire(permit(&world, PatchVault, target()).await.map(drop)),
        read_only
    );
}

/// Resource Manager passes the firewall and the access model, which apply to the data plane alone.
#[tokio::test]
async fn caller_of_resource_manager_passes_firewall_and_policies() {
    use sealock_vault::operation::ListWholeKeys;

    let world = World::new().await;
    let change = sealock_vault::VaultChange {
        public_network_access: Some(false),
        ..Default::default()
    };
    world.change_vault(change).await.unwrap();
    let manager = manager(&world, "2023-07-01");
    assert!(world.vaults.keys(&manager, &world.vault).await.is_ok());
    let machine = world.machine();
    let of_data_plane = world
        .vaults
        .authorize(&machine, ListWholeKeys, world.vault.clone());
    assert_eq!(
        wire(of_data_plane.await.map(drop)).2,
        Some("ForbiddenByConnection")
    );
    let events = world.audit_events();
    let event = events
        .iter()
        .find(|event| event.properties.client_info.starts_with("AZURECLI"))
        .unwrap();
    assert_eq!(event.caller_ip_address.to_string(), "203.0.113.7");
    assert_eq!(event.properties.is_address_authorized, None);
    assert_eq!(event.properties.is_access_policy_match, None);
}
