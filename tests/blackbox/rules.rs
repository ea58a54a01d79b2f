//! Azure's rules for registries with a customer-managed key, each by the command line and through Resource Manager.

mod creation;
mod keys;
mod permissions;
mod rotation;
mod settings;

use sealock_tests::{Answer, Emulator};
use serde_json::{Value, json};

use crate::resource_manager::{SUBSCRIPTION, identity_path, registries::Tutorial, registry_path};

const HELP: &str =
    "For more information on customer-managed keys, please visit 'https://aka.ms/acr/cmk'.";
const HELP_BYOK: &str =
    "For more information on bring your own key, please visit 'https://aka.ms/acr/cmk'.";

/// A way to ask for a registry.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    CommandLine,
    ResourceManager,
}

const WAYS: [Way; 2] = [Way::CommandLine, Way::ResourceManager];

/// The registry that a request asks for.
#[derive(Clone, Debug)]
struct Wish {
    registry: String,
    sku: &'static str,
    key: Option<String>,
    /// The name of a managed identity, or `system`.
    identity: Option<&'static str>,
}

/// A refusal, as a client sees it.
#[derive(Debug, PartialEq)]
struct Refusal {
    code: String,
    text: String,
}

/// The tutorial's key and identity, with both ways to ask for registries that use them.
struct Rules {
    tutorial: Tutorial,
}

impl Way {
    /// Returns the name of a registry that this way creates.
    fn registry(self) -> &'static str {
        match self {
            Self::CommandLine => "regcli",
            Self::ResourceManager => "regarm",
        }
    }
}

impl Refusal {
    fn new(code: &str, text: String) -> Self {
        let code = code.to_owned();
        Self { code, text }
    }

    /// Azure's refusal of a key, whatever the cause is.
    fn of_key(key: &str, client_id: &Value) -> Self {
        let client_id = client_id.as_str().unwrap();
        let text = format!(
            "Failed to access KeyId '{key}'. Verify that identity '{client_id}' has 'Get, Wrap Key, Unwrap Key' permission on key '{key}'. {HELP_BYOK}"
        );
        Self::new("KeyInaccessible", text)
    }
}

impl Rules {
    fn start() -> Self {
        Self {
            tutorial: Tutorial::start(),
        }
    }

    fn start_on(emulator: Emulator) -> Self {
        Self {
            tutorial: Tutorial::start_on(emulator),
        }
    }

    fn emulator(&self) -> &Emulator {
        &self.tutorial.emulator
    }

    fn cli(&self, command: &str) -> String {
        let words: Vec<_> = command.split(' ').collect();
        self.emulator().cli(&words)
    }

    /// Returns the URL of the tutorial's key without a version.
    fn key(&self) -> &str {
        self.tutorial.kid.rsplit_once('/').unwrap().0
    }

    /// Returns the URL of another key than the tutorial's.
    fn key_at(&self, vault: &str, key: &str) -> String {
        let port = self.emulator().address().rsplit(':').next().unwrap();
        format!("https://{vault}.vault.localhost:{port}/keys/{key}")
    }

    /// Asks for a registry with the tutorial's key and identity.
    fn wish(&self, registry: &str) -> Wish {
        Wish {
            registry: registry.to_owned(),
            sku: "Premium",
            key: Some(self.key().to_owned()),
            identity: Some("id1"),
        }
    }

    /// Returns the client id of an identity, and of the registry's own one `system`.
    fn client_id(&self, identity: &str) -> Value {
        if identity == "system" {
            return json!("system");
        }
        self.identity(identity)["properties"]["clientId"].clone()
    }

    fn identity(&self, name: &str) -> Value {
        let found = self.tutorial.arm.get(&identity_path("rg1", name));
        assert_eq!(found.status, 200, "{found:?}");
        found.json()
    }

    /// Creates an identity that may use the keys of a vault.
    fn create_identity(&self, name: &str, vault: &str) {
        self.tutorial.arm.create_identity("rg1", name);
        self.grant(name, vault);
    }

    fn grant(&self, identity: &str, vault: &str) {
        self.cli(&format!(
            "access grant --vault {vault} --identity {identity}"
        ));
    }

