use std::thread;

use sealock_tests::{Client, Emulator, Image};
use serde_json::{Value, json};

/// Starts an emulator whose registry has an image `app:v1`.
fn with_image() -> (Emulator, Client, Image) {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[70_000, 5]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    (emulator, client, image)
}

fn encryption(emulator: &Emulator) -> Value {
    emulator.json(&["registry", "show"])["encryption"].clone()
}

/// Returns the versions of the registry's key, newest first.
fn versions(emulator: &Emulator) -> Vec<String> {
    let key = emulator.json(&["key", "show"]);
    let versions = key["versions"].as_array().unwrap().iter();
    versions
        .map(|version| version["version"].as_str().unwrap().to_owned())
        .collect()
}

fn uses(emulator: &Emulator, version: &str) -> bool {
    let kid = encryption(emulator)["versioned_key_identifier"].clone();
    kid.as_str().unwrap().ends_with(&format!("/{version}"))
}

/// Checks that a command is refused with a message that contains `text`.
fn refused(emulator: &Emulator, command: &[&str], text: &str) {
    let output = emulator.run(command);
    assert_eq!(output.code, 1, "{command:?}: {output:?}");
    assert!(
        output.stderr.contains(text),
        "{command:?}: {}",
        output.stderr
    );
}

#[test]
fn registry_with_an_unversioned_key_has_followed_when_rotate_returns() {
    let (mut emulator, client, image) = with_image();
    assert_eq!(encryption(&emulator)["last_key_rotation"], Value::Null);
    emulator.cli(&["key", "rotate"]);
    let [new, old] = versions(&emulator).try_into().unwrap();

    // Sends no request to the registry first, since that would evaluate its gate.
    emulator.cli(&["key", "disable", "--version", &old]);
    assert_eq!(client.pull("app", "v1", &image).status, 200);
    assert_eq!(client.push("app", "v2", &Image::random(&[10])).status, 201);
    assert!(uses(&emulator, &new));
    let encryption = encryption(&emulator);
    assert_eq!(encryption["key_rotation_enabled"], true);
    assert!(encryption["last_key_rotation"].is_string());

    emulator.restart();
    let client = emulator.client();
    assert_eq!(client.pull("app", "v1", &image).status, 200);
    emulator.cli(&["key", "disable"]);
    assert_eq!(client.get("/v2/app/manifests/v1").status, 403);
}

#[test]
fn new_version_by_create_counts_as_a_rotation() {
    let (emulator, client, image) = with_image();
    emulator.cli(&["key", "create", "registry-key", "--size", "3072"]);
    let newest = versions(&emulator).remove(0);
    assert!(uses(&emulator, &newest));
    assert_eq!(client.pull("app", "v1", &image).status, 200);
}

#[test]
fn registry_follows_a_rotation_by_policy() {
    let (emulator, client, image) = with_image();
    let policy = r#"{
        "lifetimeActions": [{"trigger": {"timeAfterCreate": "P15D"}, "action": {"type": "Rotate"}}],
        "attributes": {"expiryTime": "P30D"}
    }"#;
    let dir = emulator.data_dir();
    std::fs::write(dir.parent().unwrap().join("policy.json"), policy).unwrap();
    let said = emulator.cli(&["key", "rotation-policy", "update", "--file", "policy.json"]);
    assert!(
        said.contains("Rotate               P15D after creation\n"),
        "{said}"
    );
    emulator.cli(&["clock", "advance", "14d"]);
    assert_eq!(versions(&emulator).len(), 1);
    emulator.cli(&["clock", "advance", "2d"]);
    let newest = versions(&emulator).remove(0);
    assert_eq!(versions(&emulator).len(), 2);
    assert!(uses(&emulator, &newest));
    assert_eq!(client.pull("app", "v1", &image).status, 200);
    let expires = &emulator.json(&["key", "show"])["versions"][0]["expires"];
    assert!(expires.is_string(), "{expires}");
}

