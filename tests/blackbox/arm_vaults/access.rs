//! Access to vaults through Resource Manager, and to their keys by what Resource Manager sets.

use sealock_tests::Answer;
use serde_json::{Value, json};

use super::{Arm, VERSION, assert_refused, deleted_path, log_in, vault_path};

impl Arm {
    fn update_policies(&self, kind: &str, principal: &str, keys: &Value) -> Answer {
        let path = format!("{}/accessPolicies/{kind}", vault_path("kv1"));
        let policies = json!([self.policy(principal, keys)]);
        let body = json!({"properties": {"accessPolicies": policies}});
        self.send("PUT", &path, VERSION, &body)
    }

    /// Creates a vault with a key that the registry's identity may use, and a registry with that key.
    fn create_chain(&self) {
        let keys = json!(["get", "wrapKey", "unwrapKey"]);
        let policies = json!([self.policy(&self.identity, &keys)]);
        self.create(
            "kv1",
            &json!({"accessPolicies": policies, "enablePurgeProtection": true}),
        );
        self.emulator
            .cli(&["key", "create", "k1", "--vault", "kv1"]);
        let create = "registry create chained --key kv1/k1 --identity registry-identity";
        self.emulator.cli(&create.split(' ').collect::<Vec<_>>());
    }

    /// Returns the cause for which the registry is revoked.
    fn cause(&self) -> Value {
        let shown = self.emulator.json(&["registry", "show", "chained"]);
        shown["gate"]["cause"].clone()
    }
}

#[test]
fn policies_are_added_replaced_and_removed() {
    let arm = Arm::start();
    arm.create("kv1", &json!({}));
    let other = "11111111-1111-1111-1111-111111111111";
    for (kind, principal, keys, expected) in [
        (
            "add",
            arm.identity.as_str(),
            json!(["get"]),
            vec![(&arm.identity[..], json!(["get"]))],
        ),
        (
            "add",
            other,
            json!(["list"]),
            vec![(&arm.identity, json!(["get"])), (other, json!(["list"]))],
        ),
        (
            "add",
            &arm.identity,
            json!(["GET", "wrapKey"]),
            vec![
                (&arm.identity, json!(["get", "wrapKey"])),
                (other, json!(["list"])),
            ],
        ),
        (
            "replace",
            &arm.identity,
            json!(["unwrapKey", "sign"]),
            vec![
                (&arm.identity, json!(["unwrapKey", "sign"])),
                (other, json!(["list"])),
            ],
        ),
        (
            "remove",
            &arm.identity,
            json!(["Sign"]),
            vec![
                (&arm.identity, json!(["unwrapKey"])),
                (other, json!(["list"])),
            ],
        ),
        (
            "remove",
            &arm.identity,
            json!(["all"]),
            vec![(other, json!(["list"]))],
        ),
    ] {
        let updated = arm.update_policies(kind, principal, &keys);
        assert_eq!(updated.status, 200, "{updated:?}");
        let policies: Vec<_> = expected
            .into_iter()
            .map(|(principal, keys)| arm.policy(principal, &keys))
            .collect();
        assert_eq!(
            updated.json(),
            json!({"id": format!("{}/accessPolicies/", vault_path("kv1")),
                "type": "Microsoft.KeyVault/vaults/accessPolicies",
                "properties": {"accessPolicies": policies}})
        );
        let shown = arm.get(&vault_path("kv1")).json();
        assert_eq!(shown["properties"]["accessPolicies"], json!(policies));
    }
    let none = arm.send(
        "PUT",
        &format!("{}/accessPolicies/add", vault_path("kv2")),
        VERSION,
        &json!({"properties": {"accessPolicies": []}}),
    );
    assert_eq!(none.status, 404);
}

#[test]
fn change_of_policies_or_firewall_takes_effect_at_once() {
    let arm = Arm::start();
    arm.create_chain();
    assert_eq!(arm.cause(), Value::Null);
    arm.update_policies("remove", &arm.identity, &json!(["unwrapKey"]));
    assert_eq!(arm.cause(), "ForbiddenByPolicy");
    arm.update_policies("add", &arm.identity, &json!(["UnwrapKey"]));
    assert_eq!(arm.cause(), Value::Null);
    arm.patch("kv1", &json!({"networkAcls": {"defaultAction": "Deny"}}));
    assert_eq!(arm.cause(), Value::Null, "a registry is a trusted service");
    arm.patch("kv1", &json!({"networkAcls": {"bypass": "None"}}));
    assert_eq!(arm.cause(), "ForbiddenByFirewall");
    arm.patch("kv1", &json!({"networkAcls": {"defaultAction": "Allow"}}));
    assert_eq!(arm.cause(), Value::Null);
    arm.patch("kv1", &json!({"enableRbacAuthorization": true}));
    assert_eq!(arm.cause(), "ForbiddenByRbac");
    arm.patch("kv1", &json!({"enableRbacAuthorization": false}));
    assert_eq!(arm.cause(), Value::Null);
    arm.patch("kv1", &json!({"accessPolicies": []}));
    assert_eq!(arm.cause(), "ForbiddenByPolicy");
}

