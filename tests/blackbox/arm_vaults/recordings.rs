//! Comparison with recorded requests and answers, field by field, in their order.

use serde_json::{Value, json};

use super::{Arm, LATEST, SUBSCRIPTION, VERSION, deleted_path, vault_path, with_recorded_times};

const HISTORY: &str = r#""systemData":{"createdBy":"user@example.com","createdByType":"User","createdAt":"TIME","lastModifiedBy":"user@example.com","lastModifiedByType":"User","lastModifiedAt":"TIME"}"#;

const RBAC_REQUEST: &str = r#"{"location":"eastus2","properties":{"tenantId":"{tenantId}","sku":{"family":"A","name":"standard"},"accessPolicies":[],"enableSoftDelete":true,"softDeleteRetentionInDays":90,"enableRbacAuthorization":true,"networkAcls":{"bypass":"AzureServices","defaultAction":"Allow","ipRules":[{"value":"1.2.3.4/32"},{"value":"2.3.4.0/24"}],"virtualNetworkRules":[{"id":"/subscriptions/{sub}/resourcegroups/rg1/providers/microsoft.network/virtualnetworks/vnet1/subnets/subnet1"}]}}}"#;

const RBAC_ANSWER: &str = r#"{"id":"/subscriptions/{sub}/resourceGroups/rg1/providers/Microsoft.KeyVault/vaults/kv1","name":"kv1","type":"Microsoft.KeyVault/vaults","location":"eastus2","tags":{},HISTORY,"properties":{"sku":{"family":"A","name":"standard"},"tenantId":"{tenantId}","networkAcls":{"bypass":"AzureServices","defaultAction":"Allow","ipRules":[{"value":"1.2.3.4/32"},{"value":"2.3.4.0/24"}],"virtualNetworkRules":[{"id":"/subscriptions/{sub}/resourcegroups/rg1/providers/microsoft.network/virtualnetworks/vnet1/subnets/subnet1"}]},"accessPolicies":[],"enabledForDeployment":false,"enableSoftDelete":true,"softDeleteRetentionInDays":90,"enableRbacAuthorization":true,"vaultUri":"https://kv1.vault.azure.net/","provisioningState":"Succeeded","publicNetworkAccess":"Enabled"}}"#;

const POLICY_REQUEST: &str = r#"{"location":"eastus2euap","properties":{"tenantId":"{tenantId}","sku":{"family":"A","name":"standard"},"accessPolicies":[{"tenantId":"{tenantId}","objectId":"{objectId}","permissions":{"keys":["all"],"secrets":["all"],"certificates":["all"],"storage":["all"]}}],"enableSoftDelete":true,"softDeleteRetentionInDays":90,"networkAcls":{"bypass":"AzureServices","defaultAction":"Allow"}}}"#;

const POLICY_ANSWER: &str = r#"{"id":"/subscriptions/{sub}/resourceGroups/rg1/providers/Microsoft.KeyVault/vaults/kv1","name":"kv1","type":"Microsoft.KeyVault/vaults","location":"eastus2euap","tags":{},HISTORY,"properties":{"sku":{"family":"A","name":"standard"},"tenantId":"{tenantId}","accessPolicies":[{"tenantId":"{tenantId}","objectId":"{objectId}","permissions":{"keys":["all"],"secrets":["all"],"certificates":["all"],"storage":["all"]}}],"enabledForDeployment":false,"enableSoftDelete":true,"softDeleteRetentionInDays":90,"vaultUri":"https://kv1.vault.azure.net/","provisioningState":"Succeeded","publicNetworkAccess":"Enabled"}}"#;

const SET_POLICY_REQUEST: &str = r#"{"location":"westus","tags":{},"properties":{"tenantId":"{tenantId}","sku":{"family":"A","name":"standard"},"accessPolicies":[{"tenantId":"{tenantId}","objectId":"11111111-1111-1111-1111-111111111111","permissions":{"keys":["all"],"secrets":["all"],"certificates":["all"],"storage":["all"]}},{"tenantId":"{tenantId}","objectId":"{objectId}","permissions":{"keys":["get","unwrapKey","wrapKey"]}}],"vaultUri":"https://kv1.vault.azure.net/","enabledForDeployment":false,"enableSoftDelete":true,"softDeleteRetentionInDays":7,"enablePurgeProtection":true,"provisioningState":"Succeeded","publicNetworkAccess":"Enabled"}}"#;

