//! Every row of Azure's table of errors that is not HTTP's own, by its name: status, code, inner code and
//! the whole text.

use jiff::SignedDuration;
use sealock_core::{KeyIdentifier, KeyVersion};
use sealock_vault::{
    Bypass, Curve, DefaultAction, EncryptionAlgorithm, KeyChange, KeyOperation, KeyPermission,
    KeySpec, KeyType, KeyUse, Result, Sha, SignatureAlgorithm, VaultChange, VaultSettings,
    VaultSku,
};

use crate::{
    imports::{EC, OCT},
    world::{SECRET, World, exportable, given, operator, refused, release_policy},
};

const RECOVERY: &str = "If you recently deleted this key you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182";

/// Status, code and inner code.
type Wire = (u16, &'static str, Option<&'static str>);

const BAD: Wire = (400, "BadParameter", None);
const MISSING: Wire = (404, "KeyNotFound", None);

const fn forbidden(inner: &'static str) -> Wire {
    (403, "Forbidden", Some(inner))
}

const fn conflict(inner: &'static str) -> Wire {
    (409, "Conflict", Some(inner))
}

fn row<T>(name: &str, result: Result<T>, wire: Wire, text: &str) {
    let error = refused(result);
    let found = (error.status(), error.code(), error.inner_code());
    assert_eq!(found, wire, "{name}");
    assert_eq!(error.to_string(), text, "{name}");
}

#[tokio::test]
async fn key_missing() {
    let world = World::new().await;
    let other: KeyIdentifier = "kv1/k2".parse().unwrap();
    row(
        "key missing",
        world.vaults.get_key(&world.caller, &other).await,
        MISSING,
        &format!("A key with (name/id) k2 was not found in this key vault. {RECOVERY}"),
    );
    world.create_ec_key().await.unwrap();
    let version = KeyVersion::random();
    let identifier = format!("kv1/k1/{version}").parse().unwrap();
    row(
        "version missing",
        world.vaults.get_key(&world.caller, &identifier).await,
        MISSING,
        &format!("A key with (name/id) k1/{version} was not found in this key vault. {RECOVERY}"),
    );
    world.delete_key().await.unwrap();
    row(
        "deleted key looked up as if it were there",
        world
            .vaults
            .get_key(&world.caller, &world.identifier())
            .await,
        MISSING,
        &format!("A key with (name/id) k1 was not found in this key vault. {RECOVERY}"),
    );
}

/// A deleted key that is asked for is none at all, or is not deleted.
#[tokio::test]
async fn deleted_key_missing() {
    let world = World::new().await;
    world.create_ec_key().await.unwrap();
    let none: KeyIdentifier = "kv1/k2".parse().unwrap();
    let caller = operator();
    for (identifier, text) in [
        (
            &none,
            format!("A key with (name/id) k2 was not found in this key vault. {RECOVERY}"),
        ),
        (&world.identifier(), "Deleted Key not found: k1".to_owned()),
    ] {
        let KeyIdentifier { vault, key, .. } = identifier;
        let vaults = &world.vaults;
        for missing in [
            vaults.deleted_key(&caller, vault, key).await.map(drop),
            vaults.recover_key(&caller, vault, key).await.map(drop),
            vaults.purge_key(&caller, vault, key).await,
        ] {
            row("deleted key missing", missing, MISSING, &text);
        }
    }
}

/// One of each.
fn uses() -> [KeyUse; 6] {
    let algorithm = EncryptionAlgorithm::RsaOaep256;
    let signed = SignatureAlgorithm::Rs(Sha::Sha256);
    let digest = || vec![7; 32];
    [
        KeyUse::Encrypt {
            algorithm,
            plaintext: SECRET.to_vec().into(),
            iv: None,
            aad: None,
        },
        KeyUse::Decrypt {
            algorithm,
            encrypted: sealock_vault::Encrypted::default(),
            aad: None,
        },
        KeyUse::WrapKey {
            algorithm,
            value: SECRET.to_vec().into(),
        },
        KeyUse::UnwrapKey {
            algorithm,
            value: Vec::new(),
        },
        KeyUse::Sign {
            algorithm: signed,
            digest: digest(),
        },
        KeyUse::Verify {
            algorithm: signed,
            digest: digest(),
            signature: Vec::new(),
        },
    ]
}

