use sealock_tests::{Answer, Emulator};
use serde_json::{Value, json};

use super::{Arm, SUBSCRIPTION, code, path_of, registry_path};

const RESOURCE: &str = "Microsoft.ContainerRegistry/registries";

/// An emulator with a group, an identity with access to a key, and a client that is logged in.
pub(crate) struct Tutorial {
    pub(crate) emulator: Emulator,
    pub(crate) arm: Arm,
    identity: Value,
    /// The key's URL with its version.
    pub(crate) kid: String,
}

impl Tutorial {
    pub(crate) fn start() -> Self {
        Self::start_on(Emulator::start())
    }

    pub(crate) fn start_on(emulator: Emulator) -> Self {
        let arm = Arm::developer(&emulator);
        arm.create_group("rg1");
        let identity = arm.create_identity("rg1", "id1");
        emulator.cli(&["vault", "create", "kv1"]);
        emulator.cli(&["key", "create", "key1", "--vault", "kv1"]);
        let kid = emulator.json(&["key", "show", "key1", "--vault", "kv1"])["kid"].clone();
        let permissions = "get,wrapKey,unwrapKey";
        emulator.cli(&[
            "access",
            "grant",
            "--vault",
            "kv1",
            "--identity",
            "id1",
            "--permissions",
            permissions,
        ]);
        Self {
            emulator,
            arm,
            identity,
            kid: kid.as_str().unwrap().to_owned(),
        }
    }

    fn client_id(&self) -> &Value {
        &self.identity["properties"]["clientId"]
    }

    /// Returns the body of a request for a registry with this key.
    pub(crate) fn body(&self, key: &str) -> Value {
        json!({
            "location": "westus",
            "sku": {"name": "Premium"},
            "identity": {
                "type": "UserAssigned",
                "userAssignedIdentities": {self.identity["id"].as_str().unwrap(): {}},
            },
            "properties": {
                "adminUserEnabled": false,
                "encryption": {
                    "status": "enabled",
                    "keyVaultProperties": {"keyIdentifier": key, "identity": self.client_id()},
                },
                "anonymousPullEnabled": false,
            },
        })
    }

    pub(crate) fn put(&self, body: &Value) -> Answer {
        self.arm.send("PUT", &registry_path("rg1", "regone"), body)
    }

    pub(crate) fn patch(&self, body: &Value) -> Answer {
        self.arm
            .send("PATCH", &registry_path("rg1", "regone"), body)
    }

    /// Creates a registry without a key, and returns its path.
    fn create_plain(&self) -> String {
        let body = json!({"location": "westus", "sku": {"name": "Premium"}});
        assert_eq!(self.put(&body).status, 200);
        registry_path("rg1", "regone")
    }

    pub(crate) fn show(&self) -> Value {
        self.arm.get(&registry_path("rg1", "regone")).json()
    }
}

/// Returns what a registry of this version has beside encryption, identity, id and history.
fn policies(updated: &Value) -> Value {
    json!({
        "quarantinePolicy": {"status": "disabled"},
        "trustPolicy": {"type": "Notary", "status": "disabled"},
        "retentionPolicy": {"days": 7, "lastUpdatedTime": updated, "status": "disabled"},
        "exportPolicy": {"status": "enabled"},
        "azureADAuthenticationAsArmPolicy": {"status": "enabled"},
        "softDeletePolicy": {"retentionDays": 7, "lastUpdatedTime": updated, "status": "disabled"},
    })
}

