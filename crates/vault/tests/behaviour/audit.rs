use std::net::Ipv4Addr;

use sealock_vault::{
    Error, ImportedKey, KeyChange, KeyOperation, KeyProperties, Page, operation::DeleteKey,
};

use crate::world::{World, operator};

#[tokio::test]
async fn refused_unwrap_is_audited_with_its_identity() {
    let world = World::new().await;
    let key = world.create_key().await.unwrap();
    let wrapped = world.wrap(&key.current.kid).await.unwrap();
    world.set_enabled(&key.current.kid, false).await.unwrap();
    world.unwrap(&key.current.kid, &wrapped).await.unwrap_err();

    let event = world.audit_events().pop().unwrap();
    assert_eq!(event.operation_name, "KeyUnwrap");
    assert_eq!(
        event.result_type, "Success",
        "Azure logs refusals with this type, too"
    );
    assert_eq!(event.result_signature, "Forbidden");
    assert_eq!(
        event.result_description,
        "Operation unwrapKey is not allowed on a disabled key."
    );
    assert_eq!(event.time, world.clock.now());
    assert_eq!(event.caller_ip_address, Ipv4Addr::LOCALHOST);
    let claim = &event.identity.claim;
    assert_eq!(claim.oid, Some(world.identity.principal_id));
    assert_eq!(claim.appid, Some(world.identity.client_id));
    assert_eq!(
        claim.xms_mirid.as_deref(),
        Some(
            "/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/sealock/providers/Microsoft.ManagedIdentity/userAssignedIdentities/registry-identity"
        )
    );
    let properties = &event.properties;
    assert_eq!(properties.http_status_code, 403);
    let version = &key.current.kid.version;
    let url = format!("https://kv1.vault.localhost:5000/keys/k1/{version}");
    assert_eq!(properties.id, url);
    assert_eq!(
        properties.request_uri,
        format!("{url}/unwrapkey?api-version=7.4")
    );
    assert_eq!(properties.client_info, "AzureContainerRegistry/emulator");
    assert_eq!(properties.is_access_policy_match, Some(true));
    assert_eq!(
        event.resource_id,
        "/SUBSCRIPTIONS/00000000-0000-0000-0000-000000000000/RESOURCEGROUPS/SEALOCK/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/KV1"
    );
}

#[tokio::test]
async fn missing_permission_is_audited_as_no_policy_match() {
    let world = World::new().await;
    let key = world.create_key().await.unwrap();
    world
        .vaults
        .revoke(
            &operator(),
            &world.vault,
            world.identity.principal_id,
            [sealock_vault::KeyPermission::All].into(),
        )
        .await
        .unwrap();
    world.wrap(&key.current.kid).await.unwrap_err();
    let event = world.audit_events().pop().unwrap();
    assert_eq!(event.properties.http_status_code, 403);
    assert_eq!(event.properties.is_access_policy_match, Some(false));
}

#[tokio::test]
async fn each_operation_leaves_one_audit_event() {
    let world = World::new().await;
    let (vaults, vault, key) = (&world.vaults, &world.vault, &world.key);
    let kid = world.create_key().await.unwrap().current.kid;
    vaults.keys(&operator(), vault).await.unwrap();
    vaults.key(&operator(), vault, key).await.unwrap();
    vaults
        .get_key(&world.registry, &kid.identifier().unversioned())
        .await
        .unwrap();
    let wrapped = world.wrap(&kid).await.unwrap();
    world.unwrap(&kid, &wrapped).await.unwrap();
    world.unwrap(&kid, b"garbage").await.unwrap_err();
    vaults.rotate_key(&operator(), vault, key).await.unwrap();
    world.set_enabled(&kid, false).await.unwrap();
    vaults.delete_key(&operator(), vault, key).await.unwrap();
    vaults.recover_key(&operator(), vault, key).await.unwrap();
    world.delete_and_purge_key().await;
    vaults.vaults(&operator()).await.unwrap();
    vaults.delete_vault(&operator(), vault).await.unwrap();
    vaults.recover_vault(&operator(), vault).await.unwrap();
    vaults.delete_vault(&operator(), vault).await.unwrap();
    vaults.purge_vault(&operator(), vault).await.unwrap();
    vaults.vault(&operator(), vault).await.unwrap_err();

    let events = world.audit_events();
    let recorded: Vec<_> = events
        .iter()
        .map(|event| {
            (
                event.operation_name.as_str(),
                event.result_signature.as_str(),
            )
        })
        .collect();
    assert_eq!(
        recorded,
        [
            ("VaultPut", "OK"),
            ("VaultPatch", "OK"),
            ("KeyCreate", "OK"),
            ("KeyList", "OK"),
            ("KeyGet", "OK"),
            ("KeyGet", "OK"),
            ("KeyWrap", "OK"),
            ("KeyUnwrap", "OK"),
            ("KeyUnwrap", "BadRequest"),
            ("KeyRotate", "OK"),
            ("KeyUpdate", "OK"),
            ("KeyDelete", "OK"),
            ("KeyRecover", "OK"),
            ("KeyDelete", "OK"),
            ("KeyPurge", "OK"),
            ("VaultGet", "OK"),
            ("VaultDelete", "OK"),
            ("VaultRecover", "OK"),
            ("VaultDelete", "OK"),
            ("VaultPurge", "OK"),
            ("VaultGet", "NotFound"),
        ]
    );
    // A request without a version is logged with the version that served it.
    let by_registry = &events[5];
    assert!(by_registry.properties.id.ends_with(kid.version.as_str()));
    assert!(
        by_registry
            .properties
            .request_uri
            .ends_with("/keys/k1?api-version=7.4")
    );
    assert_eq!(
        by_registry.properties.key_properties,
        Some(KeyProperties {
            kty: sealock_vault::KeyType::Rsa,
            size: 2048
        })
    );
    let by_operator = &events[2];
    assert_eq!(by_operator.properties.client_info, "sealock");
    assert_eq!(by_operator.identity.claim.oid, None);
}