#[tokio::test]
async fn disabled_key_used_and_operation_not_in_key_ops() {
    let world = World::new().await;
    let kid = world.create_ec_key().await.unwrap().current.kid;
    let identifier = world.identifier();
    world.grant(&[KeyPermission::All]).await;
    for (usage, name) in uses().into_iter().zip([
        "encrypt",
        "decrypt",
        "wrapKey",
        "unwrapKey",
        "sign",
        "verify",
    ]) {
        world.set_enabled(&kid, false).await.unwrap();
        row(
            "disabled key used",
            world.use_as(&world.caller, &identifier, usage).await,
            forbidden("KeyDisabled"),
            &format!("Operation {name} is not allowed on a disabled key."),
        );
        world.set_enabled(&kid, true).await.unwrap();
    }
    for usage in uses().into_iter().take(4) {
        let name = usage.operation();
        row(
            "op not in key_ops",
            world.use_as(&world.caller, &identifier, usage).await,
            forbidden("KeyOperationForbidden"),
            &format!("Operation {name} is not permitted on this key."),
        );
    }
}

#[tokio::test]
async fn expired_or_not_yet_valid() {
    let world = World::new().await;
    let hour = SignedDuration::from_hours(1);
    let change = KeyChange {
        not_before: Some(world.clock.now() + hour),
        expires: Some(world.clock.now() + hour * 2),
        ..KeyChange::default()
    };
    world.create(KeyType::Rsa, change).await.unwrap();
    row(
        "not yet valid",
        world.wrap_as(&world.caller).await,
        forbidden("KeyNotYetValid"),
        "Operation wrapKey is not allowed on a key that is not yet valid.",
    );
    world.pass(hour * 2);
    row(
        "expired",
        world.wrap_as(&world.caller).await,
        forbidden("KeyExpired"),
        "Operation wrapKey is not allowed on an expired key.",
    );
}

