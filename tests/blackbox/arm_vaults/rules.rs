//! Azure's rules for the properties of a vault.

use sealock_tests::Answer;
use serde_json::{Value, json};

use super::{Arm, LATEST, SUBSCRIPTION, VERSION, assert_refused, vault_path};

const NO_FALSE_PURGE_PROTECTION: &str = "The property \"enablePurgeProtection\" cannot be set to false. Enabling the purge protection for a vault is an irreversible action.";

fn invalid(property: &str) -> String {
    format!("An invalid value was provided for '{property}'.")
}

#[test]
fn invalid_properties_are_refused_and_leave_no_vault() {
    let arm = Arm::start();
    let policy = |member: &str, value: Value| {
        let mut policy = arm.policy(&arm.identity, &json!(["get"]));
        policy[member] = value;
        json!([policy])
    };
    let other = "11111111-1111-1111-1111-111111111111";
    for (property, value, message) in [
        ("tenantId", json!(other), invalid("tenantId")),
        ("tenantId", Value::Null, invalid("tenantId")),
        ("tenantId", json!("x"), invalid("tenantId")),
        ("sku", Value::Null, invalid("sku")),
        ("sku", json!({"family": "B", "name": "standard"}), invalid("sku")),
        ("sku", json!({"family": "A", "name": "basic"}), invalid("sku")),
        ("accessPolicies", Value::Null, invalid("accessPolicies")),
        (
            "accessPolicies",
            json!([arm.policy(&arm.identity, &json!([" list"]))]),
            invalid("accessPolicies"),
        ),
        (
            "accessPolicies",
            policy("objectId", json!("x")),
            "Invalid value found at accessPolicies[0].ObjectId: x".to_owned(),
        ),
        (
            "accessPolicies",
            policy("tenantId", json!(other)),
            format!("Invalid value found at accessPolicies[0].TenantId: {other}"),
        ),
        (
            "enableSoftDelete",
            json!(false),
            "The property \"enableSoftDelete\" can be set to false only for creating new vault. Enabling the 'soft delete' functionality is an irreversible action.".to_owned(),
        ),
        ("enablePurgeProtection", json!(false), NO_FALSE_PURGE_PROTECTION.to_owned()),
        (
            "softDeleteRetentionInDays",
            json!(6),
            "The soft delete retention of 6 days is not valid; it can be 7 to 90 days.".to_owned(),
        ),
        ("publicNetworkAccess", json!("Maybe"), invalid("publicNetworkAccess")),
        ("createMode", json!("other"), invalid("createMode")),
        ("networkAcls", json!({"bypass": "All"}), invalid("networkAcls.bypass")),
        (
            "networkAcls",
            json!({"ipRules": [{"value": "10.0.0.1"}]}),
            "'10.0.0.1' is private; a vault's firewall takes public addresses only.".to_owned(),
        ),
    ] {
        let refused = arm.put("kv1", &arm.new_vault(&json!({property: value})));
        assert_refused(&refused, 400, "BadRequest", &message);
    }
    assert_eq!(arm.get(&vault_path("kv1")).status, 404);
}

#[test]
fn name_and_location_and_group_of_a_new_vault_are_checked() {
    let arm = Arm::start();
    let body = arm.new_vault(&json!({}));
    for name in ["1kv", "kv--1", "kv1-", "a_b", &"k".repeat(25)] {
        let message = format!(
            "The vault name '{name}' is invalid. A vault's name must be between 3-24 alphanumeric characters. The name must begin with a letter, end with a letter or digit, and not contain consecutive hyphens. Follow this link for more information: https://go.microsoft.com/fwlink/?linkid=2147742"
        );
        assert_refused(&arm.put(name, &body), 400, "VaultNameNotValid", &message);
    }
    let nowhere = json!({"properties": body["properties"]});
    let message = "The location property is required for this definition.";
    assert_refused(&arm.put("kv1", &nowhere), 400, "LocationRequired", message);
    let message = "Resource group 'rg3' could not be found.";
    assert_refused(
        &arm.put("rg3/kv1", &body),
        404,
        "ResourceGroupNotFound",
        message,
    );
}

#[test]
fn roles_decide_in_new_vaults_from_the_version_of_february_2026_on() {
    let arm = Arm::start();
    let create = |vault: &str, version: &str, properties: Value| -> Answer {
        arm.send(
            "PUT",
            &vault_path(vault),
            version,
            &arm.new_vault(&properties),
        )
    };
    for (version, given, shown) in [
        (VERSION, json!({}), Value::Null),
        (LATEST, json!({}), json!(true)),
        (
            LATEST,
            json!({"enableRbacAuthorization": null}),
            json!(true),
        ),
        (
            LATEST,
            json!({"enableRbacAuthorization": false}),
            json!(false),
        ),
        (
            VERSION,
            json!({"enableRbacAuthorization": true}),
            json!(true),
        ),
    ] {
        let created = create("kv1", version, given.clone()).json();
        let rbac = &created["properties"]["enableRbacAuthorization"];
        assert_eq!(*rbac, shown, "{version} {given}");
        // An existing vault keeps what it has.
        let again = create("kv1", LATEST, json!({})).json();
        assert_eq!(again["properties"]["enableRbacAuthorization"], shown);
        arm.delete("kv1");
        arm.emulator.cli(&["vault", "purge", "kv1", "--yes"]);
    }
}

