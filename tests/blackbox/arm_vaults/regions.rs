//! The regions of vaults: geographies, pairs, and the failover.

use sealock_tests::{Answer, Emulator, Options};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Arm, SUBSCRIPTION, assert_refused, vault_path};
use crate::entra;

impl Arm {
    /// Creates a vault in a region, where the registry's identity has all permissions.
    fn create_in(&self, vault: &str, region: &str) {
        let policies = json!([self.policy(&self.identity, &json!(["all"]))]);
        let mut body = self.new_vault(&json!({"accessPolicies": policies}));
        body["location"] = region.into();
        let created = self.put(vault, &body);
        assert_eq!(created.status, 200, "{created:?}");
    }

    /// Sends a request of the registry's identity to a vault's own host.
    fn send_to_vault(&self, vault: &str, method: &str, path: &str, body: &Value) -> Answer {
        let port = self.emulator.address().rsplit(':').next().unwrap();
        let host = format!("{vault}.vault.localhost:{port}");
        let resource = "&resource=https://vault.azure.net";
        let authorization = format!("Bearer {}", entra::token(&self.emulator, resource));
        let headers = [("host", host.as_str()), ("authorization", &authorization)];
        let path = format!("{path}?api-version=7.4");
        let body = body.to_string();
        self.emulator
            .client()
            .send(method, &path, &headers, body.as_bytes())
    }

    /// Returns a backup of a new key.
    fn back_up_new_key(&self, vault: &str, key: &str) -> Value {
        let path = format!("/keys/{key}");
        let created = self.send_to_vault(
            vault,
            "POST",
            &format!("{path}/create"),
            &json!({"kty": "EC"}),
        );
        assert_eq!(created.status, 200, "{created:?}");
        let backup = self.send_to_vault(vault, "POST", &format!("{path}/backup"), &json!({}));
        assert_eq!(backup.status, 200, "{backup:?}");
        backup.json()
    }
}

#[test]
fn backup_is_restored_within_its_geography_alone() {
    let arm = Arm::start();
    for (vault, region) in [
        ("kv-eastus", "East US"),
        ("kv-westus2", "westus2"),
        ("kv-westeurope", "westeurope"),
        ("kv-northeurope", "northeurope"),
        ("kv-moonbase1", "moonbase1"),
        ("kv-moonbase1b", "moonbase1"),
        ("kv-moonbase2", "moonbase2"),
    ] {
        arm.create_in(vault, region);
    }
    for (from, to, is_restored) in [
        ("kv-eastus", "kv-westus2", true),
        ("kv-westus2", "kv-eastus", true),
        ("kv-eastus", "kv-westeurope", false),
        ("kv-westeurope", "kv-westus2", false),
        ("kv-westeurope", "kv-northeurope", true),
        ("kv-moonbase1", "kv-moonbase1b", true),
        ("kv-moonbase1", "kv-moonbase2", false),
        ("kv-moonbase1", "kv-eastus", false),
    ] {
        let key = format!("from-{from}-to-{to}");
        let backup = arm.back_up_new_key(from, &key);
        let restored = arm.send_to_vault(to, "POST", "/keys/restore", &backup);
        let found = arm.send_to_vault(to, "GET", &format!("/keys/{key}"), &json!({}));
        if is_restored {
            assert_eq!(restored.status, 200, "{key}: {restored:?}");
            assert_eq!(found.status, 200, "{key}");
        } else {
            assert_refused(
                &restored,
                400,
                "Malformed backup blob",
                "Cannot decrypt backup blob.",
            );
            assert_eq!(found.status, 404, "{key}");
        }
    }
}

#[test]
fn refused_backup_names_its_geography_to_the_operator() {
    let emulator = Emulator::start();
    emulator.cli(&["vault", "create", "kv1", "--location", "West Europe"]);
    emulator.cli(&["key", "create", "k1", "--vault", "kv1", "--kty", "EC"]);
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("k1.backup");
    let file = file.to_str().unwrap();
    emulator.cli(&["key", "backup", "k1", "--vault", "kv1", "--file", file]);
    let refused = emulator.run(&["key", "restore", "--file", file]);
    assert_eq!(
        refused.stderr,
        "error: Cannot decrypt backup blob\n\
         hint: restore it in a vault in the geography that it is from, Europe\n"
    );
}

