//! Every row of Azure's table of errors about vaults and their callers, by its name, as in `errors`.

use sealock_vault::{Bypass, DefaultAction, KeyPermission, KeyType, VaultChange, VaultSettings};

use crate::{
    errors::{BAD, forbidden, row},
    world::{World, operator},
};

#[tokio::test]
async fn access_policy_denies() {
    let world = World::new().await;
    for (permission, name) in [
        (KeyPermission::Get, "get"),
        (KeyPermission::WrapKey, "wrapKey"),
    ] {
        world.revoke(permission).await;
        let result = match permission {
            KeyPermission::Get => world
                .vaults
                .get_key(&world.caller, &world.identifier())
                .await
                .map(drop),
            _ => world.wrap_as(&world.caller).await.map(drop),
        };
        row(
            "access policy denies",
            result,
            forbidden("ForbiddenByPolicy"),
            &format!(
                "The user, group or application '{}' does not have keys {name} permission on key vault 'kv1;location=eastus'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287",
                world.named()
            ),
        );
    }
}

#[tokio::test]
async fn rbac_denies() {
    let world = World::with(VaultSettings {
        rbac: true,
        ..VaultSettings::default()
    })
    .await;
    let vault = "/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/sealock/providers/microsoft.keyvault/vaults/kv1";
    let text = |action: &str, resource: &str| {
        format!(
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\nCaller: {}\r\nAction: '{action}'\r\nResource: '{resource}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null \r\nVault: kv1;location=eastus\r\n",
            world.named()
        )
    };
    let key = format!("{vault}/keys/k1");
    row(
        "RBAC denies, on a key that is not even there",
        world
            .vaults
            .get_key(&world.caller, &world.identifier())
            .await,
        forbidden("ForbiddenByRbac"),
        &text("Microsoft.KeyVault/vaults/keys/read", &key),
    );
    row(
        "RBAC denies, on a key",
        world.wrap_as(&world.caller).await,
        forbidden("ForbiddenByRbac"),
        &text("Microsoft.KeyVault/vaults/keys/wrap/action", &key),
    );
    row(
        "RBAC denies, on a vault",
        world.vaults.keys(&world.caller, &world.vault).await,
        forbidden("ForbiddenByRbac"),
        &text("Microsoft.KeyVault/vaults/keys/read", vault),
    );
}

#[tokio::test]
async fn firewall_and_public_access_disabled() {
    let world = World::new().await;
    let from = format!(
        "Caller: {};xms_mirid=/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/sealock/providers/Microsoft.ManagedIdentity/userAssignedIdentities/registry-identity\r\nVault: kv1;location=eastus",
        world.named()
    );
    let change = VaultChange {
        default_action: Some(DefaultAction::Deny),
        ..VaultChange::default()
    };
    world.change_vault(change).await.unwrap();
    row(
        "firewall",
        world.wrap_as(&world.machine()).await,
        forbidden("ForbiddenByFirewall"),
        &format!(
            "Client address is not authorized and caller is not a trusted service.\r\nClient address: 203.0.113.7\r\n{from}"
        ),
    );
    let change = VaultChange {
        bypass: Some(Bypass::None),
        ..VaultChange::default()
    };
    world.change_vault(change).await.unwrap();
    for (requester, address) in [
        (world.machine(), "203.0.113.7"),
        (world.caller.clone(), "127.0.0.1"),
    ] {
        row(
            "firewall + bypass None",
            world.wrap_as(&requester).await,
            forbidden("ForbiddenByFirewall"),
            &format!(
                "Request was not allowed by NSP rules and the client address is not authorized and caller was ignored because bypass is set to None\r\nClient address: {address}\r\n{from}"
            ),
        );
    }
    let change = VaultChange {
        public_network_access: Some(false),
        ..VaultChange::default()
    };
    world.change_vault(change).await.unwrap();
    row(
        "public access disabled",
        world.wrap_as(&world.machine()).await,
        forbidden("ForbiddenByConnection"),
        &format!(
            "Public network access is disabled and request is not from a trusted service nor via an approved private link.\r\n{from}"
        ),
    );
}

#[tokio::test]
async fn purge_protected_object_and_vault() {
    let world = World::with(VaultSettings {
        purge_protection: true,
        ..VaultSettings::default()
    })
    .await;
    world.create_ec_key().await.unwrap();
    world.delete_key().await.unwrap();
    row(
        "purge protected object",
        world.purge_key().await,
        (403, "Forbidden", None),
        "Operation \"purge\" is not allowed because purge protection is enabled for this vault. Key Vault service will automatically purge it after the retention period has passed.\r\nVault: kv1;location=eastus",
    );
    let change = VaultChange {
        purge_protection: Some(false),
        ..VaultChange::default()
    };
    row(
        "purge protection is irreversible",
        world.change_vault(change).await,
        BAD,
        "The property \"enablePurgeProtection\" cannot be set to false. Enabling the purge protection for a vault is an irreversible action.",
    );
    let (vaults, vault) = (&world.vaults, &world.vault);
    vaults.delete_vault(&operator(), vault).await.unwrap();
    row(
        "purge protected vault",
        vaults.purge_vault(&operator(), vault).await,
        (405, "MethodNotAllowed", None),
        "Operation 'DeletedVaultPurge' is not allowed: purge protection is enabled for the vault 'kv1'.",
    );
}

#[tokio::test]
async fn vault_missing_or_its_name_taken() {
    let world = World::new().await;
    let (vaults, vault) = (&world.vaults, &world.vault);
    let other = "kv2".parse().unwrap();
    row(
        "vault missing",
        vaults.keys(&world.caller, &other).await,
        (404, "VaultNotFound", None),
        "Azure Key Vault 'kv2' does not exist.",
    );
    row(
        "deleted vault missing",
        vaults.recover_vault(&operator(), vault).await,
        (404, "DeletedVaultNotFound", None),
        "The specified deleted vault 'kv1' does not exist.",
    );
    let create = async || {
        let settings = VaultSettings::default();
        vaults.create_vault(&operator(), vault, settings).await
    };
    row(
        "vault name taken",
        create().await,
        (409, "VaultAlreadyExists", None),
        "The vault name 'kv1' is already in use.",
    );
    vaults.delete_vault(&operator(), vault).await.unwrap();
    row(
        "vault name held",
        create().await,
        (409, "ConflictError", None),
        "A vault with the same name already exists in deleted state. You need to either recover or purge existing key vault 'kv1'.",
    );
    row(
        "vault deleted",
        vaults.keys(&world.caller, vault).await,
        (404, "VaultNotFound", None),
        "Azure Key Vault 'kv1' does not exist: it is in a deleted but recoverable state.",
    );
}

#[tokio::test]
async fn read_only() {
    let world = World::new().await;
    let change = VaultChange {
        failed_over: Some(true),
        ..VaultChange::default()
    };
    world.change_vault(change).await.unwrap();
    row(
        "read-only",
        world.create_ec_key().await,
        forbidden("VaultIsReadOnly"),
        "The vault 'kv1' has failed over to its paired region and is read-only until it has failed back.",
    );
}

#[tokio::test]
async fn throttled() {
    let world = World::throttled().await;
    world.grant(&[KeyPermission::All]).await;
    for _ in 0..20 {
        world
            .create_as(&world.machine(), KeyType::Ec)
            .await
            .unwrap();
    }
    row(
        "throttled",
        world.create_as(&world.machine(), KeyType::Ec).await,
        (429, "Throttled", None),
        "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached",
    );
    assert_eq!(world.shown().await.unwrap().versions().count(), 20);
}
