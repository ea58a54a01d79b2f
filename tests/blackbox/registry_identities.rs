//! The identity that uses a registry's key, removed and assigned again.

use sealock_tests::{Client, Emulator, Image, Options};
use serde_json::json;

use crate::{
    resource_manager::{Arm, code, registry_path},
    ways::IDENTITY_INACTIVE,
};

/// Azure's 90 days, less an hour.
const ALMOST_90_DAYS: &str = "2159h";

/// The path of the quickstart's identity in Resource Manager.
const IDENTITY: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/sealock/providers/Microsoft.ManagedIdentity/userAssignedIdentities/registry-identity";

fn as_in_azure() -> Emulator {
    Emulator::start_with(Options {
        environment: vec![("SEALOCK_CMK__PROPAGATION".to_owned(), "azure".to_owned())],
        ..Options::default()
    })
}

fn pushed(client: &Client) -> Image {
    let image = Image::random(&[1000]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    image
}

fn assert_inactive(client: &Client) {
    let refused = client.get("/v2/app/manifests/v1");
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_eq!(refused.json()["errors"][0]["message"], IDENTITY_INACTIVE);
}

#[test]
fn removed_identity_serves_until_its_credential_expires() {
    let emulator = as_in_azure();
    let client = emulator.client();
    let image = pushed(&client);
    let removed = emulator.cli(&["registry", "identity", "remove", "registry-identity"]);
    assert!(
        removed.contains("will be revoked at") && removed.contains("IdentityDetached"),
        "{removed}"
    );
    emulator.cli(&["clock", "advance", ALMOST_90_DAYS]);
    assert_eq!(client.pull("app", "v1", &image).status, 200);
    let refused = emulator.run(&["registry", "rotate-key"]);
    assert!(
        refused.stderr.contains("does not have access to identity"),
        "{refused:?}"
    );
    emulator.cli(&["clock", "advance", "1h"]);
    assert_inactive(&client);
    assert_eq!(
        emulator.json(&["registry", "show"])["gate"]["cause"],
        "IdentityDetached"
    );

    let assigned = emulator.cli(&["registry", "identity", "assign", "registry-identity"]);
    assert!(assigned.contains("is available"), "{assigned}");
    assert_eq!(client.pull("app", "v1", &image).status, 200);
    emulator.cli(&["registry", "rotate-key"]);
}

#[test]
fn deleted_identity_serves_until_its_credential_expires_and_another_takes_its_place() {
    let mut emulator = as_in_azure();
    let image = pushed(&emulator.client());
    let deleted = emulator.cli(&["identity", "delete"]);
    assert!(
        deleted.contains("will be revoked at") && deleted.contains("IdentityNotFound"),
        "{deleted}"
    );
    // The vault still knows the identity, and still decides.
    emulator.cli(&["clock", "advance", ALMOST_90_DAYS]);
    assert_eq!(emulator.client().pull("app", "v1", &image).status, 200);
    emulator.cli(&["key", "disable"]);
    emulator.restart();
    let refused = emulator.client().get("/v2/app/manifests/v1");
    assert_eq!(
        refused.json()["errors"][0]["detail"]["cause"],
        "KeyDisabled"
    );
    emulator.cli(&["key", "enable"]);
    emulator.cli(&["clock", "advance", "1h"]);
    assert_inactive(&emulator.client());

    emulator.cli(&["identity", "create"]);
    emulator.cli(&["registry", "identity", "assign", "registry-identity"]);
    // It may not use the key yet.
    assert_inactive(&emulator.client());
    emulator.cli(&["access", "grant"]);
    let assigned = emulator.cli(&["registry", "identity", "assign", "registry-identity"]);
    assert!(assigned.contains("is available"), "{assigned}");
    assert_eq!(emulator.client().pull("app", "v1", &image).status, 200);
    let identity = emulator.json(&["identity", "show"])["client_id"].clone();
    let encryption = emulator.json(&["registry", "show"])["encryption"].clone();
    assert_eq!(encryption["identity"]["client_id"], identity);
}

#[test]
fn credential_lifetime_is_a_setting() {
    let lifetime = "SEALOCK_CMK__IDENTITY_CREDENTIAL_LIFETIME";
    let emulator = Emulator::start_with(Options {
        environment: vec![
            ("SEALOCK_CMK__PROPAGATION".to_owned(), "azure".to_owned()),
            (lifetime.to_owned(), "24h".to_owned()),
        ],
        ..Options::default()
    });
    let client = emulator.client();
    let image = pushed(&client);
    emulator.cli(&["identity", "delete"]);
    emulator.cli(&["clock", "advance", "23h"]);
    assert_eq!(client.pull("app", "v1", &image).status, 200);
    emulator.cli(&["clock", "advance", "1h"]);
    assert_inactive(&client);
}

#[test]
fn removal_of_the_identity_in_use_fails_in_resource_manager_and_detaches_it() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = pushed(&client);
    let arm = Arm::developer(&emulator);
    let registry = registry_path("sealock", "sealock");
    let tags = arm.get(&registry).json()["tags"].clone();

    let removal = json!({"identity": {"type": "None"}, "tags": {"a": "b"}});
    let refused = arm.send("PATCH", &registry, &removal);
    assert_eq!(
        (refused.status, code(&refused)),
        (400, "IdentityNotAssigned".to_owned())
    );
    let client_id = emulator.json(&["identity", "show"])["client_id"].clone();
    let message = refused.json()["error"]["message"].clone();
    assert_eq!(
        message,
        format!(
            "Azure resource '/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/sealock/providers/Microsoft.ContainerRegistry/registries/sealock' does not have access to identity '{}' Try forcibly adding the identity to the registry sealock. For more information on bring your own key, please visit 'https://aka.ms/acr/cmk'.",
            client_id.as_str().unwrap()
        )
    );
    let shown = arm.get(&registry).json();
    assert_eq!(
        (&shown["tags"], shown.get("identity")),
        (&tags, None),
        "nothing else is changed"
    );
    assert_inactive(&client);
    // What does not name identities still works.
    let tagged = arm.send("PATCH", &registry, &json!({"tags": {"a": "b"}}));
    assert_eq!(tagged.status, 200, "{tagged:?}");

    let assignment =
        json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}});
    assert_eq!(arm.send("PATCH", &registry, &assignment).status, 201);
    assert_eq!(client.pull("app", "v1", &image).status, 200);
}