#[test]
fn permissions_to_secrets_and_of_compound_identities_have_no_effect() {
    let arm = Arm::start();
    arm.create_chain();
    let mut policy = arm.policy(&arm.identity, &json!(["all"]));
    policy["applicationId"] = json!("22222222-2222-2222-2222-222222222222");
    let secrets = json!({"tenantId": arm.tenant, "objectId": arm.identity,
        "permissions": {"secrets": ["all"], "storage": ["Get", "setsas"]}});
    let policies = json!([policy, secrets]);
    let patched = arm.patch("kv1", &json!({"accessPolicies": policies}));
    assert_eq!(patched.json()["properties"]["accessPolicies"], policies);
    assert_eq!(arm.cause(), "ForbiddenByPolicy");
}

#[test]
fn deletion_and_recovery_take_effect_at_once() {
    let arm = Arm::start();
    arm.create_chain();
    arm.delete("kv1");
    assert_eq!(arm.cause(), "VaultDeleted");
    let mut recovery = arm.new_vault(&json!({"createMode": "Recover"}));
    recovery["properties"]["accessPolicies"] = Value::Null;
    let recovered = arm.put("kv1", &recovery);
    assert_eq!(recovered.status, 200, "{recovered:?}");
    assert_eq!(arm.cause(), Value::Null);
}

#[test]
fn caller_needs_a_role_and_a_reader_only_reads() {
    let arm = Arm::start();
    arm.create("kv1", &json!({}));
    let (token, client) = log_in(&arm.emulator, "nobody", None);
    let (reader, _) = log_in(&arm.emulator, "reader", Some("Reader"));
    let principal = arm.emulator.json(&["app", "show", "nobody"])["principal_id"].clone();
    let send = |token: &str, method: &str, path: &str| {
        let authorization = format!("Bearer {token}");
        let path = format!("{path}?api-version={VERSION}");
        let headers = [("authorization", authorization.as_str())];
        arm.emulator.client().send(method, &path, &headers, b"{}")
    };
    for (method, path, action) in [
        ("GET", vault_path("kv1"), "vaults/read"),
        ("PUT", vault_path("kv1"), "vaults/write"),
        ("PATCH", vault_path("kv1"), "vaults/write"),
        ("DELETE", vault_path("kv1"), "vaults/delete"),
        (
            "GET",
            deleted_path("eastus2", "kv1"),
            "locations/deletedVaults/read",
        ),
    ] {
        let message = format!(
            "The client '{client}' with object id '{}' does not have authorization to perform action 'Microsoft.KeyVault/{action}' over scope '{path}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
            principal.as_str().unwrap()
        );
        let refused = send(&token, method, &path);
        assert_refused(&refused, 403, "AuthorizationFailed", &message);
        if method != "GET" {
            assert_eq!(send(&reader, method, &path).status, 403, "{method} {path}");
        }
    }
    assert_eq!(send(&reader, "GET", &vault_path("kv1")).status, 200);
    let list = vault_path("").trim_end_matches('/').to_owned();
    let listed = send(&token, "GET", &list).json();
    assert_eq!(listed, json!({"value": []}));
}

#[test]
fn operations_through_resource_manager_are_audited_with_their_caller() {
    let arm = Arm::start();
    arm.create("kv1", &json!({}));
    arm.patch("kv1", &json!({"enabledForDeployment": true}));
    let audited = arm.emulator.cli(&["audit", "--vault", "kv1", "--json"]);
    let events: Vec<Value> = audited
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of_caller = |event: &&Value| event["identity"]["claim"]["appid"] == arm.client.as_str();
    let names: Vec<_> = events
        .iter()
        .filter(of_caller)
        .map(|event| &event["operationName"])
        .collect();
    assert_eq!(names, ["VaultPut", "VaultPatch"]);
    let id = vault_path("kv1").to_uppercase();
    assert!(
        events
            .iter()
            .all(|event| event["resourceId"] == id.as_str())
    );
}