const SET_POLICY_ANSWER: &str = r#"{"id":"/subscriptions/{sub}/resourceGroups/rg1/providers/Microsoft.KeyVault/vaults/kv1","name":"kv1","type":"Microsoft.KeyVault/vaults","location":"westus","tags":{},HISTORY,"properties":{"sku":{"family":"A","name":"standard"},"tenantId":"{tenantId}","accessPolicies":[{"tenantId":"{tenantId}","objectId":"11111111-1111-1111-1111-111111111111","permissions":{"keys":["all"],"secrets":["all"],"certificates":["all"],"storage":["all"]}},{"tenantId":"{tenantId}","objectId":"{objectId}","permissions":{"keys":["get","unwrapKey","wrapKey"]}}],"enabledForDeployment":false,"enableSoftDelete":true,"softDeleteRetentionInDays":7,"enablePurgeProtection":true,"vaultUri":"https://kv1.vault.azure.net/","provisioningState":"Succeeded","publicNetworkAccess":"Enabled"}}"#;

/// Each recorded request for a vault, and the final answer to it.
#[test]
fn vault_is_created_shown_and_replaced_as_recorded() {
    for (request, answer, days) in [
        (RBAC_REQUEST, RBAC_ANSWER, 90),
        (POLICY_REQUEST, POLICY_ANSWER, 90),
        (SET_POLICY_REQUEST, SET_POLICY_ANSWER, 7),
    ] {
        let arm = Arm::start();
        let request = arm.recorded(request);
        let expected = arm.fill(&answer.replace("HISTORY", HISTORY));
        let created = arm.put("kv1", &request);
        assert_eq!(created.status, 200, "{created:?}");
        assert_eq!(with_recorded_times(&created), expected);
        let shown = arm.get(&vault_path("kv1"));
        assert_eq!(with_recorded_times(&shown), expected);
        assert_eq!(
            shown.json()["properties"]["softDeleteRetentionInDays"],
            json!(days)
        );
        let again = arm.put("KV1", &shown.json());
        assert_eq!(
            with_recorded_times(&again),
            expected,
            "what GET shows is accepted"
        );
        for list in [
            format!("{SUBSCRIPTION}/resourceGroups/RG1/providers/Microsoft.KeyVault/vaults"),
            format!("{SUBSCRIPTION}/providers/Microsoft.KeyVault/vaults"),
        ] {
            let listed = arm.get(&list).json();
            let found = listed["value"].as_array().unwrap();
            let found: Vec<_> = found.iter().filter(|it| it["name"] == "kv1").collect();
            assert_eq!(found, [&shown.json()], "{list}");
        }
    }
}

#[test]
fn missing_vault_is_not_found_at_the_gateway() {
    let arm = Arm::start();
    for vault in ["kv1", "rg2/kv1"] {
        let missing = arm.get(&vault_path(vault));
        assert_eq!(missing.status, 404);
        assert_eq!(missing.header("x-ms-failure-cause"), "gateway");
        let group = vault.split_once('/').map_or("rg1", |(group, _)| group);
        let text = format!(
            r#"{{"error":{{"code":"ResourceNotFound","message":"The Resource 'Microsoft.KeyVault/vaults/kv1' under resource group '{group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"}}}}"#
        );
        assert_eq!(String::from_utf8(missing.body).unwrap(), text);
        arm.put("rg1/kv1", &arm.new_vault(&json!({})));
        arm.delete("rg1/kv1");
    }
}

