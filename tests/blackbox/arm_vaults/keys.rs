//! Keys through Resource Manager.

use sealock_tests::Answer;
use serde_json::{Value, json};

use super::{Arm, VERSION, text, vault_path};

impl Arm {
    fn put_key(&self, key: &str, properties: &Value) -> Answer {
        let path = format!("{}/keys/{key}", vault_path("kv1"));
        let body = json!({"properties": properties, "tags": {"env": "test"}});
        self.send("PUT", &path, VERSION, &body)
    }
}

#[test]
fn key_is_created_once_and_shown_with_its_versions() {
    let arm = Arm::start();
    arm.create("kv1", &json!({}));
    let path = format!("{}/keys/k1", vault_path("kv1"));
    assert_eq!(arm.get(&path).status, 404);
    let created = arm.put_key(
        "k1",
        &json!({"kty": "RSA", "keySize": 3072, "keyOps": ["wrapKey", "UNWRAPKEY"],
            "attributes": {"enabled": true, "exp": 4_000_000_000_u64}}),
    );
    assert_eq!(created.status, 200, "{created:?}");
    let body = created.json();
    let properties = &body["properties"];
    let uri = text(&properties["keyUriWithVersion"]);
    let (key_uri, version) = uri.rsplit_once('/').unwrap();
    let time = properties["attributes"]["created"].clone();
    let expected = json!({
        "id": path, "name": "k1", "type": "Microsoft.KeyVault/vaults/keys", "location": "eastus2",
        "tags": {"env": "test"},
        "properties": {
            "attributes": {"enabled": true, "exp": 4_000_000_000_u64, "created": time, "updated": time,
                "recoveryLevel": "Recoverable+Purgeable", "exportable": false},
            "kty": "RSA", "keyOps": ["wrapKey", "unwrapKey"], "keySize": 3072,
            "keyUri": key_uri, "keyUriWithVersion": uri},
    });
    assert_eq!(body, expected);
    assert_eq!(arm.get(&path).json(), expected);
    let again = arm.put_key("K1", &json!({"kty": "EC"}));
    assert_eq!(again.json(), expected, "an existing key stays as it is");

    arm.emulator.cli(&["key", "rotate", "k1", "--vault", "kv1"]);
    let versions = arm.get(&format!("{path}/versions")).json();
    assert_eq!(versions["value"].as_array().unwrap().len(), 2);
    let old = arm.get(&format!("{path}/versions/{version}")).json();
    assert_eq!(old["id"], json!(format!("{path}/versions/{version}")));
    assert_eq!(old["name"], json!(version));
    assert_eq!(old["type"], "Microsoft.KeyVault/vaults/keys/versions");
    assert_eq!(old["properties"]["keyUriWithVersion"], json!(uri));
    assert_ne!(
        arm.get(&path).json()["properties"]["keyUriWithVersion"],
        json!(uri)
    );

    let listed = arm.get(&format!("{}/keys", vault_path("kv1"))).json();
    let item = &listed["value"][0];
    assert_eq!(item["id"], json!(path));
    assert_eq!(item["properties"]["keyUri"], json!(key_uri));
    assert_eq!(item["properties"].get("kty"), None);
}

#[test]
fn ec_key_shows_its_curve_and_invalid_keys_are_refused() {
    let arm = Arm::start();
    arm.create("kv1", &json!({}));
    let created = arm.put_key("k2", &json!({"kty": "EC", "curveName": "P-384"}));
    let properties = &created.json()["properties"];
    assert_eq!(properties["curveName"], "P-384");
    assert_eq!(properties.get("keySize"), None);
    for (key, properties, status) in [
        ("k3", json!({}), 400),
        ("k3", json!({"kty": "oct"}), 400),
        ("k3", json!({"kty": "RSA", "keySize": 1000}), 400),
        ("k_3", json!({"kty": "RSA"}), 400),
        ("k3", json!({"kty": "RSA", "rotationPolicy": {}}), 501),
    ] {
        let refused = arm.put_key(key, &properties);
        assert_eq!(refused.status, status, "{properties}: {refused:?}");
    }
    let missing = format!("{}/keys/k1", vault_path("rg2/kv1"));
    let body = json!({"properties": {"kty": "RSA"}});
    assert_eq!(arm.send("PUT", &missing, VERSION, &body).status, 404);
}

/// Neither the firewall nor the access policies apply, since the caller's role over the vault decides.
#[test]
fn keys_are_managed_behind_the_firewall_and_without_permissions() {
    let arm = Arm::start();
    arm.create("kv1", &json!({"publicNetworkAccess": "Disabled"}));
    let created = arm.put_key("k1", &json!({"kty": "RSA"}));
    assert_eq!(created.status, 200, "{created:?}");
    let path = format!("{}/keys/k1", vault_path("kv1"));
    assert_eq!(arm.get(&path).status, 200);
}
