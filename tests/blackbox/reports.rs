//! Reports by users of registries with customer-managed keys, from public trackers, beyond those in rules.rs.

use sealock_tests::{Answer, Emulator, Image, Options, digest_of};
use serde_json::{Value, json};

use crate::{
    entra::token,
    resource_manager::{
        Arm, SUBSCRIPTION, code, identity_path, registries::Tutorial, registry_path,
    },
    tokens::Guest,
};

const PRIVATE: &str = "Public network access is disabled and request is not from a trusted service nor via an approved private link.";
const FIREWALL: &str = "Client address is not authorized and caller is not a trusted service.";

fn vault_path(vault: &str) -> String {
    format!("/resourceGroups/rg1/providers/Microsoft.KeyVault/vaults/{vault}")
}

/// Returns the body of a request for a vault, to which `properties` are added.
fn new_vault(properties: &Value) -> Value {
    let mut body = json!({"location": "westus", "properties": {
        "tenantId": "5ea10c00-0000-4000-8000-000000000000",
        "sku": {"family": "A", "name": "standard"}, "accessPolicies": []}});
    for (name, value) in properties.as_object().unwrap() {
        body["properties"][name] = value.clone();
    }
    body
}

fn create_vault(arm: &Arm, vault: &str, properties: &Value) -> Value {
    let created = arm.send("PUT", &vault_path(vault), &new_vault(properties));
    assert_eq!(created.status, 200, "{created:?}");
    created.json()
}

/// An application's client of a vault, with all permissions for its keys.
struct VaultClient<'a> {
    emulator: &'a Emulator,
    host: String,
    authorization: String,
}

impl<'a> VaultClient<'a> {
    fn of(emulator: &'a Emulator, vault: &str) -> Self {
        let grant = ["access", "grant", "--permissions", "all"];
        let identity = ["--identity", "registry-identity", "--vault", vault];
        emulator.cli(&[&grant[..], &identity].concat());
        let shown = emulator.json(&["identity", "show", "registry-identity"]);
        let query = format!(
            "&resource=https://vault.azure.net&client_id={}",
            shown["client_id"].as_str().unwrap()
        );
        let port = emulator.address().rsplit(':').next().unwrap();
        Self {
            emulator,
            host: format!("{vault}.vault.localhost:{port}"),
            authorization: format!("Bearer {}", token(emulator, &query)),
        }
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let headers = [
            ("host", self.host.as_str()),
            ("authorization", self.authorization.as_str()),
        ];
        let path = format!("{path}?api-version=7.4");
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        self.emulator.client().send(method, &path, &headers, &body)
    }

    /// Checks that the vault refuses its firewall's clients with the inner code and the beginning of a text.
    fn is_refused(&self, (method, path, body): (&str, &str, &Value), inner: &str, text: &str) {
        let refused = self.send(method, path, body);
        assert_eq!(refused.status, 403, "{refused:?}");
        let error = &refused.json()["error"];
        assert_eq!(error["code"], "Forbidden");
        assert_eq!(error["innererror"]["code"], inner);
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with(text), "{message}");
    }
}

/// As in 2020, when a user-assigned identity did not pass the firewall. Covers
/// <https://github.com/MicrosoftDocs/azure-docs/issues/61015> and <https://github.com/Azure/acr/issues/523>.
#[test]
fn creation_that_the_vaults_firewall_refuses_is_audited_with_address_and_caller() {
    let trusted = "SEALOCK_FIDELITY__TRUSTED_SERVICES";
    let tutorial = Tutorial::start_on(Emulator::start_with(Options {
        environment: vec![(trusted.to_owned(), "system-assigned".to_owned())],
        ..Options::default()
    }));
    let id = format!("{SUBSCRIPTION}{}", identity_path("rg1", "id1"));
    for (rules, text) in [
        (&["--default-action", "deny"][..], FIREWALL),
        (
            &["--public-access", "disabled", "--bypass", "none"],
            PRIVATE,
        ),
    ] {
        let update = ["vault", "network", "update", "kv1"];
        tutorial.emulator.cli(&[&update[..], rules].concat());
        let refused = tutorial.put(&tutorial.body(&tutorial.kid));
        assert_eq!(code(&refused), "KeyInaccessible");
        let audited = ["audit", "--vault", "kv1", "--result", "403", "--json"];
        let audited = tutorial.emulator.cli(&audited);
        let event: Value = serde_json::from_str(audited.lines().last().unwrap()).unwrap();
        assert_eq!(event["operationName"], "KeyGet");
        let said = event["resultDescription"].as_str().unwrap();
        assert!(said.starts_with(text), "{said}");
        assert_eq!(
            said.contains("\nClient address: "),
            text == FIREWALL,
            "{said}"
        );
        for part in ["\nCaller: appid=", ";oid=", "\nVault: kv1;location=eastus"] {
            assert!(said.contains(part), "{part} is not in {said}");
        }
        let resource = event["identity"]["claim"]["xms_mirid"].as_str().unwrap();
        assert!(resource.eq_ignore_ascii_case(&id), "{resource}");
        assert!(said.contains(&format!(";xms_mirid={resource}")), "{said}");
    }
}