#[test]
fn registry_with_a_key_has_the_recorded_shape() {
    let tutorial = Tutorial::start();
    let created = tutorial.put(&tutorial.body(&tutorial.kid));
    assert_eq!(created.status, 201, "{created:?}");
    let found = created.json();
    let id = format!("{SUBSCRIPTION}/resourceGroups/rg1/providers/{RESOURCE}/regone");
    let (history, properties) = (&found["systemData"], &found["properties"]);
    let login_server = format!(
        "regone.azurecr.localhost:{}",
        tutorial.emulator.address().rsplit(':').next().unwrap()
    );
    let updated = &properties["policies"]["retentionPolicy"]["lastUpdatedTime"];
    let expected = json!({
        "sku": {"name": "Premium", "tier": "Premium"},
        "type": RESOURCE,
        "identity": {
            "type": "userAssigned",
            "userAssignedIdentities": {tutorial.identity["id"].as_str().unwrap(): {
                "principalId": tutorial.identity["properties"]["principalId"],
                "clientId": tutorial.client_id(),
            }},
        },
        "id": id,
        "name": "regone",
        "location": "westus",
        "tags": {},
        "systemData": {
            "createdBy": super::DEVELOPER,
            "createdByType": "Application",
            "createdAt": history["createdAt"],
            "lastModifiedBy": super::DEVELOPER,
            "lastModifiedByType": "Application",
            "lastModifiedAt": history["lastModifiedAt"],
        },
        "properties": {
            "loginServer": login_server,
            "creationDate": properties["creationDate"],
            "provisioningState": "Creating",
            "adminUserEnabled": false,
            "networkRuleSet": {"defaultAction": "Allow", "ipRules": []},
            "policies": policies(updated),
            "encryption": {"status": "enabled", "keyVaultProperties": {
                "keyIdentifier": tutorial.kid,
                "versionedKeyIdentifier": tutorial.kid,
                "identity": tutorial.client_id(),
                "keyRotationEnabled": false,
            }},
            "dataEndpointEnabled": false,
            "dataEndpointHostNames": [],
            "privateEndpointConnections": [],
            "publicNetworkAccess": "Enabled",
            "networkRuleBypassOptions": "AzureServices",
            "zoneRedundancy": "Disabled",
            "anonymousPullEnabled": false,
            "metadataSearch": "Disabled",
        },
    });
    assert_eq!(found, expected);
    let time = |value: &Value| value.as_str().unwrap().to_owned();
    assert!(time(&history["createdAt"]).ends_with("+00:00"));
    assert!(time(&properties["creationDate"]).ends_with('Z'));

    let status = path_of(created.header("azure-asyncoperation")).to_owned();
    let status = tutorial.arm.send_whole("GET", &status, &Value::Null);
    assert_eq!(status.json(), json!({"status": "Succeeded"}));
    let mut succeeded = expected;
    succeeded["properties"]["provisioningState"] = "Succeeded".into();
    assert_eq!(tutorial.show(), succeeded);
    let associated = "resourceGroups/rg1/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id1/listAssociatedResources";
    let associated = tutorial
        .arm
        .send("POST", &format!("/{associated}"), &Value::Null)
        .json();
    assert_eq!(
        (&associated["totalCount"], &associated["value"][0]["id"]),
        (&json!(1), &json!(id))
    );
    // A client sends back what it read.
    let echoed = tutorial.put(&succeeded);
    assert_eq!(echoed.status, 201, "{echoed:?}");
    assert_eq!(
        tutorial.show()["properties"]["encryption"],
        succeeded["properties"]["encryption"]
    );
}

#[test]
fn invalid_request_is_refused_with_its_code_and_leaves_no_registry() {
    let tutorial = Tutorial::start();
    let body = || tutorial.body(&tutorial.kid);
    let with = |path: &str, value: Value| {
        let mut body = body();
        *body.pointer_mut(path).unwrap() = value;
        body
    };
    for (body, expected) in [
        (with("/sku/name", json!("Huge")), "InvalidRequestContent"),
        (with("/sku", Value::Null), "SkuRequired"),
        (
            with("/properties", json!({"zoneRedundancy": "Enabled"})),
            "NotSupportedByEmulator",
        ),
        (
            with(
                "/identity/userAssignedIdentities",
                json!({tutorial.identity["id"].as_str().unwrap().replace("id1", "none"): {}}),
            ),
            "FailedIdentityOperation",
        ),
    ] {
        let refused = tutorial.put(&body);
        assert_eq!(
            (refused.status, code(&refused).as_str()),
            (400, expected),
            "{body}"
        );
    }
    let gone = tutorial.arm.get(&registry_path("rg1", "regone"));
    assert_eq!(gone.status, 404);

    assert_eq!(tutorial.put(&body()).status, 201);
    let taken = tutorial
        .arm
        .send("PUT", &registry_path("sealock", "regone"), &body());
    assert_eq!(
        (taken.status, code(&taken)),
        (409, "RegistryNameAlreadyInUse".to_owned())
    );
}

