//! Vaults in Azure Resource Manager.

mod access;
mod keys;
mod lifecycle;
mod recordings;
mod regions;
mod rules;

use sealock_tests::{Answer, Emulator};
use serde_json::{Value, json};

pub(crate) const SUBSCRIPTION: &str = "/subscriptions/00000000-0000-0000-0000-000000000000";
const VERSION: &str = "2023-02-01";
const LATEST: &str = "2026-02-01";

/// An emulator with the resource group `rg1`, and a caller with a role over the subscription.
struct Arm {
    emulator: Emulator,
    token: String,
    tenant: String,
    /// The caller's client id.
    client: String,
    /// The object id of the registry's identity.
    identity: String,
}

impl Arm {
    fn start() -> Self {
        Self::start_as("Owner")
    }

    fn start_as(role: &str) -> Self {
        let emulator = Emulator::start();
        emulator.cli(&["clock", "freeze"]);
        let identity = emulator.json(&["identity", "list"])["identities"][0].clone();
        let (token, client) = log_in(&emulator, "manager", Some(role));
        let arm = Self {
            tenant: text(&identity["tenant_id"]),
            identity: text(&identity["principal_id"]),
            emulator,
            token,
            client,
        };
        if role == "Owner" {
            for group in ["rg1", "rg2"] {
                let body = json!({"location": "westus"});
                let path = format!("{SUBSCRIPTION}/resourceGroups/{group}");
                assert_eq!(arm.send("PUT", &path, "2024-11-01", &body).status, 201);
            }
        }
        arm
    }

    fn send(&self, method: &str, path: &str, version: &str, body: &Value) -> Answer {
        let path = format!("{path}?api-version={version}");
        let authorization = format!("Bearer {}", self.token);
        let body = match body {
            Value::Null => Vec::new(),
            body => body.to_string().into_bytes(),
        };
        self.emulator
            .client()
            .send(method, &path, &[("authorization", &authorization)], &body)
    }

    fn get(&self, path: &str) -> Answer {
        self.send("GET", path, VERSION, &Value::Null)
    }

    fn put(&self, vault: &str, body: &Value) -> Answer {
        self.send("PUT", &vault_path(vault), VERSION, body)
    }

    fn patch(&self, vault: &str, properties: &Value) -> Answer {
        let body = json!({"properties": properties});
        self.send("PATCH", &vault_path(vault), VERSION, &body)
    }

    fn delete(&self, vault: &str) -> Answer {
        self.send("DELETE", &vault_path(vault), VERSION, &Value::Null)
    }

    /// Creates a vault with access policies, to which `properties` are added.
    fn create(&self, vault: &str, properties: &Value) -> Value {
        let created = self.put(vault, &self.new_vault(properties));
        assert_eq!(created.status, 200, "{created:?}");
        created.json()
    }

    /// Returns the body of a request for a vault with access policies, to which `properties` are added.
    fn new_vault(&self, properties: &Value) -> Value {
        let mut body = json!({"location": "eastus2", "properties": {
            "tenantId": self.tenant, "sku": {"family": "A", "name": "standard"}, "accessPolicies": []}});
        for (name, value) in properties.as_object().unwrap() {
            body["properties"][name] = value.clone();
        }
        body
    }

    /// Returns a policy with permissions to keys.
    fn policy(&self, principal: &str, keys: &Value) -> Value {
        json!({"tenantId": self.tenant, "objectId": principal, "permissions": {"keys": keys}})
    }

    /// Replaces the placeholders in a recorded body, and returns it as JSON.
    fn recorded(&self, body: &str) -> Value {
        serde_json::from_str(&self.fill(body)).unwrap()
    }

    /// Replaces the placeholders in a recorded body.
    fn fill(&self, body: &str) -> String {
        let port = self.emulator.address().rsplit(':').next().unwrap();
        body.replace("{sub}", "00000000-0000-0000-0000-000000000000")
            .replace("{tenantId}", &self.tenant)
            .replace("{objectId}", &self.identity)
            .replace("user@example.com", &self.client)
            .replace("\"User\"", "\"Application\"")
            .replace("vault.azure.net", &format!("vault.localhost:{port}"))
    }
}

/// Creates an application, with a role over the subscription, and returns a token and its client id.
fn log_in(emulator: &Emulator, name: &str, role: Option<&str>) -> (String, String) {
    let app = emulator.json(&["app", "create", name]);
    if let Some(role) = role {
        emulator.cli(&[
            "role",
            "assign",
            "--app",
            name,
            "--role",
            role,
            "--scope",
            SUBSCRIPTION,
        ]);
    }
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", app["client_id"].as_str().unwrap()),
        ("client_secret", app["secret"].as_str().unwrap()),
        ("scope", "https://management.azure.com/.default"),
    ];
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let path = format!("/{}/oauth2/v2.0/token", text(&app["tenant_id"]));
    let answer = emulator.client().send("POST", &path, &[], form.as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
    (
        text(&answer.json()["access_token"]),
        text(&app["client_id"]),
    )
}

fn vault_path(vault: &str) -> String {
    let vault = vault.split_once('/').unwrap_or(("rg1", vault));
    let (group, name) = vault;
    format!("{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.KeyVault/vaults/{name}")
}

fn deleted_path(location: &str, vault: &str) -> String {
    format!(
        "{SUBSCRIPTION}/providers/Microsoft.KeyVault/locations/{location}/deletedVaults/{vault}"
    )
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Returns the body with each time of a history, and each date, replaced by that of the recordings.
fn with_recorded_times(answer: &Answer) -> String {
    let mut body = String::from_utf8(answer.body.clone()).unwrap();
    for (name, length) in [
        ("createdAt", 24),
        ("lastModifiedAt", 24),
        ("deletionDate", 20),
        ("scheduledPurgeDate", 20),
    ] {
        let start = format!("\"{name}\":\"");
        let mut rest = body.as_str();
        let mut replaced = String::new();
        while let Some((before, after)) = rest.split_once(&start) {
            let (time, after) = after.split_once('"').unwrap();
            assert_eq!(time.len(), length, "{name} is {time}");
            assert!(time.ends_with('Z'), "{time}");
            replaced.extend([before, &start, "TIME\""]);
            rest = after;
        }
        body = replaced + rest;
    }
    body
}

/// Checks the refusal's status, code and text.
fn assert_refused(answer: &Answer, status: u16, code: &str, message: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(
        answer.json(),
        json!({"error": {"code": code, "message": message}})
    );
}