/// The requests of `az acr check-health`. Covers <https://github.com/Azure/azure-cli/pull/16403>.
#[test]
fn health_check_finds_a_deleted_identity_but_no_disabled_key() {
    let emulator = Emulator::start();
    let (arm, guest) = (Arm::developer(&emulator), Guest::of(&emulator));
    let registry = arm.get(&registry_path("sealock", "sealock")).json();
    let key = registry["properties"]["encryption"]["keyVaultProperties"].clone();
    let identities = registry["identity"]["userAssignedIdentities"].clone();
    let ids: Vec<_> = identities.as_object().unwrap().keys().cloned().collect();
    assert_eq!(identities[&ids[0]]["clientId"], key["identity"]);
    emulator.cli(&["role", "assign", "--role", "AcrPull"]);
    let entra = token(&emulator, "&resource=https://containerregistry.azure.net");
    let health = || {
        let challenged = guest.get("/v2/").status;
        let form = format!(
            "grant_type=access_token&service={}&access_token={entra}",
            guest.host
        );
        let exchanged = guest.send("POST", "/oauth2/exchange", form.as_bytes());
        let path = format!("{}?api-version=2023-01-31", ids[0]);
        let found = arm.send_whole("GET", &path, &Value::Null);
        let client_id = found.json()["properties"]["clientId"].clone();
        let is_found = found.status == 200 && client_id == key["identity"];
        (challenged, exchanged.status, is_found)
    };
    assert_eq!(health(), (401, 200, true));
    emulator.cli(&["key", "disable"]);
    let pull = emulator.client().get("/v2/app/manifests/v1");
    assert_eq!(pull.status, 403, "{pull:?}");
    assert_eq!(health(), (401, 200, true), "of a disabled key");
    emulator.cli(&["identity", "delete"]);
    let (challenged, _, is_found) = health();
    assert_eq!((challenged, is_found), (401, false));
    // The registry still names the identity, so that the check can miss it.
    let registry = arm.get(&registry_path("sealock", "sealock")).json();
    assert_eq!(registry["identity"]["userAssignedIdentities"], identities);
}