#[test]
fn registry_left_behind_follows_once_it_can() {
    let (emulator, client, image) = with_image();
    let old = versions(&emulator).remove(0);
    emulator.cli(&["key", "disable"]);
    let rotated = emulator.cli(&["key", "rotate"]);
    assert!(
        rotated.contains("warning: registry sealock cannot follow its key: KeyDisabled"),
        "{rotated}"
    );
    let new = versions(&emulator).remove(0);
    assert_eq!(
        client.get("/v2/app/manifests/v1").status,
        403,
        "the old version is what wraps the DEK"
    );
    let gate = &emulator.json(&["status"])["registries"][0]["gate"];
    let restore = json!({
        "action": "enable_key", "vault": "sealock", "key": "registry-key", "version": old
    });
    assert_eq!(gate["restore"], restore);
    emulator.cli(&["key", "enable", "--version", &old]);
    assert_eq!(client.pull("app", "v1", &image).status, 200);
    assert!(uses(&emulator, &new));

    emulator.cli(&["access", "revoke", "--permissions", "wrapKey"]);
    emulator.cli(&["key", "rotate"]);
    let newer = versions(&emulator).remove(0);
    assert_eq!(
        client.pull("app", "v1", &image).status,
        200,
        "the old version still unwraps"
    );
    assert!(uses(&emulator, &new));
    emulator.cli(&["access", "grant", "--permissions", "wrapKey"]);
    assert_eq!(client.pull("app", "v1", &image).status, 200);
    assert!(uses(&emulator, &newer));
}