    /// Creates a vault with a key that the tutorial's identity may use, and returns the key's URL.
    fn create_vault(&self, vault: &str, key: &str) -> String {
        self.cli(&format!("vault create {vault}"));
        self.cli(&format!("key create {key} --vault {vault}"));
        self.grant("id1", vault);
        self.key_at(vault, key)
    }

    /// Returns the body of the request that asks for a registry through Resource Manager.
    fn body(&self, wish: &Wish) -> Value {
        let identity = match wish.identity {
            None => Value::Null,
            Some("system") => json!({"type": "SystemAssigned"}),
            Some(name) => json!({"type": "UserAssigned",
                "userAssignedIdentities": {self.identity(name)["id"].as_str().unwrap(): {}}}),
        };
        let (_, location) = place(&wish.registry);
        let mut body = json!({"location": location, "sku": {"name": wish.sku}, "identity": identity, "properties": {}});
        if wish.key.is_some() || wish.identity.is_some() {
            let key = json!({"keyIdentifier": wish.key, "identity": wish.identity.map(|it| self.client_id(it))});
            body["properties"]["encryption"] =
                json!({"status": "enabled", "keyVaultProperties": key});
        }
        body
    }

    /// Asks for a registry that may exist already.
    fn put(&self, way: Way, wish: &Wish) -> Result<Value, Refusal> {
        if way == Way::ResourceManager {
            return self.send("PUT", &wish.registry, &self.body(wish));
        }
        let mut command = vec!["registry", "create", &wish.registry, "--sku", wish.sku];
        command.extend(wish.key.iter().flat_map(|key| ["--key", key]));
        command.extend(wish.identity.iter().flat_map(|it| ["--identity", it]));
        self.run(&command)
    }

    /// Rotates a registry to the key and the identity, which must be assigned.
    fn rotate(
        &self,
        way: Way,
        registry: &str,
        key: &str,
        identity: &str,
    ) -> Result<Value, Refusal> {
        if way == Way::ResourceManager {
            let key = json!({"keyIdentifier": key, "identity": self.client_id(identity)});
            return self.patch_encryption(registry, &key);
        }
        let rotate = ["registry", "rotate-key", registry, "--key", key];
        self.run(&[&rotate[..], &["--identity", identity]].concat())
    }

    /// Assigns an identity to a registry, beside the tutorial's.
    fn assign(&self, way: Way, registry: &str, identity: &str) {
        let assigned = match (way, identity) {
            (Way::CommandLine, _) => {
                let assign = ["registry", "identity", "assign", identity];
                self.run(&[&assign[..], &["--registry", registry]].concat())
            }
            (_, "system") => {
                let both = json!({"identity": {"type": "SystemAssigned, UserAssigned"}});
                self.send("PATCH", registry, &both)
            }
            _ => {
                let id = self.identity(identity)["id"].clone();
                let body = json!({"identity": {"type": "UserAssigned",
                    "userAssignedIdentities": {id.as_str().unwrap(): {}}}});
                self.send("PATCH", registry, &body)
            }
        };
        assert!(assigned.is_ok(), "{assigned:?}");
    }

    fn patch_encryption(&self, registry: &str, key: &Value) -> Result<Value, Refusal> {
        let encryption = json!({"status": "enabled", "keyVaultProperties": key});
        let body = json!({"properties": {"encryption": encryption}});
        self.send("PATCH", registry, &body)
    }

    fn run(&self, command: &[&str]) -> Result<Value, Refusal> {
        let output = self.emulator().run(&[command, &["--json"]].concat());
        if output.code == 0 {
            return Ok(serde_json::from_str(&output.stdout).unwrap());
        }
        assert_eq!((output.code, output.stdout.as_str()), (1, ""), "{output:?}");
        let problem: Value = serde_json::from_str(&output.stderr).unwrap();
        assert_eq!(problem["status"], 409, "{problem}");
        Err(Refusal::new(
            problem["code"].as_str().unwrap(),
            problem["detail"].as_str().unwrap().to_owned(),
        ))
    }

    /// Sends a request to Resource Manager.
    fn send(&self, method: &str, registry: &str, body: &Value) -> Result<Value, Refusal> {
        let answer = self.tutorial.arm.send(method, &path(registry), body);
        match answer.status {
            200 | 201 => Ok(answer.json()),
            _ => Err(refusal(&answer)),
        }
    }

