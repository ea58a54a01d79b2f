//! Azure's errors about keys: status, code, inner code and the whole text.

use jiff::SignedDuration;
use sealock_core::{KeyIdentifier, KeyVersion};
use sealock_vault::{
    Curve, EncryptionAlgorithm, KeyChange, KeyOperation, KeyPermission, KeySpec, KeyType, Result,
    Sha, SignatureAlgorithm, VaultSettings, VaultSku,
};

use crate::calls::KeyUse;
use crate::{
    imports::{EC, OCT},
    world::{SECRET, World, operator, refused},
};

const RECOVERY: &str = "If you recently deleted this key you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182";

/// A status, a code and an inner code.
pub(crate) type Wire = (u16, &'static str, Option<&'static str>);

pub(crate) const BAD: Wire = (400, "BadParameter", None);
pub(crate) const MISSING: Wire = (404, "KeyNotFound", None);

pub(crate) const fn forbidden(inner: &'static str) -> Wire {
    (403, "Forbidden", Some(inner))
}

pub(crate) const fn conflict(inner: &'static str) -> Wire {
    (409, "Conflict", Some(inner))
}

pub(crate) fn assert_refused<T>(name: &str, result: Result<T>, wire: Wire, text: &str) {
    let error = refused(result);
    let found = (error.status(), error.code(), error.inner_code());
    assert_eq!(found, wire, "{name}");
    assert_eq!(error.to_string(), text, "{name}");
}

#[tokio::test]
async fn missing_key_is_not_found() {
    let world = World::new().await;
    let other: KeyIdentifier = "kv1/k2".parse().unwrap();
    assert_refused(
        "key missing",
        world.vaults.get_key(&world.registry, &other).await,
        MISSING,
        &format!("A key with (name/id) k2 was not found in this key vault. {RECOVERY}"),
    );
    world.create_ec_key().await.unwrap();
    let version = KeyVersion::random();
    let identifier = format!("kv1/k1/{version}").parse().unwrap();
    assert_refused(
        "version missing",
        world.vaults.get_key(&world.registry, &identifier).await,
        MISSING,
        &format!("A key with (name/id) k1/{version} was not found in this key vault. {RECOVERY}"),
    );
    world.delete_key().await.unwrap();
    assert_refused(
        "deleted key, looked up as an active one",
        world
            .vaults
            .get_key(&world.registry, &world.identifier())
            .await,
        MISSING,
        &format!("A key with (name/id) k1 was not found in this key vault. {RECOVERY}"),
    );
}

/// Azure has one text for a key that does not exist, and one for a key that is not deleted.
#[tokio::test]
async fn missing_deleted_key_is_not_found() {
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
            assert_refused("deleted key missing", missing, MISSING, &text);
        }
    }
}