#[test]
fn registry_ahead_of_a_rotation_is_not_reported_as_left_behind() {
    let (emulator, client, image) = with_image();
    let rotate = || {
        let path = "/_sealock/v1/vaults/sealock/keys/registry-key/rotate";
        let answer = emulator.client().send("POST", path, &[], b"");
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["effect"]["behind"].clone()
    };
    let behind = thread::scope(|scope| {
        let rotations: Vec<_> = (0..8).map(|_| scope.spawn(rotate)).collect();
        let rotations = rotations.into_iter();
        rotations.map(|it| it.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(behind, vec![json!([]); 8]);
    assert!(uses(&emulator, &versions(&emulator)[0]));
    assert_eq!(client.pull("app", "v1", &image).status, 200);
}

#[test]
fn registry_with_a_versioned_key_stays_until_rotated_explicitly() {
    let (emulator, client, image) = with_image();
    let old = versions(&emulator).remove(0);
    emulator.cli(&[
        "registry",
        "rotate-key",
        "--key",
        &format!("sealock/registry-key/{old}"),
    ]);
    assert_eq!(encryption(&emulator)["key_rotation_enabled"], false);
    emulator.cli(&["key", "rotate"]);
    let new = versions(&emulator).remove(0);
    assert!(uses(&emulator, &old), "nothing moves by itself");

    emulator.cli(&[
        "registry",
        "rotate-key",
        "--key",
        &format!("sealock/registry-key/{new}"),
    ]);
    assert!(uses(&emulator, &new));
    emulator.cli(&["key", "disable", "--version", &old]);
    assert_eq!(client.pull("app", "v1", &image).status, 200);

    emulator.cli(&["registry", "rotate-key", "--key", "sealock/registry-key"]);
    assert_eq!(encryption(&emulator)["key_rotation_enabled"], true);
}

#[test]
fn registry_moves_to_another_key_vault_and_identity() {
    let (emulator, client, image) = with_image();
    emulator.cli(&["vault", "create", "other-vault"]);
    emulator.cli(&["key", "create", "other-key", "--vault", "other-vault"]);
    let to_other = ["registry", "rotate-key", "--key", "other-vault/other-key"];
    refused(
        &emulator,
        &to_other,
        "Failed to access KeyId 'https://other-vault.vault.",
    );
    refused(
        &emulator,
        &to_other,
        "'Get, Wrap Key, Unwrap Key' permission",
    );
    assert_eq!(
        client.pull("app", "v1", &image).status,
        200,
        "a refused rotation changes nothing"
    );

    emulator.cli(&["access", "grant", "--vault", "other-vault"]);
    emulator.cli(&to_other);
    emulator.cli(&["vault", "delete", "sealock"]);
    assert_eq!(
        client.pull("app", "v1", &image).status,
        200,
        "the first vault is not needed any more"
    );

    emulator.cli(&["identity", "create", "second-identity"]);
    let to_second = ["registry", "rotate-key", "--identity", "second-identity"];
    refused(&emulator, &to_second, "Failed to access KeyId");
    emulator.cli(&[
        "access",
        "grant",
        "--vault",
        "other-vault",
        "--identity",
        "second-identity",
    ]);
    emulator.cli(&to_second);
    emulator.cli(&["identity", "delete", "registry-identity"]);
    assert_eq!(
        client.pull("app", "v1", &image).status,
        200,
        "the first identity is not needed any more"
    );
    assert_eq!(encryption(&emulator)["identity"]["name"], "second-identity");
}

#[test]
fn rotation_is_refused_while_the_current_key_or_identity_is_missing() {
    let (emulator, ..) = with_image();
    emulator.cli(&["key", "create", "other-key"]);
    let to_other = ["registry", "rotate-key", "--key", "sealock/other-key"];
    for (revoke, restore) in [("disable", "enable"), ("delete", "recover")] {
        emulator.cli(&["key", revoke]);
        refused(
            &emulator,
            &to_other,
            "Failed to access KeyId 'https://sealock.vault.",
        );
        emulator.cli(&["key", restore]);
    }
    for unusable in [
        "sealock/unknown-key",
        "unknown-vault/key",
        "sealock/other-key/00000000000000000000000000000000",
    ] {
        refused(
            &emulator,
            &["registry", "rotate-key", "--key", unusable],
            "Failed to access KeyId",
        );
    }
    emulator.cli(&["key", "disable", "other-key"]);
    refused(&emulator, &to_other, "Failed to access KeyId");

    emulator.cli(&["identity", "delete"]);
    refused(
        &emulator,
        &["registry", "rotate-key"],
        "does not have access to identity",
    );
    refused(
        &emulator,
        &["registry", "rotate-key"],
        "Try forcibly adding the identity to the registry sealock.",
    );
}

#[test]
fn purged_key_makes_the_content_unreadable_for_good() {
    let (mut emulator, client, image) = with_image();
    emulator.cli(&["key", "delete"]);
    emulator.cli(&["key", "purge", "--yes"]);
    let denied = |client: &Client, when: &str| {
        let answer = client.get("/v2/app/manifests/v1");
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (403, "DENIED"),
            "{when}"
        );
        assert_eq!(
            answer.json()["errors"][0]["detail"]["cause"],
            "KeyNotFound",
            "{when}"
        );
    };
    denied(&client, "after the purge");
    emulator.restart();
    let client = emulator.client();
    denied(&client, "after a restart");
    emulator.cli(&["key", "create", "registry-key"]);
    denied(&client, "after a new key of the same name");
    refused(
        &emulator,
        &["registry", "rotate-key"],
        "Failed to access KeyId",
    );
    refused(
        &emulator,
        &["registry", "rotate-key", "--key", "sealock/registry-key"],
        "Failed to access KeyId",
    );
    emulator.cli(&["key", "rotate"]);
    denied(&client, "after a rotation");
    assert_eq!(client.push("app", "v2", &image).status, 403);
    assert_eq!(client.get("/v2/").code(), "UNAUTHORIZED");
}

#[test]
fn registry_follows_its_key_in_any_case_of_its_name() {
    let (emulator, client, image) = with_image();
    emulator.cli(&["key", "rotate", "REGISTRY-KEY"]);
    let [new, old] = versions(&emulator).try_into().unwrap();
    assert!(uses(&emulator, &new));
    emulator.cli(&["registry", "rotate-key", "--key", "sealock/Registry-Key"]);
    emulator.cli(&["key", "create", "Registry-Key"]);
    let newest = versions(&emulator).remove(0);
    assert!(uses(&emulator, &newest));
    for version in [&old, &new] {
        emulator.cli(&["key", "disable", "Registry-key", "--version", version]);
    }
    assert_eq!(client.pull("app", "v1", &image).status, 200);
    emulator.cli(&["key", "disable", "Registry-key"]);
    assert_eq!(client.get("/v2/app/manifests/v1").status, 403);
}