#[test]
fn admin_credentials_usages_and_name_check_have_the_recorded_shapes() {
    let tutorial = Tutorial::start();
    let arm = &tutorial.arm;
    let base = registry_path("rg1", "regone");
    let body = json!({"location": "westus", "sku": {"name": "Premium"}, "properties": {"adminUserEnabled": true}});
    assert_eq!(tutorial.put(&body).status, 200);
    let credentials = |answer: Answer| {
        let body = answer.json();
        assert_eq!(body["username"], "regone");
        ["password", "password2"].map(|name| {
            let mut all = body["passwords"].as_array().unwrap().iter();
            let found = all.find(|it| it["name"] == name);
            found.unwrap()["value"].as_str().unwrap().to_owned()
        })
    };
    let first = credentials(arm.send("POST", &format!("{base}/listCredentials"), &Value::Null));
    let renewed = arm.send(
        "POST",
        &format!("{base}/regenerateCredential"),
        &json!({"name": "password"}),
    );
    let renewed = credentials(renewed);
    assert!(renewed[0] != first[0] && renewed[1] == first[1]);

    let usages = arm.get(&format!("{base}/listUsages")).json();
    let expected = [
        ("Size", 536_870_912_000_i64, "Bytes"),
        ("Webhooks", 500, "Count"),
        ("Geo-replications", -1, "Count"),
        ("IPRules", 100, "Count"),
        ("VNetRules", 100, "Count"),
        ("PrivateEndpointConnections", 200, "Count"),
        ("ScopeMaps", 50_000, "Count"),
        ("Tokens", 50_000, "Count"),
    ];
    let expected = expected.map(|(name, limit, unit)| json!({"name": name, "limit": limit, "currentValue": 0, "unit": unit}));
    assert_eq!(usages["value"], json!(expected));
    let check = |name: &str| {
        let path = "/providers/Microsoft.ContainerRegistry/checkNameAvailability";
        arm.send("POST", path, &json!({"name": name, "type": RESOURCE}))
            .json()
    };
    assert_eq!(
        check("regone"),
        json!({"nameAvailable": false, "reason": "AlreadyExists",
        "message": "The registry regone is already in use."})
    );
    assert_eq!(check("regtwo"), json!({"nameAvailable": true}));
    assert_eq!(arm.delete(&base).status, 200);
    assert_eq!(arm.delete(&base).status, 204);
}

#[test]
fn scope_maps_and_tokens_have_the_recorded_shapes() {
    let tutorial = Tutorial::start();
    let arm = &tutorial.arm;
    let base = tutorial.create_plain();
    let map = format!("{base}/scopeMaps/reader-map");
    assert_eq!(
        arm.get(&map).json(),
        json!({"error": {"code": "ResourceNotFound",
        "message": "The resource reader-map could not be found."}, "status": "Failed"})
    );
    let put = arm.send(
        "PUT",
        &map,
        &json!({"properties": {"actions": ["repositories/foo/content/read"]}}),
    );
    assert_eq!(put.status, 200, "{put:?}");
    let id = format!("{SUBSCRIPTION}{map}");
    let history = |found: &Value| {
        let at = &found["systemData"]["createdAt"];
        assert!(at.as_str().unwrap().ends_with("+00:00"), "{at}");
        json!({
            "createdBy": super::DEVELOPER, "createdByType": "Application", "createdAt": at,
            "lastModifiedBy": super::DEVELOPER, "lastModifiedByType": "Application", "lastModifiedAt": at,
        })
    };
    let found = put.json();
    assert_eq!(
        found,
        json!({
            "type": format!("{RESOURCE}/scopeMaps"),
            "id": id,
            "name": "reader-map",
            "systemData": history(&found),
            "properties": {
                "type": "UserDefined",
                "creationDate": found["systemData"]["createdAt"],
                "provisioningState": "Succeeded",
                "actions": ["repositories/foo/content/read"],
            },
        })
    );
    let token = format!("{base}/tokens/reader");
    let put = arm.send(
        "PUT",
        &token,
        &json!({"properties": {"scopeMapId": id, "status": "enabled"}}),
    );
    let found = put.json();
    assert_eq!(put.status, 201, "{found}");
    assert_eq!(
        found,
        json!({
            "type": format!("{RESOURCE}/tokens"),
            "id": format!("{SUBSCRIPTION}{token}"),
            "name": "reader",
            "systemData": history(&found),
            "properties": {
                "creationDate": found["systemData"]["createdAt"],
                "provisioningState": "Creating",
                "scopeMapId": id,
                "credentials": {"passwords": []},
                "status": "enabled",
            },
        })
    );
    let status = path_of(put.header("azure-asyncoperation")).to_owned();
    assert_eq!(
        arm.send_whole("GET", &status, &Value::Null).json(),
        json!({"status": "Succeeded"})
    );
    let generate = json!({"tokenId": format!("{SUBSCRIPTION}{token}")});
    let generated = arm
        .send("POST", &format!("{base}/generateCredentials"), &generate)
        .json();
    assert_eq!(generated["username"], "reader");
    assert_eq!(generated["passwords"].as_array().unwrap().len(), 2);
    assert_eq!(arm.delete(&token).status, 200);
    assert_eq!(arm.delete(&map).status, 200);
}