#[tokio::test]
async fn name_soft_deleted_being_deleted_and_being_recovered() {
    let world = World::slow().await;
    let minute = SignedDuration::from_mins(1);
    world.create_ec_key().await.unwrap();
    world.delete_key().await.unwrap();
    row(
        "being deleted",
        world.create_ec_key().await,
        conflict("ObjectIsBeingDeleted"),
        "Key k1 is currently being deleted and cannot be re-created; retry later.",
    );
    // Recorded of a purge.
    for refused in [world.purge_key().await, world.recover_key().await.map(drop)] {
        row(
            "being deleted",
            refused,
            conflict("ObjectIsBeingDeleted"),
            "Key is currently being deleted.",
        );
    }
    world.pass(minute);
    row(
        "name soft-deleted",
        world.create_ec_key().await,
        conflict("ObjectIsDeletedButRecoverable"),
        "Key k1 is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key can only be recovered or purged.",
    );
    world.recover_key().await.unwrap();
    row(
        "being recovered",
        world.create_ec_key().await,
        conflict("ObjectIsBeingRecovered"),
        "Key k1 is currently being recovered and cannot be re-created; retry later.",
    );
    row(
        "being recovered",
        world.purge_key().await,
        conflict("ObjectIsBeingRecovered"),
        "Key is currently being recovered.",
    );
}

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
async fn key_that_no_vault_has() {
    let world = World::new().await;
    let vaults = &world.vaults;
    let change = KeyChange {
        key_ops: Some(vec![
            KeyOperation::Sign,
            KeyOperation::WrapKey,
            KeyOperation::UnwrapKey,
        ]),
        ..KeyChange::default()
    };
    row(
        "an EC key to wrap with",
        world.create(KeyType::Ec, change.clone()).await,
        BAD,
        r#"Unsupported key operation(s): "wrapKey", "unwrapKey". Supported values are "sign", "verify"."#,
    );
    row(
        "an imported EC key to wrap with",
        world.import("EC", EC, false, change).await,
        BAD,
        r#"Unsupported key operation(s): "wrapKey", "unwrapKey". Supported values are "sign", "verify"."#,
    );
    for (imported, kty) in [
        (
            world.import("oct", OCT, false, KeyChange::default()).await,
            "oct",
        ),
        (
            world.import("DSA", EC, false, KeyChange::default()).await,
            "DSA",
        ),
        (
            world.create(KeyType::Oct, KeyChange::default()).await,
            "oct",
        ),
    ] {
        row(
            "a key of a type that no vault has",
            imported,
            (400, "BadParameter", Some("KeyTypeNotSupported")),
            &format!("Invalid kty value: {kty}"),
        );
    }
    for (kty, key_size, sizes) in [
        (KeyType::Rsa, 1024, "2048, 3072, 4096"),
        (KeyType::RsaHsm, 2049, "2048, 3072, 4096"),
        (KeyType::Ec, 4096, "256, 384, 521"),
        (KeyType::OctHsm, 64, "128, 192, 256"),
    ] {
        let spec = KeySpec {
            kty,
            key_size: Some(key_size),
            ..KeySpec::default()
        };
        let asked = Ok((spec, KeyChange::default()));
        row(
            "a key of a size that no vault has",
            vaults
                .create_key(&operator(), &world.vault, &world.key, asked)
                .await,
            (400, "BadParameter", Some("KeySizeNotSupported")),
            &format!("Unsupported key size ({key_size}). Supported sizes are [{sizes}]"),
        );
    }
    row(
        "an imported key without its curve",
        world
            .import("EC", r#""d":"AQ""#, false, KeyChange::default())
            .await,
        BAD,
        r#"The property "key" must be a valid JsonWebKey object."#,
    );
}

#[tokio::test]
async fn bad_input() {
    let world = World::with(VaultSettings {
        sku: VaultSku::Standard,
        ..VaultSettings::default()
    })
    .await;
    let vaults = &world.vaults;
    for count in [0, 129] {
        row(
            "too many random bytes, or none",
            vaults
                .random_bytes(&world.caller, &world.vault, Ok(count))
                .await,
            BAD,
            "GetRandomBytesRequest: count cannot be greater than 128 or less than 1",
        );
    }
    row(
        "a key in hardware in a standard vault",
        world.create(KeyType::EcHsm, KeyChange::default()).await,
        BAD,
        "Hardware key operation not allowed on standard vault",
    );
    let spec = KeySpec {
        kty: KeyType::Ec,
        curve: Some(Curve::P256K),
        ..KeySpec::default()
    };
    let asked = Ok((spec, KeyChange::default()));
    let created = vaults
        .create_key(&operator(), &world.vault, &world.key, asked)
        .await;
    let version = created.unwrap().current.kid.version;
    world.grant(&[KeyPermission::Sign]).await;
    let usage = KeyUse::Sign {
        algorithm: SignatureAlgorithm::Es(Curve::P256),
        digest: vec![7; 32],
    };
    row(
        "an algorithm of another curve",
        world
            .use_as(&world.caller, &world.identifier(), usage)
            .await,
        BAD,
        &format!(
            "Key and signing algorithm are incompatible. Key https://kv1.vault.localhost:5000/keys/k1/{version} uses curve 'P-256K', and algorithm 'ES256' can only be used with curve 'P-256'."
        ),
    );
    assert_eq!(world.files(), 2, "nothing refused left a file");
}

const NO_POLICY: &str = "AKV.SKR.1004: Exportable keys must have release policy.";
const NOT_EXPORTABLE: &str = "AKV.SKR.1005: Non-exportable keys must not have release policy.";
const IN_SOFTWARE: &str = "AKV.SKR.1006: The exportable attribute is only supported with keys in hardware; use RSA-HSM or EC-HSM.";

fn said_exportable(exportable: bool) -> KeyChange {
    KeyChange {
        exportable: Some(exportable),
        ..KeyChange::default()
    }
}

#[tokio::test]
async fn exportable_key_of_a_kind_that_there_is_not() {
    let premium = World::new().await;
    let standard = World::with(VaultSettings {
        sku: VaultSku::Standard,
        ..VaultSettings::default()
    })
    .await;
    let policy = || release_policy("https://one", false);
    let not_exportable = KeyChange {
        release_policy: Some(policy()),
        ..said_exportable(false)
    };
    let in_standard = "AKV.SKR.1001: The exportable attribute is only supported with premium vaults and API version >= '7.3-preview'.";
    let (ec, hsm, rsa) = (KeyType::Ec, KeyType::EcHsm, KeyType::Rsa);
    for (name, world, kty, change, text) in [
        ("no policy", &premium, hsm, said_exportable(true), NO_POLICY),
        (
            "no policy, in software",
            &standard,
            ec,
            said_exportable(true),
            NO_POLICY,
        ),
        (
            "not exportable",
            &premium,
            hsm,
            not_exportable,
            NOT_EXPORTABLE,
        ),
        (
            "not exportable, unsaid",
            &standard,
            ec,
            given(policy()),
            NOT_EXPORTABLE,
        ),
        (
            "standard vault",
            &standard,
            hsm,
            exportable(policy()),
            in_standard,
        ),
        (
            "RSA in software",
            &premium,
            rsa,
            exportable(policy()),
            IN_SOFTWARE,
        ),
        (
            "EC in software",
            &premium,
            ec,
            exportable(policy()),
            IN_SOFTWARE,
        ),
    ] {
        row(name, world.create(kty, change).await, BAD, text);
    }
    let imported = premium.import("EC", EC, false, exportable(policy())).await;
    row("imported into software", imported, BAD, IN_SOFTWARE);
    assert_eq!(
        (premium.files(), standard.files()),
        (0, 0),
        "nothing refused left a file"
    );
}

#[tokio::test]
async fn exportable_from_another_version_on() {
    let world = World::new().await;
    let existing = "AKV.SKR.1003: The exportable attribute of an existing key cannot be changed.";
    let updated = "AKV.SKR.1014: Cannot modify the exportable state of a key.";
    let policy = || release_policy("https://one", false);
    let create = async |change| world.create(KeyType::EcHsm, change).await;
    create(said_exportable(false)).await.unwrap();
    row(
        "made exportable",
        create(exportable(policy())).await,
        BAD,
        existing,
    );
    row(
        "given a policy",
        create(given(policy())).await,
        BAD,
        NOT_EXPORTABLE,
    );
    row(
        "updated",
        world.update(said_exportable(true)).await,
        BAD,
        updated,
    );
    row(
        "updated policy",
        world.update(given(policy())).await,
        BAD,
        NOT_EXPORTABLE,
    );
    world.delete_and_purge_key().await;
    create(exportable(policy())).await.unwrap();
    row(
        "not exportable any more",
        create(said_exportable(false)).await,
        BAD,
        existing,
    );
    row(
        "updated not to be",
        world.update(said_exportable(false)).await,
        BAD,
        updated,
    );
    row(
        "a version in software",
        world.create_ec_key().await,
        BAD,
        IN_SOFTWARE,
    );
    assert_eq!(world.files(), 2, "nothing refused left a file");
}

#[tokio::test]
async fn immutable_release_policy() {
    let world = World::new().await;
    let policy = |immutable| release_policy("https://one", immutable);
    let create = async |policy| world.create(KeyType::EcHsm, exportable(policy)).await;
    let kid = create(policy(false))
        .await
        .unwrap()
        .current
        .kid
        .identifier();
    let other = || given(release_policy("https://two", true));
    row(
        "policy for one version alone",
        world
            .vaults
            .update_key(&operator(), &kid, Ok(other()))
            .await,
        BAD,
        "AKV.SKR.1016: Key Release Policy can only be set on versionless key.",
    );
    world.update(given(policy(true))).await.unwrap();
    let text = "AKV.SKR.1020: Immutable Key Release Policy cannot be modified.";
    row("another policy", world.update(other()).await, BAD, text);
    row(
        "mutable again",
        world.update(given(policy(false))).await,
        BAD,
        text,
    );
    row("with a version", create(policy(false)).await, BAD, text);
    row(
        "with a version, the same",
        create(policy(true)).await,
        BAD,
        text,
    );
    row(
        "with an imported version, the same",
        world.import("EC", EC, true, exportable(policy(true))).await,
        BAD,
        text,
    );
    assert_eq!(world.files(), 2, "nothing refused left a file");
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

#[tokio::test]
async fn restore_over_a_name_in_use() {
    let world = World::new().await;
    world.create_ec_key().await.unwrap();
    let newest = world.create_ec_key().await.unwrap();
    let (vaults, vault) = (&world.vaults, &world.vault);
    let backup = vaults.backup_key(&operator(), vault, &world.key).await;
    let backup = backup.unwrap();
    let uri = format!(
        "https://kv1.vault.localhost:5000/keys/k1/{}",
        newest.current.kid.version
    );
    let text = format!(
        "There was a conflict restoring the key '{uri}'. This can happen if either: a second key with the same name was created after the first key was deleted; thus trying to restore a key whose name is already in use. To fix this, rename the second key to something else so that the restore works. The second probable cause of this exception is when multiple operations are performed in parallel against the key. To avoid this error, perform operations against a key in a sequential manner."
    );
    for state in ["active", "deleted"] {
        row(
            state,
            vaults
                .restore_key(&operator(), vault, Ok(backup.clone()))
                .await,
            (409, "Conflict", None),
            &text,
        );
        if state == "active" {
            world.delete_key().await.unwrap();
        }
    }
    assert_eq!(world.files(), 4, "nothing refused left a file");
}