    /// Returns what Resource Manager shows of a registry.
    fn show(&self, registry: &str) -> Value {
        let path = "/providers/Microsoft.ContainerRegistry/registries";
        let listed = self.tutorial.arm.get(path).json();
        let mut listed = listed["value"].as_array().unwrap().iter();
        listed.find(|it| it["name"] == registry).unwrap().clone()
    }

    /// Returns what Resource Manager shows of a registry's key.
    fn shown_key(&self, registry: &str) -> Value {
        self.show(registry)["properties"]["encryption"]["keyVaultProperties"].clone()
    }

    /// Returns what the control API shows of a registry.
    fn control(&self, registry: &str) -> Value {
        let path = format!("/_sealock/v1/registries/{registry}");
        let shown = self.emulator().client().get(&path);
        assert_eq!(shown.status, 200, "{shown:?}");
        shown.json()
    }

    /// Returns the answer to whether a registry can use its key.
    fn gate(&self, registry: &str) -> Value {
        self.control(registry)["gate"].clone()
    }

    /// Rotates a registry to another key, with the tutorial's identity.
    fn move_to(&self, way: Way, registry: &str, key: &str) {
        let rotated = self.rotate(way, registry, key, "id1");
        assert!(rotated.is_ok(), "{way:?}: {rotated:?}");
    }

    /// Creates a registry that has a key.
    fn create(&self, way: Way, wish: &Wish) {
        let created = self.put(way, wish);
        assert!(created.is_ok(), "{way:?} {wish:?}: {created:?}");
        let encryption = &self.show(&wish.registry)["properties"]["encryption"];
        assert_eq!(encryption["status"], "enabled", "{way:?} {wish:?}");
    }

    /// Creates registries that have a key, one in each way.
    fn create_in_both_ways(&self) {
        for way in WAYS {
            self.create(way, &self.wish(way.registry()));
        }
    }

    /// Creates a registry without a key.
    fn create_plain(&self, registry: &str, sku: &'static str) {
        let wish = Wish {
            sku,
            key: None,
            identity: None,
            ..self.wish(registry)
        };
        let created = self.put(Way::ResourceManager, &wish).unwrap();
        assert_eq!(
            created["properties"]["encryption"],
            json!({"status": "disabled"})
        );
    }

    /// Returns the refusal of an attempt that must fail and change nothing.
    fn refused(&self, attempt: impl FnOnce() -> Result<Value, Refusal>) -> Refusal {
        let state = || {
            let registries = self
                .tutorial
                .arm
                .get("/providers/Microsoft.ContainerRegistry/registries");
            let client = self.emulator().client();
            let shown = client.get("/_sealock/v1/registries").json();
            (registries.json(), shown)
        };
        let before = state();
        let refusal = attempt().expect_err("a refusal");
        assert!(state() == before, "something has changed: {refusal:?}");
        refusal
    }

    /// Checks that both ways refuse a new registry, and for the same reason.
    fn refuses(&self, wish: &Wish, expected: &Refusal) {
        for way in WAYS {
            let refused = self.refused(|| self.put(way, wish));
            assert_eq!(refused, *expected, "{way:?}: {wish:?}");
        }
    }

    /// Checks that both ways refuse a key for a new registry and for a rotation. Both have been created.
    fn refuses_key(&self, key: &str) {
        let expected = Refusal::of_key(key, &self.client_id("id1"));
        let wish = Wish {
            key: Some(key.to_owned()),
            ..self.wish("newone")
        };
        self.refuses(&wish, &expected);
        for way in WAYS {
            let refused = self.refused(|| self.rotate(way, way.registry(), key, "id1"));
            assert_eq!(refused, expected, "{way:?}");
        }
    }
}

/// Reads a refusal of Resource Manager.
fn refusal(answer: &Answer) -> Refusal {
    assert_eq!(answer.status, 400, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["status"], "Failed", "{body}");
    let error = &body["error"];
    Refusal::new(
        error["code"].as_str().unwrap(),
        error["message"].as_str().unwrap().to_owned(),
    )
}

/// Returns the group and the location of a registry.
fn place(registry: &str) -> (&'static str, &'static str) {
    if registry.starts_with(Way::CommandLine.registry()) {
        ("sealock", "eastus")
    } else {
        ("rg1", "westus")
    }
}

/// Returns the path of a registry below the subscription.
fn path(registry: &str) -> String {
    registry_path(place(registry).0, registry)
}