#[test]
fn identities_of_a_registry_are_listed_assigned_and_removed() {
    let emulator = Emulator::start();
    let list = || emulator.json(&["registry", "identity", "list"])["identities"].clone();
    let named = |name: &str| {
        let list = list();
        let mut listed = list.as_array().unwrap().iter();
        listed.find(|it| it["name"] == name).cloned()
    };
    assert_eq!(named("registry-identity").unwrap()["uses_key"], true);
    emulator.cli(&["registry", "identity", "assign", "system"]);
    assert_eq!(named("system").unwrap()["uses_key"], false);
    emulator.cli(&["registry", "identity", "remove", "system"]);
    assert_eq!(named("system"), None);
    let unknown = emulator.run(&["registry", "identity", "assign", "nobody"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.stderr.contains("'nobody' was not found"));
    emulator.cli(&["identity", "create", "second"]);
    // A repetition changes nothing.
    for _ in 0..2 {
        emulator.cli(&["registry", "identity", "assign", "second"]);
    }
    assert_eq!(list().as_array().unwrap().len(), 2);
    emulator.cli(&["registry", "identity", "remove", "second"]);
    let twice = emulator.run(&["registry", "identity", "remove", "second"]);
    assert!(
        twice
            .stderr
            .contains("is not assigned to the registry sealock"),
        "{twice:?}"
    );
}

#[test]
fn patch_removes_each_identity_that_it_names_as_null() {
    let emulator = Emulator::start();
    let arm = Arm::developer(&emulator);
    let ids: Vec<String> = ["first", "second", "third"]
        .iter()
        .map(|name| {
            let created = arm.create_identity("sealock", name);
            emulator.cli(&["registry", "identity", "assign", name]);
            created["id"].as_str().unwrap().to_owned()
        })
        .collect();
    let registry = registry_path("sealock", "sealock");
    let change = json!({&ids[0]: {}, &ids[1]: null, &ids[2]: null});
    let body = json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": change}});
    assert_eq!(arm.send("PATCH", &registry, &body).status, 201);
    let shown = arm.get(&registry).json();
    let shown = shown["identity"]["userAssignedIdentities"].as_object();
    let mut kept: Vec<&String> = shown.unwrap().keys().collect();
    kept.sort();
    assert_eq!(kept, [&ids[0], IDENTITY]);
}

#[test]
fn detached_identity_is_refused_in_an_unchanged_encryption() {
    let emulator = Emulator::start();
    let arm = Arm::developer(&emulator);
    let registry = registry_path("sealock", "sealock");
    let properties = arm.get(&registry).json()["properties"].clone();
    emulator.cli(&["registry", "identity", "remove", "registry-identity"]);
    let encryption = json!({"properties": {"encryption": properties["encryption"]}});
    let refused = arm.send("PATCH", &registry, &encryption);
    assert_eq!(
        (refused.status, code(&refused)),
        (400, "IdentityNotAssigned".to_owned())
    );
}

#[test]
fn recreated_identity_takes_the_place_of_its_predecessor() {
    let emulator = Emulator::start();
    emulator.cli(&["identity", "delete"]);
    emulator.cli(&["identity", "create"]);
    emulator.cli(&["access", "grant"]);
    emulator.cli(&["registry", "identity", "assign", "registry-identity"]);
    let listed = emulator.json(&["registry", "identity", "list"]);
    let client_id = emulator.json(&["identity", "show"])["client_id"].clone();
    assert_eq!(
        listed["identities"],
        json!([{"name": "registry-identity", "client_id": client_id, "uses_key": true}])
    );
}

#[test]
fn refused_rotation_assigns_no_identity() {
    let emulator = Emulator::start();
    emulator.cli(&["identity", "create", "other"]);
    let before = emulator.json(&["registry", "identity", "list"]);
    let refused = emulator.run(&["registry", "rotate-key", "--identity", "other"]);
    assert_eq!(refused.code, 1);
    assert_eq!(emulator.json(&["registry", "identity", "list"]), before);
    emulator.cli(&["access", "grant", "--identity", "other"]);
    emulator.cli(&["registry", "rotate-key", "--identity", "other"]);
    let listed = emulator.json(&["registry", "identity", "list"]);
    assert_eq!(listed["identities"].as_array().unwrap().len(), 2);
}

#[test]
fn own_identity_is_granted_access_by_the_command_that_the_refusal_names() {
    let emulator = Emulator::start();
    emulator.cli(&["registry", "identity", "assign", "system"]);
    let refused = emulator.run(&["registry", "rotate-key", "--identity", "system"]);
    let (_, command) = refused.stderr.split_once("sealock access grant").unwrap();
    let command = command.lines().next().unwrap();
    let words: Vec<&str> = ["access", "grant"]
        .into_iter()
        .chain(command.split(' ').filter(|word| !word.is_empty()))
        .collect();
    emulator.cli(&words);
    emulator.cli(&["registry", "rotate-key", "--identity", "system"]);
    let encryption = emulator.json(&["registry", "show"])["encryption"].clone();
    assert_eq!(encryption["identity"]["name"], "system");

    // It is removed although it is in use: the error names it, not the one that could take its place.
    let client_id = &encryption["identity"]["client_id"];
    let arm = Arm::developer(&emulator);
    let change =
        json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}});
    let refused = arm.send("PATCH", &registry_path("sealock", "sealock"), &change);
    let message = refused.json()["error"]["message"].clone();
    assert!(
        message
            .as_str()
            .unwrap()
            .contains(client_id.as_str().unwrap()),
        "{message}"
    );
    assert_inactive(&emulator.client());
}

#[test]
fn registry_does_not_follow_to_a_key_of_another_type() {
    let emulator = Emulator::start();
    let created = emulator.cli(&["key", "create", "registry-key", "--kty", "EC"]);
    assert!(
        created.contains("KeyTypeUnsupported")
            && created.contains("sealock key create registry-key --vault sealock"),
        "{created}"
    );
    let created = emulator.cli(&["key", "create", "registry-key"]);
    assert!(!created.contains("warning"), "{created}");
}
