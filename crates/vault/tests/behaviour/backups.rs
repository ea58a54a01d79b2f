use std::slice;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use sealock_core::{KeyName, VaultName};
use sealock_vault::{
    EncryptionAlgorithm, Error, Key, KeyChange, KeyOperation, KeyType, Result, RotationPolicyView,
    VaultSettings, VaultSku,
};

use crate::calls::KeyUse;
use crate::world::{SECRET, World, operator, refused, wire};

const BAD: (u16, &str, Option<&str>) = (400, "BadParameter", None);

impl World {
    pub(crate) async fn backup(&self) -> String {
        let vaults = &self.vaults;
        let backup = vaults.backup_key(&operator(), &self.vault, &self.key).await;
        backup.unwrap()
    }

    pub(crate) async fn restore(&self, vault: &VaultName, backup: &str) -> Result<Key> {
        let backup = Ok(backup.to_owned());
        self.vaults.restore_key(&operator(), vault, backup).await
    }

    async fn create_vault(&self, name: &str, sku: VaultSku) -> VaultName {
        let vault = name.parse().unwrap();
        let settings = VaultSettings {
            sku,
            ..VaultSettings::default()
        };
        self.vaults
            .create_vault(&operator(), &vault, settings)
            .await
            .unwrap();
        vault
    }

    /// Asserts that the vault has only `keys`, and the disk only their files.
    async fn assert_only(&self, vault: &VaultName, keys: &[Key]) {
        let found = self.vaults.keys(&operator(), vault).await.unwrap();
        assert_eq!(found, keys);
        let versions: usize = keys.iter().map(|key| key.versions().count()).sum();
        assert_eq!(self.file_count(), 2 * versions);
        assert_eq!(self.vaults.sweep().await.unwrap().files, 0);
    }
}

#[tokio::test]
async fn restored_key_equals_the_key_that_was_backed_up() {
    let world = World::new().await;
    let first = world.create_key().await.unwrap().current.kid;
    let wrapped = world.wrap(&first).await.unwrap();
    world.advance_days(1);
    let now = world.clock.now();
    let change = KeyChange {
        key_ops: Some(vec![KeyOperation::Verify, KeyOperation::Sign]),
        not_before: Some(now + SignedDuration::from_hours(1)),
        expires: Some(now + SignedDuration::from_hours(9)),
        enabled: Some(false),
        tags: Some(
            (0..15)
                .map(|n| (format!("{n}"), "\u{1F511}".repeat(256)))
                .collect(),
        ),
        ..KeyChange::default()
    };
    world.create(KeyType::EcHsm, change).await.unwrap();
    world.advance_days(1);
    world
        .create(KeyType::OctHsm, KeyChange::default())
        .await
        .unwrap();
    let before = world.whole_key().await.unwrap();
    let types = [KeyType::OctHsm, KeyType::EcHsm, KeyType::Rsa];
    assert!(before.versions().map(|version| version.kty).eq(types));

    let backup = world.backup().await;
    world.rotate_key().await.unwrap();
    world.delete_and_purge_key().await;
    world.advance_days(100);
    let restored = world.restore(&world.vault, &backup).await.unwrap();
    assert_eq!(restored, before);
    assert_eq!(world.whole_key().await.unwrap(), before);
    assert_eq!(*world.unwrap(&first, &wrapped).await.unwrap(), SECRET);
    world
        .assert_only(&world.vault, slice::from_ref(&before))
        .await;

    // The restored key can be rotated.
    let rotated = world.rotate_key().await.unwrap();
    assert!(rotated.older.iter().eq(before.versions()));
}

/// The vault must be in the same subscription and geography. Name and versions stay the same.
#[tokio::test]
async fn padded_backup_is_restored_in_another_vault() {
    let world = World::new().await;
    let kid = world.create_key().await.unwrap().current.kid;
    let wrapped = world.wrap(&kid).await.unwrap();
    let other = world.create_vault("kv2", VaultSku::Standard).await;
    let backup = world.backup().await + "==";
    let restored = world.restore(&other, &backup).await.unwrap().current.kid;
    assert_eq!(
        (&restored.vault, &restored.key, &restored.version),
        (&other, &kid.key, &kid.version)
    );
    let usage = KeyUse::UnwrapKey {
        algorithm: EncryptionAlgorithm::RsaOaep256,
        value: wrapped,
    };
    let unwrapped = world
        .use_as(&operator(), &restored.identifier(), usage)
        .await;
    assert_eq!(*unwrapped.unwrap(), SECRET);
}

