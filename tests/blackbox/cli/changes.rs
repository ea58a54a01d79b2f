use std::{fs, os::unix::fs::PermissionsExt as _};

use sealock_tests::Emulator;
use serde_json::{Value, json};

use super::{assert_contains, assert_failure, assert_json, assert_success};

#[test]
#[expect(clippy::too_many_lines, reason = "a list of commands")]
fn key_and_vault_changes_are_reported_as_text_and_as_json() {
    let emulator = Emulator::start();
    let reports =
        |command: &[&str], sentence: &[&str]| assert_success(&emulator, command, sentence);
    let prints = |command: &[&str], pointer: &str, value: Value| {
        assert_json(&emulator, command, pointer, &value);
    };

    reports(
        &["vault", "create", "kv1", "--retention-days", "7"],
        &["created vault kv1 at https://kv1.vault.localhost:"],
    );
    prints(
        &["vault", "create", "kv3", "--rbac", "--sku", "standard"],
        "/sku",
        "standard".into(),
    );
    prints(&["vault", "show", "kv3"], "/rbac", true.into());
    reports(
        &["vault", "update", "kv3", "--rbac", "false"],
        &["updated vault kv3: access by policies, purge protection off, not failed over"],
    );
    prints(
        &["vault", "update", "kv3", "--purge-protection", "true"],
        "/purge_protection",
        true.into(),
    );
    reports(
        &["vault", "update", "kv3", "--failed-over", "true"],
        &["updated vault kv3: access by policies, purge protection on, failed over"],
    );
    prints(
        &["vault", "create", "kv2", "--purge-protection"],
        "/purge_protection",
        true.into(),
    );
    reports(
        &["key", "create", "k", "--vault", "kv1"],
        &["created https://kv1.vault.localhost:", "/keys/k/"],
    );
    prints(
        &["key", "create", "k", "--vault", "kv1", "--kty", "RSA-HSM"],
        "/versions/0/current",
        true.into(),
    );
    let versions = emulator.json(&["key", "show", "k", "--vault", "kv1"])["versions"].clone();
    let version = |current: bool| {
        let mut versions = versions.as_array().unwrap().iter();
        let version = versions
            .find(|version| version["current"] == current)
            .unwrap();
        version["version"].as_str().unwrap().to_owned()
    };
    let (old, current) = (version(false), version(true));
    reports(
        &["key", "disable", "k", "--vault", "kv1", "--version", &old],
        &["disabled https://kv1.", &old],
    );
    reports(
        &["key", "disable", "k", "--vault", "kv1"],
        &["disabled https://kv1.", &current],
    );
    prints(
        &["key", "show", "k", "--vault", "kv1"],
        "/enabled",
        false.into(),
    );
    reports(
        &["key", "enable", "k", "--vault", "kv1"],
        &["enabled https://kv1.", &current],
    );
    prints(
        &["key", "enable", "k", "--vault", "kv1", "--version", &old],
        "/enabled",
        true.into(),
    );
    reports(
        &["key", "rotate", "k", "--vault", "kv1"],
        &["rotated to https://kv1.", "/keys/k/"],
    );
    reports(
        &["key", "delete", "k", "--vault", "kv1"],
        &["deleted https://kv1.", "; it can be recovered until "],
    );
    prints(
        &["key", "list", "--vault", "kv1"],
        "/keys/0/state",
        "deleted".into(),
    );
    reports(
        &["key", "recover", "k", "--vault", "kv1"],
        &["recovered https://kv1."],
    );
    prints(
        &["key", "delete", "k", "--vault", "kv1"],
        "/state",
        "deleted".into(),
    );
    reports(
        &["key", "purge", "k", "--vault", "kv1", "--yes"],
        &["purged key k of vault kv1"],
    );
    prints(&["key", "list", "--vault", "kv1"], "/keys", json!([]));

    reports(
        &["vault", "delete", "kv1"],
        &["deleted vault kv1; it can be recovered until "],
    );
    reports(
        &["vault", "recover", "kv1"],
        &["recovered vault kv1 at https://kv1."],
    );
    prints(&["vault", "delete", "kv1"], "/state", "deleted".into());
    reports(&["vault", "purge", "kv1", "--yes"], &["purged vault kv1"]);
}

#[test]
fn operations_and_validity_of_a_key_are_updated_and_shown() {
    let emulator = Emulator::start();
    let curve = ["--kty", "EC", "--curve", "P-521", "--ops", "sign"];
    assert_success(
        &emulator,
        &[&["key", "create", "signer"], &curve[..]].concat(),
        &["created https://sealock.", "/keys/signer/"],
    );
    assert_success(
        &emulator,
        &["key", "update", "signer", "--ops", "verify,sign"],
        &["updated https://sealock.", "/keys/signer/"],
    );
    let times = [
        "--not-before",
        "2020-01-01T00:00:00Z",
        "--expires",
        "2030-01-01T01:00:00+01:00",
    ];
    let update = [&["key", "update", "signer"], &times[..]].concat();
    assert_json(
        &emulator,
        &update,
        "/versions/0/not_before",
        &"2020-01-01T00:00:00Z".into(),
    );
    let shown = emulator.cli(&["key", "show", "signer"]);
    for said in [
        "  type        EC P-521\n",
        "  operations  verify, sign\n",
        "  not before  2020-01-01T00:00:00Z\n",
        "  expires     2030-01-01T00:00:00Z\n",
    ] {
        assert_contains(&shown, &[said], "key show");
    }
    // An older version is unchanged.
    let old = emulator.json(&["key", "show", "signer"])["versions"][0]["version"].clone();
    emulator.cli(&["key", "create", "signer", "--kty", "EC-HSM"]);
    let by_version = ["--version", old.as_str().unwrap(), "--ops", "verify"];
    assert_success(
        &emulator,
        &[&["key", "update", "signer"], &by_version[..]].concat(),
        &["updated ", old.as_str().unwrap()],
    );
    let versions = emulator.json(&["key", "show", "signer"])["versions"].clone();
    let operations = versions
        .as_array()
        .unwrap()
        .iter()
        .map(|version| &version["key_ops"]);
    assert_eq!(
        operations.collect::<Vec<_>>(),
        [&json!(["sign", "verify"]), &json!(["verify"])]
    );
}