#[test]
fn change_of_a_token_removes_the_passwords_that_it_does_not_name() {
    let tutorial = Tutorial::start();
    let arm = &tutorial.arm;
    let base = tutorial.create_plain();
    let map = format!("{base}/scopeMaps/reader-map");
    let actions = json!({"properties": {"actions": ["repositories/foo/content/read"]}});
    assert_eq!(arm.send("PUT", &map, &actions).status, 200);
    let token = format!("{base}/tokens/reader");
    let body = json!({"properties": {"scopeMapId": format!("{SUBSCRIPTION}{map}")}});
    assert_eq!(arm.send("PUT", &token, &body).status, 201);
    let generate = json!({"tokenId": format!("{SUBSCRIPTION}{token}")});
    let generated = arm.send("POST", &format!("{base}/generateCredentials"), &generate);
    assert_eq!(generated.status, 200);

    let change = |body: Value| {
        arm.send("PATCH", &token, &json!({"properties": body}))
            .status
    };
    let names = || {
        let shown = arm.get(&token).json();
        let passwords = shown["properties"]["credentials"]["passwords"].clone();
        let passwords = passwords.as_array().unwrap().iter();
        let names: Vec<_> = passwords.map(|it| it["name"].clone()).collect();
        json!(names)
    };
    assert_eq!(change(json!({"status": "disabled"})), 201);
    assert_eq!(names(), json!(["password1", "password2"]));
    let unknown = json!({"credentials": {"passwords": [{"name": "password3"}]}});
    assert_eq!(change(unknown), 400);
    assert_eq!(names(), json!(["password1", "password2"]));
    let second = json!({"credentials": {"passwords": [{"name": "password2"}]}});
    assert_eq!(change(second), 201);
    assert_eq!(names(), json!(["password2"]));
    assert_eq!(change(json!({"credentials": {"passwords": []}})), 201);
    assert_eq!(names(), json!([]));
}

/// The provider of Terraform panics if one of these is missing.
#[test]
fn strict_clients_find_every_field_that_they_take_for_granted() {
    let tutorial = Tutorial::start();
    for (version, sku) in [
        ("2025-11-01", "Premium"),
        ("2025-11-01", "Basic"),
        ("2021-09-01", "Standard"),
    ] {
        let arm = Arm::developer(&tutorial.emulator).with_version(version);
        let name = format!("reg{}", sku.to_lowercase());
        let path = registry_path("rg1", &name);
        let body = json!({"location": "westus", "sku": {"name": sku}, "properties": {}});
        assert_eq!(arm.send("PUT", &path, &body).status, 200);
        let found = arm.get(&path).json();
        for field in [
            "publicNetworkAccess",
            "zoneRedundancy",
            "adminUserEnabled",
            "loginServer",
            "provisioningState",
        ] {
            assert!(
                !found["properties"][field].is_null(),
                "{field} in {version}"
            );
        }
        assert_eq!(found["sku"]["tier"], sku);
        assert_eq!(
            found["properties"]["encryption"],
            json!({"status": "disabled"})
        );
        assert_eq!(
            found["properties"].get("networkRuleSet").is_some(),
            sku == "Premium"
        );
        assert_eq!(
            arm.get(&format!("{path}/replications")).json(),
            json!({"value": []})
        );
    }
    let old = Arm::developer(&tutorial.emulator).with_version("2019-05-01");
    let found = old.get(&registry_path("rg1", "regpremium")).json();
    assert!(found.get("identity").is_none() && found["properties"].get("encryption").is_none());
}