/// The requests of `az keyvault delete-policy --object-id`. Covers
/// <https://github.com/MicrosoftDocs/azure-docs/issues/116430>.
#[test]
fn policy_removed_by_its_object_id_revokes_at_once() {
    let emulator = Emulator::start();
    let (arm, client) = (Arm::developer(&emulator), emulator.client());
    let image = Image::random(&[1000]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    let vault = "/resourceGroups/sealock/providers/Microsoft.KeyVault/vaults/sealock";
    let arm = arm.with_version("2023-02-01");
    let before = arm.get(vault).json();
    let object_id = emulator.json(&["identity", "show"])["principal_id"].clone();
    let mut without = before.clone();
    let policies = &mut without["properties"]["accessPolicies"];
    let policies = policies.as_array_mut().unwrap();
    policies.retain(|policy| policy["objectId"] != object_id);
    assert_eq!(arm.send("PUT", vault, &without).status, 200);
    let refused = client.get("/v2/app/manifests/v1");
    assert_eq!(refused.status, 403, "{refused:?}");
    let cause = &refused.json()["errors"][0]["detail"]["cause"];
    assert_eq!(cause, "ForbiddenByPolicy");
    assert_eq!(arm.send("PUT", vault, &before).status, 200);
    assert_eq!(client.pull("app", "v1", &image).status, 200);
}

/// Covers <https://github.com/MicrosoftDocs/azure-docs/issues/76728> and
/// <https://github.com/cloud-custodian/cloud-custodian/issues/6641>.
#[test]
fn identity_and_encryption_status_are_shown_in_every_version_that_has_them() {
    let tutorial = Tutorial::start();
    assert_eq!(tutorial.put(&tutorial.body(&tutorial.kid)).status, 201);
    let plain = registry_path("rg1", "plain");
    let body = json!({"location": "westus", "sku": {"name": "Basic"}});
    assert_eq!(tutorial.arm.send("PUT", &plain, &body).status, 200);
    let shown = |version| {
        let arm = Arm::developer(&tutorial.emulator).with_version(version);
        let list = arm.get("/resourceGroups/rg1/providers/Microsoft.ContainerRegistry/registries");
        let list = list.json()["value"].clone();
        let [plain, encrypted] = [&list[0], &list[1]];
        assert_eq!(
            (&plain["name"], &encrypted["name"]),
            (&json!("plain"), &json!("regone"))
        );
        for listed in [plain, encrypted] {
            let name = listed["name"].as_str().unwrap();
            assert_eq!(arm.get(&registry_path("rg1", name)).json(), *listed);
        }
        [plain, encrypted].map(|it| {
            let status = it["properties"]
                .get("encryption")
                .map(|it| it["status"].clone());
            (it.get("identity").is_some(), status)
        })
    };
    assert_eq!(shown("2019-05-01"), [(false, None), (false, None)]);
    let (enabled, disabled) = (json!("enabled"), json!("disabled"));
    for version in [
        "2019-12-01-preview",
        "2021-09-01",
        "2023-07-01",
        "2025-11-01",
    ] {
        let expected = [
            (false, Some(disabled.clone())),
            (true, Some(enabled.clone())),
        ];
        assert_eq!(shown(version), expected, "{version}");
    }
}

/// The request after which Terraform asks for an import. Covers
/// <https://github.com/hashicorp/terraform-provider-azurerm/issues/10637>.
#[test]
fn existing_key_is_found_with_its_version_before_a_client_creates_it() {
    let tutorial = Tutorial::start();
    let vault = VaultClient::of(&tutorial.emulator, "kv1");
    let missing = vault.send("GET", "/keys/nokey/", &Value::Null);
    assert_eq!(missing.status, 404, "{missing:?}");
    let found = vault.send("GET", "/keys/key1/", &Value::Null);
    assert_eq!(found.status, 200, "{found:?}");
    assert_eq!(found.json()["key"]["kid"], tutorial.kid.as_str());
}

/// Covers <https://github.com/hashicorp/terraform-provider-azurerm/issues/18450> and
/// <https://github.com/hashicorp/terraform-provider-azurerm/issues/21087>.
#[test]
fn vault_without_public_access_is_created_but_its_keys_are_out_of_reach() {
    let tutorial = Tutorial::start();
    let closed = json!({"publicNetworkAccess": "Disabled"});
    let created = create_vault(&tutorial.arm, "kv2", &closed);
    assert_eq!(created["properties"]["publicNetworkAccess"], "Disabled");
    let vault = VaultClient::of(&tutorial.emulator, "kv2");
    let key = json!({"kty": "RSA"});
    vault.is_refused(
        ("POST", "/keys/k1/create", &key),
        "ForbiddenByConnection",
        PRIVATE,
    );
    vault.is_refused(
        ("GET", "/keys", &Value::Null),
        "ForbiddenByConnection",
        PRIVATE,
    );
    let open = json!({"properties": {"publicNetworkAccess": "Enabled"}});
    let patched = tutorial.arm.send("PATCH", &vault_path("kv2"), &open);
    assert_eq!(patched.status, 200, "{patched:?}");
    assert_eq!(vault.send("POST", "/keys/k1/create", &key).status, 200);
}

/// Covers <https://github.com/hashicorp/terraform/issues/27062>.
#[test]
fn key_is_not_created_from_an_address_that_the_firewall_does_not_list() {
    let tutorial = Tutorial::start();
    let deny = |rules: Value| {
        let acls = json!({"bypass": "AzureServices", "defaultAction": "Deny", "ipRules": rules});
        create_vault(&tutorial.arm, "kv2", &json!({"networkAcls": acls}));
    };
    deny(json!([]));
    let vault = VaultClient::of(&tutorial.emulator, "kv2");
    let key = json!({"kty": "RSA"});
    let text = format!("{FIREWALL}\r\nClient address: 127.0.0.1\r\nCaller: appid=");
    vault.is_refused(
        ("POST", "/keys/k1/create", &key),
        "ForbiddenByFirewall",
        &text,
    );
    deny(json!([{"value": "127.0.0.1"}]));
    let vault = VaultClient::of(&tutorial.emulator, "kv2");
    assert_eq!(vault.send("POST", "/keys/k1/create", &key).status, 200);
}

/// The emulator has no private endpoints. Covers <https://github.com/hashicorp/terraform-provider-azurerm/issues/27840>.
#[test]
fn private_endpoint_is_refused_as_unsupported() {
    let tutorial = Tutorial::start();
    assert_eq!(tutorial.put(&tutorial.body(&tutorial.kid)).status, 201);
    let endpoint = "/resourceGroups/rg1/providers/Microsoft.Network/privateEndpoints/pe1";
    let connection = json!({"name": "pe1", "properties": {"groupIds": ["vault"],
        "privateLinkServiceId": format!("{SUBSCRIPTION}{}", vault_path("kv1"))}});
    let body = json!({"location": "westus", "properties":
        {"subnet": {"id": "/subnet"}, "privateLinkServiceConnections": [connection]}});
    let approval =
        json!({"properties": {"privateLinkServiceConnectionState": {"status": "Approved"}}});
    let of_registry = format!(
        "{}/privateEndpointConnections/pe1",
        registry_path("rg1", "regone")
    );
    let of_vault = format!("{}/privateEndpointConnections/pe1", vault_path("kv1"));
    for (path, body) in [
        (endpoint, &body),
        (&of_registry, &approval),
        (&of_vault, &approval),
    ] {
        let refused = tutorial.arm.send("PUT", path, body);
        let found = (refused.status, code(&refused));
        assert_eq!(found, (404, "InvalidResourceType".to_owned()), "{path}");
        let message = refused.json()["error"]["message"].to_string();
        let said = "This version of the emulator does not support it.";
        assert!(message.contains(said), "{message}");
    }
    let shown = &tutorial.show()["properties"]["privateEndpointConnections"];
    assert_eq!(*shown, json!([]));
}

/// Terraform waits for ten answers. Covers <https://github.com/hashicorp/terraform-provider-azurerm/issues/24534>.
#[test]
fn new_vault_answers_at_once_and_without_a_login() {
    let tutorial = Tutorial::start();
    let created = create_vault(&tutorial.arm, "kv2", &json!({}));
    let uri = created["properties"]["vaultUri"].as_str().unwrap();
    let host = uri.strip_prefix("https://").unwrap().trim_end_matches('/');
    for _ in 0..10 {
        let client = tutorial.emulator.client();
        let answer = client.send("GET", "/", &[("host", host)], b"");
        assert!(answer.status < 500, "{answer:?}");
        assert!(
            answer.headers.contains_key("x-ms-keyvault-region"),
            "{answer:?}"
        );
    }
}

/// Covers <https://github.com/Azure/bicep-registry-modules/issues/4036>.
#[test]
fn both_uris_of_a_key_in_resource_manager_are_accepted() {
    let tutorial = Tutorial::start();
    let arm = &tutorial.arm;
    let path = "/resourceGroups/sealock/providers/Microsoft.KeyVault/vaults/kv1/keys/key1";
    let key = arm.get(path).json()["properties"].clone();
    let version = key["keyUriWithVersion"].as_str().unwrap();
    let version = version.rsplit('/').next().unwrap();
    let joined = format!("{}/{version}", key["keyUri"].as_str().unwrap());
    for (place, (uri, follows)) in [
        (key["keyUri"].as_str().unwrap(), true),
        (key["keyUriWithVersion"].as_str().unwrap(), false),
        (&joined, false),
    ]
    .into_iter()
    .enumerate()
    {
        let path = registry_path("rg1", &format!("regone{place}"));
        let created = arm.send("PUT", &path, &tutorial.body(uri));
        assert_eq!(created.status, 201, "{created:?}");
        let shown = arm.get(&path).json()["properties"]["encryption"]["keyVaultProperties"].clone();
        assert_eq!(shown["keyIdentifier"], uri);
        assert_eq!(shown["keyRotationEnabled"], follows, "{uri}");
    }
}

/// The requests of `azapi_resource` and `azapi_update_resource`. Covers
/// <https://github.com/Azure/terraform-azurerm-avm-res-containerregistry-registry/issues/198>.
#[test]
fn whole_body_that_a_client_has_read_and_changed_is_accepted() {
    let tutorial = Tutorial::start();
    let path = registry_path("rg1", "regone");
    for version in [
        "2021-09-01",
        "2023-11-01-preview",
        "2025-04-01",
        "2025-11-01",
    ] {
        let arm = Arm::developer(&tutorial.emulator).with_version(version);
        assert_eq!(arm.get(&path).status, 404, "{version}");
        let created = arm.send("PUT", &path, &tutorial.body(&tutorial.kid));
        assert_eq!(created.status, 201, "{version}: {created:?}");
        let before = arm.get(&path).json();
        let mut body = before.clone();
        body["tags"] = json!({"env": version});
        body["properties"]["adminUserEnabled"] = true.into();
        let changed = arm.send("PUT", &path, &body);
        assert_eq!(changed.status, 201, "{version}: {changed:?}");
        let after = arm.get(&path).json();
        body["systemData"] = after["systemData"].clone();
        assert_eq!(after, body, "{version}");
        assert_eq!(arm.delete(&path).status, 200, "{version}");
    }
}

/// Covers <https://github.com/MicrosoftDocs/azure-docs/issues/67139>.
#[test]
fn failed_over_vault_still_unwraps_but_neither_creates_nor_deletes_keys() {
    let emulator = Emulator::start();
    let (client, image) = (emulator.client(), Image::random(&[1000]));
    assert_eq!(client.push("app", "v1", &image).status, 201);
    let vault = VaultClient::of(&emulator, "sealock");
    emulator.cli(&["vault", "update", "--failed-over", "true"]);
    assert_eq!(client.pull("app", "v1", &image).status, 200);
    let pushed = client.push_blob("app", b"content");
    assert_eq!(pushed.status, 201, "{pushed:?}");
    let blob = client.get(&format!("/v2/app/blobs/{}", digest_of(b"content")));
    assert_eq!(blob.status, 200);
    let key = json!({"kty": "RSA"});
    let change = json!({"attributes": {"enabled": false}});
    for (method, path, body) in [
        ("POST", "/keys/k2/create", &key),
        ("POST", "/keys/registry-key/rotate", &Value::Null),
        ("PATCH", "/keys/registry-key/", &change),
        ("DELETE", "/keys/registry-key", &Value::Null),
    ] {
        let refused = vault.send(method, path, body);
        let inner = refused.json()["error"]["innererror"]["code"].clone();
        assert_eq!(
            (refused.status, inner),
            (403, json!("VaultIsReadOnly")),
            "{method} {path}"
        );
    }
    assert_eq!(
        vault.send("GET", "/keys/registry-key", &Value::Null).status,
        200
    );
    assert_eq!(client.pull("app", "v1", &image).status, 200);
    emulator.cli(&["vault", "update", "--failed-over", "false"]);
    assert_eq!(vault.send("POST", "/keys/k2/create", &key).status, 200);
}

/// Covers <https://github.com/MicrosoftDocs/azure-docs/issues/57967> and
/// <https://github.com/MicrosoftDocs/azure-docs/issues/58742>.
#[test]
fn purge_protection_cannot_be_turned_off_again() {
    let tutorial = Tutorial::start();
    let arm = &tutorial.arm;
    create_vault(arm, "kv2", &json!({"enablePurgeProtection": true}));
    let off = json!({"enablePurgeProtection": false});
    for (method, body) in [
        ("PATCH", json!({"properties": off})),
        ("PUT", new_vault(&off)),
    ] {
        let refused = arm.send(method, &vault_path("kv2"), &body);
        assert_eq!(refused.status, 400, "{refused:?}");
        let message = refused.json()["error"]["message"].clone();
        assert_eq!(
            message,
            "The property \"enablePurgeProtection\" cannot be set to false. Enabling the purge protection for a vault is an irreversible action."
        );
    }
    let update = ["vault", "update", "kv2", "--purge-protection", "false"];
    let refused = tutorial.emulator.run(&update);
    assert_eq!(refused.code, 1, "{refused:?}");
    let shown = arm.get(&vault_path("kv2")).json();
    assert_eq!(shown["properties"]["enablePurgeProtection"], true);
    assert_eq!(
        arm.send("PATCH", &vault_path("kv2"), &json!({"tags": {}}))
            .status,
        200
    );
}