#[test]
fn put_replaces_settings_and_keeps_what_cannot_change() {
    let arm = Arm::start();
    let firewall = json!({"defaultAction": "Deny", "ipRules": [{"value": "203.0.113.7"}]});
    let created = arm.create(
        "kv1",
        &json!({"enablePurgeProtection": true, "softDeleteRetentionInDays": 30,
            "enabledForDiskEncryption": true, "networkAcls": firewall,
            "accessPolicies": [arm.policy(&arm.identity, &json!(["get"]))]}),
    );
    let acls = &created["properties"]["networkAcls"];
    assert_eq!(acls["ipRules"], json!([{"value": "203.0.113.7/32"}]));
    let replaced = arm.create("kv1", &json!({}));
    let properties = &replaced["properties"];
    assert_eq!(properties["enablePurgeProtection"], json!(true));
    assert_eq!(properties["softDeleteRetentionInDays"], json!(30));
    assert_eq!(properties["accessPolicies"], json!([]));
    for absent in ["networkAcls", "enabledForDiskEncryption"] {
        assert_eq!(properties.get(absent), None, "{absent}");
    }
    let refused = |properties: Value| arm.put("kv1", &arm.new_vault(&properties));
    assert_refused(
        &refused(json!({"softDeleteRetentionInDays": 31})),
        400,
        "BadRequest",
        "The property \"softDeleteRetentionInDays\" has been set already and it can't be modified.",
    );
    let off = refused(json!({"enablePurgeProtection": false}));
    assert_refused(&off, 400, "BadRequest", NO_FALSE_PURGE_PROTECTION);
    let mut elsewhere = arm.new_vault(&json!({}));
    elsewhere["location"] = json!("westus");
    assert_refused(
        &arm.put("kv1", &elsewhere),
        409,
        "InvalidResourceLocation",
        "The resource 'kv1' already exists in location 'eastus2' in resource group 'rg1'. A resource with the same name cannot be created in location 'westus'. Please select a new resource name.",
    );
}

#[test]
fn patch_changes_only_what_it_names() {
    let arm = Arm::start();
    let policy = arm.policy(&arm.identity, &json!(["get"]));
    let created = arm.create(
        "kv1",
        &json!({"accessPolicies": [policy], "enabledForDeployment": true,
            "networkAcls": {"defaultAction": "Deny", "ipRules": [{"value": "203.0.113.7"}]}}),
    );
    let mut expected = created["properties"].clone();
    for (change, member, value) in [
        (
            json!({"enablePurgeProtection": true}),
            "enablePurgeProtection",
            json!(true),
        ),
        (
            json!({"publicNetworkAccess": "disabled"}),
            "publicNetworkAccess",
            json!("Disabled"),
        ),
        (
            json!({"sku": {"family": "A", "name": "Premium"}}),
            "sku",
            json!({"family": "A", "name": "premium"}),
        ),
        (
            json!({"enabledForTemplateDeployment": true}),
            "enabledForTemplateDeployment",
            json!(true),
        ),
        (
            json!({"networkAcls": {"bypass": "None"}}),
            "networkAcls",
            json!({"bypass": "None", "defaultAction": "Deny",
                "ipRules": [{"value": "203.0.113.7/32"}], "virtualNetworkRules": []}),
        ),
        (
            json!({"enableRbacAuthorization": true}),
            "enableRbacAuthorization",
            json!(true),
        ),
        (json!({"accessPolicies": []}), "accessPolicies", json!([])),
    ] {
        let patched = arm.patch("kv1", &change);
        assert_eq!(patched.status, 200, "{patched:?}");
        expected[member] = value;
        assert_eq!(patched.json()["properties"], expected, "{change}");
    }
    let tags = arm.send(
        "PATCH",
        &vault_path("kv1"),
        VERSION,
        &json!({"tags": {"env": "test"}}),
    );
    assert_eq!(tags.json()["tags"], json!({"env": "test"}));
    assert_eq!(tags.json()["properties"], expected);
    assert_eq!(arm.patch("kv2", &json!({})).status, 404);
}

#[test]
fn taken_and_reserved_names_are_refused_with_azures_texts() {
    const TAKEN: &str = "The vault name 'kv1' is already in use. Vault names are globally unique so it is possible that the name is already taken. If you are sure that the vault name was not taken then it is possible that a vault with the same name was recently deleted but not purged after being placed in a recoverable state. If the vault is in a recoverable state then the vault will need to be purged before reusing the name. For more information about VaultAlreadyExists, soft delete and purging a vault follow this link https://go.microsoft.com/fwlink/?linkid=2147740.";

    let arm = Arm::start();
    let check = |name: &str| {
        let path = format!("{SUBSCRIPTION}/providers/Microsoft.KeyVault/checkNameAvailability");
        let body = json!({"name": name, "type": "Microsoft.KeyVault/vaults"});
        arm.send("POST", &path, VERSION, &body).json()
    };
    assert_eq!(check("kv1"), json!({"nameAvailable": true}));
    assert_eq!(check("1")["reason"], "AccountNameInvalid");
    let taken = json!({"nameAvailable": false, "reason": "AlreadyExists", "message": TAKEN});
    let body = arm.new_vault(&json!({}));
    arm.put("rg2/kv1", &body);
    assert_eq!(check("KV1"), taken);
    assert_refused(&arm.put("rg1/kv1", &body), 409, "VaultAlreadyExists", TAKEN);
    arm.delete("rg2/kv1");
    assert_eq!(check("kv1"), taken);
    assert_refused(
        &arm.put("rg2/kv1", &body),
        409,
        "ConflictError",
        "A vault with the same name already exists in deleted state. You need to either recover or purge existing key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft delete.",
    );
}