#[tokio::test]
async fn operation_whose_caller_left_completes_and_is_audited() {
    let world = World::new().await;
    world.create_key().await.unwrap();
    let operator = operator();
    let permit = world
        .vaults
        .authorize(&operator, DeleteKey, world.identifier());
    let permit = permit.await.unwrap();
    {
        let mut deletion = std::pin::pin!(permit.run());
        let left = tokio::select! {
            biased;
            _ = &mut deletion => false,
            () = std::future::ready(()) => true,
        };
        assert!(left);
    }
    while world.audit_events().len() < 4 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.audit_events()[3].operation_name, "KeyDelete");
}

/// Covers the operations on keys that `each_operation_leaves_one_audit_event` omits.
#[tokio::test]
async fn data_plane_operations_are_audited_with_name_and_url() {
    let world = World::new().await;
    let (vaults, vault, key) = (&world.vaults, &world.vault, &world.key);
    let (operator, identifier) = (operator(), world.identifier());
    let page = || {
        Ok(Page {
            after: None,
            limit: 25,
        })
    };
    let jwk = r#"{"kty":"oct-HSM","k":"AAECAwQFBgcICQoLDA0ODw"}"#;
    let imported = ImportedKey {
        key: serde_json::from_str(jwk).unwrap(),
        hsm: false,
        change: KeyChange::default(),
    };
    let before = world.audit_events().len();
    vaults
        .import_key(&operator, vault, key, Ok(imported))
        .await
        .unwrap();
    vaults.list_keys(&operator, vault, page()).await.unwrap();
    vaults
        .list_versions(&operator, vault, key, page())
        .await
        .unwrap();
    let policy = vaults.rotation_policy(&operator, vault, key).await;
    vaults
        .set_rotation_policy(&operator, vault, key, policy.map(|view| view.policy))
        .await
        .unwrap();
    for operation in [
        KeyOperation::Encrypt,
        KeyOperation::Decrypt,
        KeyOperation::Sign,
        KeyOperation::Verify,
        KeyOperation::Export,
    ] {
        let unreadable = Err(Error::NotSupported("this"));
        let used = vaults.use_key(&operator, &identifier, operation, unreadable);
        assert!(used.await.is_err());
    }
    let backup = vaults.backup_key(&operator, vault, key).await.unwrap();
    world.delete_key().await.unwrap();
    vaults.deleted_key(&operator, vault, key).await.unwrap();
    vaults
        .list_deleted_keys(&operator, vault, page())
        .await
        .unwrap();
    world.recover_key().await.unwrap();
    world.delete_and_purge_key().await;
    vaults
        .restore_key(&operator, vault, Ok(backup))
        .await
        .unwrap();
    vaults.random_bytes(&operator, vault, Ok(1)).await.unwrap();

    let events = world.audit_events().split_off(before);
    let recorded: Vec<_> = events
        .iter()
        .map(|event| {
            let uri = event.properties.request_uri.as_str();
            let uri = uri.strip_prefix("https://kv1.vault.localhost:5000/");
            (
                event.operation_name.as_str(),
                uri.and_then(|uri| uri.strip_suffix("?api-version=7.4"))
                    .unwrap(),
                event.properties.http_status_code,
            )
        })
        .collect();
    assert_eq!(
        recorded,
        [
            ("KeyImport", "keys/k1", 200),
            ("KeyList", "keys", 200),
            ("KeyListVersions", "keys/k1/versions", 200),
            ("KeyRotationPolicyGet", "keys/k1/rotationpolicy", 200),
            ("KeyRotationPolicySet", "keys/k1/rotationpolicy", 200),
            ("KeyEncrypt", "keys/k1/encrypt", 501),
            ("KeyDecrypt", "keys/k1/decrypt", 501),
            ("KeySign", "keys/k1/sign", 403),
            ("KeyVerify", "keys/k1/verify", 403),
            ("KeyRelease", "keys/k1/release", 501),
            ("KeyBackup", "keys/k1/backup", 200),
            ("KeyDelete", "keys/k1", 200),
            ("KeyGetDeleted", "deletedkeys/k1", 200),
            ("KeyListDeleted", "deletedkeys", 200),
            ("KeyRecover", "deletedkeys/k1/recover", 200),
            ("KeyDelete", "keys/k1", 200),
            ("KeyPurge", "deletedkeys/k1", 204),
            ("KeyRestore", "keys/restore", 200),
            ("RandomBytesGet", "rng", 200),
        ]
    );
}