#[test]
fn vault_is_deleted_shown_recovered_and_purged_as_recorded() {
    const DELETED: &str = r#"{"id":"/subscriptions/{sub}/providers/Microsoft.KeyVault/locations/eastus2/deletedVaults/kv1","name":"kv1","type":"Microsoft.KeyVault/deletedVaults","properties":{"vaultId":"/subscriptions/{sub}/resourceGroups/rg1/providers/Microsoft.KeyVault/vaults/kv1","location":"eastus2","tags":{},"deletionDate":"TIME","scheduledPurgeDate":"TIME"}}"#;
    const RECOVERY: &str = r#"{"location":"eastus2","properties":{"tenantId":"{tenantId}","sku":{"family":"A","name":"standard"},"createMode":"recover"}}"#;

    let arm = Arm::start();
    arm.put("kv1", &arm.recorded(RBAC_REQUEST));
    let deleted = arm.delete("kv1");
    assert_eq!((deleted.status, deleted.body.len()), (200, 0));
    for location in ["eastus2", "East%20US%202", "EASTUS2"] {
        let shown = arm.get(&deleted_path(location, "kv1"));
        assert_eq!(shown.status, 200, "{shown:?}");
        assert_eq!(with_recorded_times(&shown), arm.fill(DELETED));
    }
    let list = format!("{SUBSCRIPTION}/providers/Microsoft.KeyVault/deletedVaults");
    let listed = with_recorded_times(&arm.get(&list));
    assert_eq!(listed, arm.fill(&format!(r#"{{"value":[{DELETED}]}}"#)));

    let recovered = arm.put("kv1", &arm.recorded(RECOVERY));
    assert_eq!(recovered.status, 200, "{recovered:?}");
    let expected = arm.fill(&RBAC_ANSWER.replace("HISTORY", HISTORY));
    assert_eq!(with_recorded_times(&recovered), expected);

    arm.delete("kv1");
    let purge = format!("{}/purge", deleted_path("eastus2", "kv1"));
    let accepted = arm.send("POST", &purge, VERSION, &Value::Null);
    assert_eq!((accepted.status, accepted.body.len()), (202, 0));
    assert_eq!(accepted.header("retry-after"), "1");
    let location = accepted.header("location");
    let (_, path) = location.split_once(arm.emulator.address()).unwrap();
    let (path, version) = path.split_once("?api-version=").unwrap();
    assert_eq!(version, VERSION);
    assert!(
        path.starts_with(&format!(
            "{SUBSCRIPTION}/providers/Microsoft.KeyVault/locations/eastus2/operationResults/"
        )),
        "{path}"
    );
    let polled = arm.get(path);
    assert_eq!(polled.status, 200);
    let body = polled.json();
    let time = body["createdDateTime"].as_str().unwrap();
    assert_eq!((time.len(), &time[10..11], &time[19..]), (20, " ", "Z"));
    assert_eq!(
        body,
        json!({"createdDateTime": time, "lastActionDateTime": time, "status": "Succeeded"})
    );
    assert_eq!(arm.get(&deleted_path("eastus2", "kv1")).status, 404);
}

#[test]
fn deleted_vault_with_purge_protection_shows_it() {
    let arm = Arm::start();
    arm.create("kv1", &json!({"enablePurgeProtection": true}));
    arm.delete("kv1");
    let shown = arm.get(&deleted_path("eastus2", "kv1")).json();
    assert_eq!(shown["properties"]["purgeProtectionEnabled"], json!(true));
}

/// Terraform's provider reads these members without a check for their presence.
#[test]
fn vault_of_terraform_has_all_that_its_provider_reads() {
    let arm = Arm::start();
    let body = arm.new_vault(&json!({
        "enabledForDeployment": true, "enabledForDiskEncryption": false,
        "enabledForTemplateDeployment": true, "enableRbacAuthorization": false,
        "enableSoftDelete": true, "softDeleteRetentionInDays": 7, "publicNetworkAccess": "Disabled",
        "networkAcls": {"bypass": "None", "defaultAction": "Deny", "ipRules": [], "virtualNetworkRules": []},
        "createMode": "default", "accessPolicies": [arm.policy(&arm.identity, &json!(["Get", "UnwrapKey"]))],
    }));
    let created = arm.send("PUT", &vault_path("kv1"), LATEST, &body);
    let properties = created.json()["properties"].clone();
    let port = arm.emulator.address().rsplit(':').next().unwrap();
    assert_eq!(
        properties,
        json!({
            "tenantId": arm.tenant, "sku": {"family": "A", "name": "standard"},
            "accessPolicies": [arm.policy(&arm.identity, &json!(["Get", "UnwrapKey"]))],
            "enabledForDeployment": true, "enabledForDiskEncryption": false,
            "enabledForTemplateDeployment": true, "enableRbacAuthorization": false,
            "enableSoftDelete": true, "softDeleteRetentionInDays": 7, "publicNetworkAccess": "Disabled",
            "networkAcls": {"bypass": "None", "defaultAction": "Deny", "ipRules": [], "virtualNetworkRules": []},
            "vaultUri": format!("https://kv1.vault.localhost:{port}/"), "provisioningState": "Succeeded",
        })
    );
}
