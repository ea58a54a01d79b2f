//! Azure's errors about vaults and their callers: status, code, inner code and the whole text.

use sealock_vault::{Bypass, DefaultAction, KeyPermission, KeyType, VaultChange, VaultSettings};

use crate::{
    errors::{assert_refused, forbidden},
    world::{World, operator},
};

#[tokio::test]
async fn missing_policy_permission_is_forbidden() {
    let world = World::new().await;
    for (permission, name) in [
        (KeyPermission::Get, "get"),
        (KeyPermission::WrapKey, "wrapKey"),
    ] {
        world.revoke(permission).await;
        let result = match permission {
            KeyPermission::Get => world
                .vaults
                .get_key(&world.registry, &world.identifier())
                .await
                .map(drop),
            _ => world.wrap_as(&world.registry).await.map(drop),
        };
        assert_refused(
            "access policy denies",
            result,
            forbidden("ForbiddenByPolicy"),
            &format!(
                "The user, group or application '{}' does not have keys {name} permission on key vault 'kv1;location=eastus'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287",
                world.name_in_texts()
            ),
        );
    }
}

#[tokio::test]
async fn missing_role_is_forbidden() {
    let world = World::with(VaultSettings {
        rbac: true,
        ..VaultSettings::default()
    })
    .await;
    let vault = "/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/sealock/providers/microsoft.keyvault/vaults/kv1";
    let text = |action: &str, resource: &str| {
        format!(
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\nCaller: {}\r\nAction: '{action}'\r\nResource: '{resource}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: null \r\nVault: kv1;location=eastus\r\n",
            world.name_in_texts()
        )
    };
    let key = format!("{vault}/keys/k1");
    assert_refused(
        "RBAC denies, on a key that does not exist",
        world
            .vaults
            .get_key(&world.registry, &world.identifier())
            .await,
        forbidden("ForbiddenByRbac"),
        &text("Microsoft.KeyVault/vaults/keys/read", &key),
    );
    assert_refused(
        "RBAC denies, on a key",
        world.wrap_as(&world.registry).await,
        forbidden("ForbiddenByRbac"),
        &text("Microsoft.KeyVault/vaults/keys/wrap/action", &key),
    );
    assert_refused(
        "RBAC denies, on a vault",
        world.vaults.keys(&world.registry, &world.vault).await,
        forbidden("ForbiddenByRbac"),
        &text("Microsoft.KeyVault/vaults/keys/read", vault),
    );
}

#[tokio::test]
async fn blocked_network_is_forbidden() {
    let world = World::new().await;
    let from = format!(
        "Caller: {};xms_mirid=/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/sealock/providers/Microsoft.ManagedIdentity/userAssignedIdentities/registry-identity\r\nVault: kv1;location=eastus",
        world.name_in_texts()
    );
    let change = VaultChange {
        default_action: Some(DefaultAction::Deny),
        ..VaultChange::default()
    };
    world.change_vault(change).await.unwrap();
    assert_refused(
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
        (world.registry.clone(), "127.0.0.1"),
    ] {
        assert_refused(
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
    assert_refused(
        "public access disabled",
        world.wrap_as(&world.machine()).await,
        forbidden("ForbiddenByConnection"),
        &format!(
            "Public network access is disabled and request is not from a trusted service nor via an approved private link.\r\n{from}"
        ),
    );
}

#[tokio::test]
async fn purge_protection_refuses_purges_and_cannot_be_removed() {
    let world = World::with(VaultSettings {
        purge_protection: true,
        ..VaultSettings::default()
    })
    .await;
    world.create_ec_key().await.unwrap();
    world.delete_key().await.unwrap();
    assert_refused(
        "purge protected object",
        world.purge_key().await,
        (403, "Forbidden", None),
        "Operation \"purge\" is not allowed because purge protection is enabled for this vault. Key Vault service will automatically purge it after the retention period has passed.\r\nVault: kv1;location=eastus",
    );
    let change = VaultChange {
        purge_protection: Some(false),
        ..VaultChange::default()
    };
    assert_refused(
        "purge protection is irreversible",
        world.change_vault(change).await,
        (400, "BadRequest", None),
        "The property \"enablePurgeProtection\" cannot be set to false. Enabling the purge protection for a vault is an irreversible action.",
    );
    let (vaults, vault) = (&world.vaults, &world.vault);
    vaults.delete_vault(&operator(), vault).await.unwrap();
    assert_refused(
        "purge protected vault",
        vaults.purge_vault(&operator(), vault).await,
        (405, "MethodNotAllowed", None),
        "Operation 'DeletedVaultPurge' is not allowed.",
    );
}

#[tokio::test]
async fn missing_vault_and_taken_name_are_refused() {
    let world = World::new().await;
    let (vaults, vault) = (&world.vaults, &world.vault);
    let other = "kv2".parse().unwrap();
    assert_refused(
        "vault missing",
        vaults.keys(&world.registry, &other).await,
        (404, "VaultNotFound", None),
        "Azure Key Vault 'kv2' does not exist.",
    );
    assert_refused(
        "deleted vault missing",
        vaults.recover_vault(&operator(), vault).await,
        (404, "DeletedVaultNotFound", None),
        "The specified deleted vault 'kv1' does not exist.",
    );
    let create = async || {
        let settings = VaultSettings::default();
        vaults.create_vault(&operator(), vault, settings).await
    };
    assert_refused(
        "vault name taken",
        create().await,
        (409, "VaultAlreadyExists", None),
        "The vault name 'kv1' is already in use. Vault names are globally unique so it is possible that the name is already taken. If you are sure that the vault name was not taken then it is possible that a vault with the same name was recently deleted but not purged after being placed in a recoverable state. If the vault is in a recoverable state then the vault will need to be purged before reusing the name. For more information about VaultAlreadyExists, soft delete and purging a vault follow this link https://go.microsoft.com/fwlink/?linkid=2147740.",
    );
    vaults.delete_vault(&operator(), vault).await.unwrap();
    assert_refused(
        "vault name held",
        create().await,
        (409, "ConflictError", None),
        "A vault with the same name already exists in deleted state. You need to either recover or purge existing key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft delete.",
    );
    assert_refused(
        "vault deleted",
        vaults.keys(&world.registry, vault).await,
        (404, "VaultNotFound", None),
        "Azure Key Vault 'kv1' does not exist: it is in a deleted but recoverable state.",
    );
}

#[tokio::test]
async fn failed_over_vault_refuses_to_create_keys() {
    let world = World::new().await;
    let change = VaultChange {
        failed_over: Some(true),
        ..VaultChange::default()
    };
    world.change_vault(change).await.unwrap();
    assert_refused(
        "read-only",
        world.create_ec_key().await,
        forbidden("VaultIsReadOnly"),
        "The vault 'kv1' has failed over to its paired region and is read-only until it has failed back.",
    );
}

#[tokio::test]
async fn throttled_request_is_refused() {
    let world = World::throttled().await;
    world.grant(&[KeyPermission::All]).await;
    for _ in 0..20 {
        world
            .create_as(&world.machine(), KeyType::Ec)
            .await
            .unwrap();
    }
    assert_refused(
        "throttled",
        world.create_as(&world.machine(), KeyType::Ec).await,
        (429, "Throttled", None),
        "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached",
    );
    assert_eq!(world.whole_key().await.unwrap().versions().count(), 20);
}