#[test]
fn failed_over_vault_is_served_by_its_paired_region() {
    let emulator = Emulator::start_with(Options {
        config: Some("[[vaults]]\nname = \"kv1\"\nlocation = \"northeurope\"\n".to_owned()),
        ..Options::default()
    });
    let port = emulator.address().rsplit(':').next().unwrap().to_owned();
    let host = format!("kv1.vault.localhost:{port}");
    let region = || {
        let answer =
            emulator
                .client()
                .send("GET", "/keys?api-version=7.4", &[("host", &host)], b"");
        answer.header("x-ms-keyvault-region").to_owned()
    };
    let shown = emulator.json(&["vault", "show", "kv1"]);
    for (field, value) in [
        ("location", "northeurope"),
        ("geography", "Europe"),
        ("replica_region", "westeurope"),
        ("serving_region", "northeurope"),
    ] {
        assert_eq!(shown[field], value, "{field}");
    }
    assert_eq!(region(), "northeurope");

    let failed_over = emulator.json(&["vault", "update", "kv1", "--failed-over", "true"]);
    assert_eq!(failed_over["serving_region"], "westeurope");
    assert_eq!(failed_over["location"], "northeurope");
    assert_eq!(region(), "westeurope");
    let shown = emulator.cli(&["vault", "show", "kv1"]);
    assert!(shown.contains("yes, westeurope serves it"), "{shown}");

    emulator.cli(&["vault", "update", "kv1", "--failed-over", "false"]);
    assert_eq!(region(), "northeurope");
}

#[test]
fn vault_without_a_replica_refuses_to_fail_over() {
    let emulator = Emulator::start();
    for (vault, region) in [
        ("kv-italy", "italynorth"),
        ("kv-brazil", "brazilsouth"),
        ("kv-phoenix", "westus3"),
        ("kv-moonbase", "moonbase1"),
    ] {
        emulator.cli(&["vault", "create", vault, "--location", region]);
        let refused = emulator.run(&["vault", "update", vault, "--failed-over", "true"]);
        assert_eq!(refused.code, 1);
        let error = refused.stderr;
        let reason = format!(
            "error: A vault in the region '{region}' cannot fail over, because it is not replicated to another region\n"
        );
        assert!(error.starts_with(&reason), "{error}");
        let shown = emulator.json(&["vault", "show", vault]);
        assert_eq!(shown["failed_over"], false);
        assert_eq!(shown["replica_region"], Value::Null);
        assert_eq!(shown["serving_region"], region);
    }
}

#[test]
fn regions_are_listed_with_geography_and_pair() {
    let arm = Arm::start();
    let path = format!("{SUBSCRIPTION}/locations");
    let listed = arm.send("GET", &path, "2022-12-01", &Value::Null).json();
    let find = |name: &str| {
        let mut regions = listed["value"].as_array().unwrap().iter();
        regions.find(|it| it["name"] == name).unwrap().clone()
    };
    assert_eq!(
        find("uksouth"),
        json!({
            "id": format!("{path}/uksouth"), "name": "uksouth", "type": "Region",
            "displayName": "UK South", "regionalDisplayName": "(UK) UK South",
            "metadata": {"regionType": "Physical", "regionCategory": "Recommended",
                "geography": "United Kingdom", "geographyGroup": "UK",
                "pairedRegion": [{"name": "ukwest", "id": format!("{path}/ukwest")}]},
        })
    );
    assert_eq!(find("qatarcentral")["metadata"]["pairedRegion"], json!([]));
    arm.create_in("kv1", "moonbase1");
    assert_eq!(arm.get(&vault_path("kv1")).json()["location"], "moonbase1");
}