#[test]
fn backup_is_private_to_its_owner_and_restores_all_versions() {
    let emulator = Emulator::start();
    emulator.cli(&["key", "rotate"]);
    let before = emulator.json(&["key", "show"]);
    let file = emulator.data_dir().parent().unwrap().join("key.backup");
    fs::write(&file, "an older backup").unwrap();
    assert_success(
        &emulator,
        &["key", "backup", "--file", "key.backup"],
        &["backed up registry-key of vault sealock to key.backup"],
    );
    let backup = fs::read(&file).unwrap();
    assert!(backup.starts_with(b"&AzureKeyVaultKeyBackupV1.microsoft.com."));
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_failure(
        &emulator,
        &["key", "backup", "nope", "--file", "key.backup"],
        1,
    );
    assert_eq!(
        fs::read(&file).unwrap(),
        backup,
        "what fails replaces nothing"
    );
    assert_failure(
        &emulator,
        &["key", "backup", "--file", "nowhere/key.backup"],
        1,
    );

    let restore = ["key", "restore", "--file", "key.backup"];
    let conflict = assert_failure(&emulator, &restore, 1);
    assert_contains(
        &conflict,
        &[
            "There was a conflict restoring the key",
            "sealock key delete registry-key",
        ],
        "a key that is there",
    );
    emulator.cli(&["key", "delete"]);
    assert_failure(&emulator, &restore, 1);
    emulator.cli(&["key", "purge", "--yes"]);
    assert_success(
        &emulator,
        &restore,
        &["restored https://sealock.", "/keys/registry-key/"],
    );
    assert_eq!(
        emulator.json(&["key", "show"])["versions"],
        before["versions"]
    );

    // Another emulator cannot restore it.
    let another = Emulator::start();
    another.cli(&["key", "delete"]);
    another.cli(&["key", "purge", "--yes"]);
    let foreign = [&restore[..3], &[file.to_str().unwrap()]].concat();
    assert_failure(&another, &foreign, 1);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a list of commands")]
fn identity_and_registry_changes_are_reported_as_text_and_as_json() {
    let emulator = Emulator::start();
    let reports =
        |command: &[&str], sentence: &[&str]| assert_success(&emulator, command, sentence);
    let prints = |command: &[&str], pointer: &str, value: Value| {
        assert_json(&emulator, command, pointer, &value);
    };

    reports(
        &["identity", "create", "another"],
        &["created identity another, client "],
    );
    reports(
        &["identity", "create", "another"],
        &["identity another already exists, client "],
    );
    reports(
        &[
            "access",
            "grant",
            "--identity",
            "another",
            "--permissions",
            "get,wrapKey",
        ],
        &["another now has get, wrapKey in vault sealock"],
    );
    reports(
        &["access", "revoke", "--identity", "another"],
        &["another now has no key permissions in vault sealock"],
    );
    prints(
        &["access", "grant", "--identity", "another"],
        "/permissions",
        json!(["get", "wrapKey", "unwrapKey"]),
    );

    let create = [
        "registry",
        "create",
        "second",
        "--key",
        "sealock/registry-key",
        "--identity",
        "another",
    ];
    reports(
        &create,
        &["created registry second at second.azurecr.localhost:"],
    );
    let created = emulator.json(&["registry", "show", "second"]);
    reports(
        &create,
        &["registry second exists with these settings at second.azurecr.localhost:"],
    );
    assert_eq!(
        emulator.json(&create),
        created,
        "asking twice changes nothing"
    );
    reports(
        &["registry", "create", "plain", "--sku", "basic"],
        &["created registry plain at plain.azurecr.localhost:"],
    );
    reports(
        &["registry", "create", "plain", "--sku", "Standard"],
        &["registry plain exists with these settings"],
    );
    prints(&["registry", "show", "plain"], "/sku", "Standard".into());
    prints(
        &["registry", "show", "plain"],
        "/encryption/status",
        "disabled".into(),
    );
    reports(
        &["registry", "rotate-key", "second"],
        &[
            "rotated registry second to https://sealock.vault.localhost:",
            "/keys/registry-key/",
        ],
    );

    let deleted = emulator.json(&["identity", "delete", "another"]);
    assert_eq!(deleted["effect"]["revoked"][0]["registry"], "second");
    assert_contains(
        &emulator.cli(&["access", "list"]),
        &["(deleted: "],
        "the policy of an identity that is gone",
    );
    assert_contains(
        &emulator.cli(&["registry", "show", "second"]),
        &["revoked: IdentityNotFound since "],
        "revoked",
    );
    assert_contains(
        &emulator.cli(&["registry", "list"]),
        &["revoked (IdentityNotFound)"],
        "revoked",
    );
    emulator.cli(&["key", "disable"]);
    let status = emulator.cli(&["status"]);
    assert_contains(
        &status,
        &[
            "sealock  revoked: KeyDisabled since ",
            "message",
            "https://aka.ms/acr/cmk",
        ],
        "status",
    );
    assert_contains(&status, &["plain  available"], "status");
}