#[tokio::test]
async fn damaged_or_foreign_backup_is_refused_and_leaves_nothing() {
    let world = World::new().await;
    world.create_ec_key().await.unwrap();
    let backup = world.backup().await;
    world.delete_and_purge_key().await;

    let elsewhere = World::new().await;
    elsewhere.create_ec_key().await.unwrap();
    let foreign = elsewhere.backup().await;
    let decoded = String::from_utf8(URL_SAFE_NO_PAD.decode(&backup).unwrap()).unwrap();
    let encode = |decoded: &str| URL_SAFE_NO_PAD.encode(decoded);
    let (start, sealed) = decoded.rsplit_once('.').unwrap();
    let (prefix, header) = start.rsplit_once('.').unwrap();
    assert_eq!(prefix, "&AzureKeyVaultKeyBackupV1.microsoft.com");
    let original = String::from_utf8(URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    let in_other_geography = original.replace("United States", "Europe");
    let in_other_subscription = original.replace("00000000-0000", "11111111-0000");
    assert!(in_other_geography != original && in_other_subscription != original);
    let with_header = |header: &str| encode(&format!("{prefix}.{}.{sealed}", encode(header)));
    assert_eq!(with_header(&original), backup);

    let damaged = |index: usize| {
        let mut bytes = URL_SAFE_NO_PAD.decode(sealed).unwrap();
        let index = index % bytes.len();
        bytes[index] ^= 1;
        let sealed = URL_SAFE_NO_PAD.encode(bytes);
        encode(&format!("{start}.{sealed}"))
    };
    let cannot_be_opened = "Cannot decrypt backup blob.";
    let corrupt = "Backup blob is corrupt.";
    let not_encoded = "Content of 'value' is not base64url.\r\nProperty 'value' is required.\r\n";
    let long = "A".repeat(1 << 20);
    for (given, why) in [
        (foreign, cannot_be_opened),
        (damaged(0), cannot_be_opened),
        (damaged(100), cannot_be_opened),
        (damaged(usize::MAX), cannot_be_opened),
        (encode(&format!("{start}.")), cannot_be_opened),
        (
            encode(&format!("{start}.{}", &sealed[..80])),
            cannot_be_opened,
        ),
        (with_header(&in_other_geography), cannot_be_opened),
        (with_header(&in_other_subscription), cannot_be_opened),
        (with_header("{}"), cannot_be_opened),
        (with_header("not JSON"), cannot_be_opened),
        (encode(start), corrupt),
        (encode(prefix), corrupt),
        (encode(&format!("{start}.{sealed}.")), corrupt),
        (encode("junk"), corrupt),
        (
            encode(&format!("{start}.{}", &sealed[..sealed.len() / 8 * 4])),
            cannot_be_opened,
        ),
        (String::new(), corrupt),
        (long, corrupt),
        (format!("{backup}!"), not_encoded),
    ] {
        let error = refused(world.restore(&world.vault, &given).await);
        let given: String = given.chars().take(200).collect();
        assert_eq!(error.to_string(), why, "{given}");
        let code = match why {
            why if why == not_encoded => "BadParameter",
            _ => "Malformed backup blob",
        };
        assert_eq!((error.status(), error.code()), (400, code), "{given}");
        let is_sealed = matches!(error, Error::BackupNotDecrypted { .. });
        assert_eq!(is_sealed, why == cannot_be_opened, "{given}");
    }
    world.assert_only(&world.vault, &[]).await;
    world.restore(&world.vault, &backup).await.unwrap();
}

#[tokio::test]
async fn standard_vault_refuses_to_restore_a_hardware_key() {
    let world = World::new().await;
    world
        .create(KeyType::Ec, KeyChange::default())
        .await
        .unwrap();
    let mixed = world.create(KeyType::EcHsm, KeyChange::default()).await;
    let standard = world.create_vault("kv2", VaultSku::Standard).await;
    let backup = world.backup().await;
    let refused = world.restore(&standard, &backup).await;
    assert_eq!(wire(refused), BAD);
    assert!(
        world
            .vaults
            .keys(&operator(), &standard)
            .await
            .unwrap()
            .is_empty()
    );
    world.assert_only(&world.vault, &[mixed.unwrap()]).await;
}

#[tokio::test]
async fn missing_or_deleted_key_refuses_to_be_backed_up() {
    let world = World::new().await;
    let (vaults, vault) = (&world.vaults, &world.vault);
    let backup = async |key: &KeyName| wire(vaults.backup_key(&operator(), vault, key).await);
    let missing = (404, "KeyNotFound", None);
    assert_eq!(backup(&world.key).await, missing);
    world.create_ec_key().await.unwrap();
    world.delete_key().await.unwrap();
    assert_eq!(backup(&world.key).await, missing);
}

/// A backup contains the key without its rotation policy.
#[tokio::test]
async fn restored_key_has_the_default_rotation_policy() {
    let world = World::new().await;
    world.create_ec_key().await.unwrap();
    let (vaults, vault, key) = (&world.vaults, &world.vault, &world.key);
    let policy = async || {
        let policy = vaults.rotation_policy(&operator(), vault, key).await;
        policy.unwrap()
    };
    let by_default: RotationPolicyView = policy().await;
    vaults
        .set_rotation_policy(&operator(), vault, key, Ok(by_default.policy.clone()))
        .await
        .unwrap();
    let backup = world.backup().await;
    world.delete_and_purge_key().await;
    world.restore(vault, &backup).await.unwrap();
    assert_eq!(policy().await, by_default);
}

/// The losers leave no files.
#[tokio::test]
async fn one_of_concurrent_restores_and_creations_wins() {
    let world = World::new().await;
    world.create_ec_key().await.unwrap();
    let backup = world.backup().await;
    world.delete_and_purge_key().await;
    let (one, other, created) = tokio::join!(
        world.restore(&world.vault, &backup),
        world.restore(&world.vault, &backup),
        world.create_ec_key(),
    );
    let restored = usize::from(one.is_ok()) + usize::from(other.is_ok());
    assert!(restored <= 1);
    let versions = restored + usize::from(created.is_ok());
    let shown = world.whole_key().await.unwrap();
    assert_eq!(shown.versions().count(), versions);
    world.assert_only(&world.vault, &[shown]).await;
}
