//! Vaults in their groups and regions.

use serde_json::{Value, json};

use super::{Arm, SUBSCRIPTION, VERSION, assert_refused, deleted_path, text, vault_path};

#[test]
fn vault_lives_in_its_group_and_region_alone() {
    let arm = Arm::start();
    arm.create("kv1", &json!({}));
    assert_eq!(arm.get(&vault_path("RG1/KV1")).status, 200);
    for path in [vault_path("rg2/kv1"), vault_path("sealock/kv1")] {
        assert_eq!(arm.get(&path).status, 404, "{path}");
        let deleted = arm.send("DELETE", &path, VERSION, &Value::Null);
        assert_eq!(deleted.status, 204, "{path}");
    }
    assert_eq!(arm.get(&vault_path("kv1")).status, 200);
    arm.delete("kv1");
    assert_eq!(arm.delete("kv1").status, 204);
    let missing = arm.get(&deleted_path("westus", "kv1"));
    let message = "The specified deleted vault 'kv1' does not exist.";
    assert_refused(&missing, 404, "DeletedVaultNotFound", message);
    let purge = format!("{}/purge", deleted_path("westus", "kv1"));
    let refused = arm.send("POST", &purge, VERSION, &Value::Null);
    assert_refused(&refused, 404, "DeletedVaultNotFound", message);
    let recovery = arm.new_vault(&json!({"createMode": "recover"}));
    assert_refused(
        &arm.put("rg2/kv1", &recovery),
        404,
        "DeletedVaultNotFound",
        message,
    );
    assert_eq!(arm.put("rg1/kv1", &recovery).status, 200);
}

#[test]
fn purge_protected_vault_cannot_be_purged() {
    let arm = Arm::start();
    arm.create("kv1", &json!({"enablePurgeProtection": true}));
    arm.delete("kv1");
    let purge = format!("{}/purge", deleted_path("eastus2", "kv1"));
    assert_refused(
        &arm.send("POST", &purge, VERSION, &Value::Null),
        405,
        "MethodNotAllowed",
        "Operation 'DeletedVaultPurge' is not allowed.",
    );
}

#[test]
fn vault_names_its_own_region_and_group() {
    let arm = Arm::start();
    arm.create("kv1", &json!({}));
    let port = arm.emulator.address().rsplit(':').next().unwrap();
    let host = format!("kv1.vault.localhost:{port}");
    let answer =
        arm.emulator
            .client()
            .send("GET", "/keys?api-version=7.4", &[("host", &host)], b"");
    assert_eq!(answer.header("x-ms-keyvault-region"), "eastus2");
    let shown = arm.emulator.json(&["vault", "show", "kv1"]);
    assert_eq!(text(&shown["id"]), vault_path("kv1"));
    arm.emulator.cli(&[
        "role",
        "assign",
        "--vault",
        "kv1",
        "--role",
        "Key Vault Reader",
    ]);
    let roles = arm.emulator.json(&["role", "list"]);
    let scopes = roles["role_assignments"].as_array().unwrap().iter();
    assert!(
        scopes
            .into_iter()
            .any(|it| text(&it["scope"]) == vault_path("kv1"))
    );
}

#[test]
fn vaults_of_the_command_line_are_in_the_default_group() {
    let arm = Arm::start();
    arm.emulator.cli(&["vault", "create", "kv9"]);
    let shown = arm.get(&vault_path("sealock/kv9")).json();
    assert_eq!(shown["location"], "eastus");
    assert_eq!(shown["systemData"]["createdBy"], "operator");
    assert_eq!(shown["systemData"]["createdByType"], "User");
    assert_eq!(shown["properties"]["enableRbacAuthorization"], json!(false));
}

#[test]
fn deleted_group_deletes_its_vaults() {
    let arm = Arm::start();
    arm.create("kv1", &json!({}));
    arm.create("rg2/kv2", &json!({}));
    let group = format!("{SUBSCRIPTION}/resourceGroups/rg1");
    let deleted = arm.send("DELETE", &group, "2024-11-01", &Value::Null);
    assert_eq!(deleted.status, 202);
    assert_eq!(arm.get(&deleted_path("eastus2", "kv1")).status, 200);
    assert_eq!(arm.get(&vault_path("rg2/kv2")).status, 200);
}

#[test]
fn resources_of_the_subscription_include_its_vaults() {
    let arm = Arm::start();
    arm.create("kv1", &json!({}));
    let path = format!(
        "{SUBSCRIPTION}/resources?$filter=resourceType%20eq%20%27Microsoft.KeyVault%2Fvaults%27%20and%20name%20eq%20%27kv1%27&api-version=2015-11-01"
    );
    let authorization = format!("Bearer {}", arm.token);
    let headers = [("authorization", authorization.as_str())];
    let listed = arm.emulator.client().send("GET", &path, &headers, b"");
    let found = listed.json()["value"].clone();
    assert_eq!(found[0]["id"], json!(vault_path("kv1")));
    assert_eq!(found.as_array().unwrap().len(), 1);
}

#[test]
fn two_clients_that_create_one_name_leave_one_whole_vault() {
    let arm = Arm::start();
    let body =
        arm.new_vault(&json!({"accessPolicies": [arm.policy(&arm.identity, &json!(["get"]))]}));
    let statuses = std::thread::scope(|scope| {
        let puts: Vec<_> = ["rg1/kv1", "rg2/kv1", "rg1/kv1", "rg2/kv1"]
            .into_iter()
            .map(|vault| scope.spawn(|| arm.put(vault, &body).status))
            .collect();
        puts.into_iter()
            .map(|put| put.join().unwrap())
            .collect::<Vec<_>>()
    });
    let count = |status: u16| statuses.iter().filter(|it| **it == status).count();
    assert_eq!((count(200), count(409)), (2, 2), "{statuses:?}");
    let shown: Vec<_> = ["rg1/kv1", "rg2/kv1"]
        .into_iter()
        .map(|vault| arm.get(&vault_path(vault)))
        .filter(|answer| answer.status == 200)
        .collect();
    assert_eq!(shown.len(), 1);
    let policies = shown[0].json()["properties"]["accessPolicies"].clone();
    assert_eq!(policies.as_array().unwrap().len(), 1);
}

#[test]
fn managed_hsms_are_listed_as_none() {
    let arm = Arm::start();
    for list in ["managedHSMs", "deletedManagedHSMs"] {
        let path = format!("{SUBSCRIPTION}/providers/Microsoft.KeyVault/{list}");
        assert_eq!(arm.get(&path).json(), json!({"value": []}), "{list}");
    }
}