/// Returns one use of each kind.
fn each_use() -> [KeyUse; 6] {
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
async fn disabled_key_and_operation_outside_key_ops_are_refused() {
    let world = World::new().await;
    let kid = world.create_ec_key().await.unwrap().current.kid;
    let identifier = world.identifier();
    world.grant(&[KeyPermission::All]).await;
    for (usage, name) in each_use().into_iter().zip([
        "encrypt",
        "decrypt",
        "wrapKey",
        "unwrapKey",
        "sign",
        "verify",
    ]) {
        world.set_enabled(&kid, false).await.unwrap();
        assert_refused(
            "disabled key used",
            world.use_as(&world.registry, &identifier, usage).await,
            forbidden("KeyDisabled"),
            &format!("Operation {name} is not allowed on a disabled key."),
        );
        world.set_enabled(&kid, true).await.unwrap();
    }
    for usage in each_use().into_iter().take(4) {
        let name = usage.operation();
        assert_refused(
            "op not in key_ops",
            world.use_as(&world.registry, &identifier, usage).await,
            forbidden("KeyOperationForbidden"),
            &format!("Operation {name} is not permitted on this key."),
        );
    }
}

#[tokio::test]
async fn key_outside_its_validity_refuses_to_wrap() {
    let world = World::new().await;
    let hour = SignedDuration::from_hours(1);
    let change = KeyChange {
        not_before: Some(world.clock.now() + hour),
        expires: Some(world.clock.now() + hour * 2),
        ..KeyChange::default()
    };
    world.create(KeyType::Rsa, change).await.unwrap();
    assert_refused(
        "not yet valid",
        world.wrap_as(&world.registry).await,
        forbidden("KeyNotYetValid"),
        "Operation wrapKey is not allowed on a key that is not yet valid.",
    );
    world.advance(hour * 2);
    assert_refused(
        "expired",
        world.wrap_as(&world.registry).await,
        forbidden("KeyExpired"),
        "Operation wrapKey is not allowed on an expired key.",
    );
}

#[tokio::test]
async fn name_of_a_deleted_key_is_refused_in_each_state() {
    let world = World::slow().await;
    let minute = SignedDuration::from_mins(1);
    world.create_ec_key().await.unwrap();
    world.delete_key().await.unwrap();
    assert_refused(
        "being deleted",
        world.create_ec_key().await,
        conflict("ObjectIsBeingDeleted"),
        "Key k1 is currently being deleted and cannot be re-created; retry later.",
    );
    // The text is from a recording of a purge.
    for refused in [world.purge_key().await, world.recover_key().await.map(drop)] {
        assert_refused(
            "being deleted",
            refused,
            conflict("ObjectIsBeingDeleted"),
            "Key is currently being deleted.",
        );
    }
    world.advance(minute);
    assert_refused(
        "name soft-deleted",
        world.create_ec_key().await,
        conflict("ObjectIsDeletedButRecoverable"),
        "Key k1 is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key can only be recovered or purged.",
    );
    world.recover_key().await.unwrap();
    assert_refused(
        "being recovered",
        world.create_ec_key().await,
        conflict("ObjectIsBeingRecovered"),
        "Key k1 is currently being recovered and cannot be re-created; retry later.",
    );
    assert_refused(
        "being recovered",
        world.purge_key().await,
        conflict("ObjectIsBeingRecovered"),
        "Key is currently being recovered.",
    );
}

#[tokio::test]
async fn unsupported_type_size_or_operation_of_a_key_is_refused() {
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
    assert_refused(
        "EC key for wrapping",
        world.create(KeyType::Ec, change.clone()).await,
        BAD,
        r#"Unsupported key operation(s): "wrapKey", "unwrapKey". Supported values are "sign", "verify"."#,
    );
    assert_refused(
        "imported EC key for wrapping",
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
        assert_refused(
            "unsupported type",
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
        assert_refused(
            "unsupported size",
            vaults
                .create_key(&operator(), &world.vault, &world.key, asked)
                .await,
            (400, "BadParameter", Some("KeySizeNotSupported")),
            &format!("Unsupported key size ({key_size}). Supported sizes are [{sizes}]"),
        );
    }
    assert_refused(
        "imported EC key without its curve",
        world
            .import("EC", r#""d":"AQ""#, false, KeyChange::default())
            .await,
        BAD,
        r#"The property "key" must be a valid JsonWebKey object."#,
    );
}

#[tokio::test]
async fn bad_parameters_are_refused() {
    let world = World::with(VaultSettings {
        sku: VaultSku::Standard,
        ..VaultSettings::default()
    })
    .await;
    let vaults = &world.vaults;
    for count in [0, 129] {
        assert_refused(
            "number of random bytes",
            vaults
                .random_bytes(&world.registry, &world.vault, Ok(count))
                .await,
            BAD,
            "GetRandomBytesRequest: count cannot be greater than 128 or less than 1",
        );
    }
    assert_refused(
        "hardware key in a standard vault",
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
    assert_refused(
        "algorithm for another curve",
        world
            .use_as(&world.registry, &world.identifier(), usage)
            .await,
        BAD,
        &format!(
            "Key and signing algorithm are incompatible. Key https://kv1.vault.localhost:5000/keys/k1/{version} uses curve 'P-256K', and algorithm 'ES256' can only be used with curve 'P-256'."
        ),
    );
    assert_eq!(world.file_count(), 2, "a refused request left files");
}

#[tokio::test]
async fn restore_over_a_used_name_is_a_conflict() {
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
        assert_refused(
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
    assert_eq!(world.file_count(), 4, "a refused request left files");
}
