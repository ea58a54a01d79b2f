//! A registry's firewall: its shapes in Resource Manager, and its effect on the registry's clients.

use sealock_tests::{Answer, Client, Emulator, Image};
use serde_json::{Value, json};

use super::{Arm, code, registry_path};
use crate::tokens::Guest;

/// The bytes of ACR's refusal.
const REFUSED: &str = concat!(
    r#"{"errors":[{"code":"DENIED","message":"client with IP \u0027127.0.0.1\u0027 is not allowed access. "#,
    r#"Refer https://aka.ms/acr/firewall to grant access."}]}"#,
    "\n"
);

/// The quickstart's registry with an image, and a client of Resource Manager that changes its firewall.
struct Pushed {
    emulator: Emulator,
    arm: Arm,
    image: Image,
}

impl Pushed {
    fn start() -> Self {
        let emulator = Emulator::start();
        let image = Image::random(&[1000]);
        assert_eq!(emulator.client().push("app", "v1", &image).status, 201);
        let arm = Arm::developer(&emulator);
        Self {
            emulator,
            arm,
            image,
        }
    }

    fn change(&self, properties: &Value) -> Value {
        let body = json!({"properties": properties});
        let changed = self.arm.send("PATCH", &path(), &body);
        assert_eq!(changed.status, 200, "{changed:?}");
        changed.json()["properties"].clone()
    }

    fn pull(&self) -> Answer {
        self.emulator.client().pull("app", "v1", &self.image)
    }
}

fn path() -> String {
    registry_path("sealock", "sealock")
}

fn listing(rules: &[&str]) -> Value {
    let rules: Vec<_> = rules.iter().map(|rule| json!({"value": rule})).collect();
    json!({"networkRuleSet": {"defaultAction": "Deny", "ipRules": rules}})
}

fn refused(answer: &Answer) {
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(String::from_utf8_lossy(&answer.body), REFUSED);
}

#[test]
fn firewall_refuses_an_unlisted_client_on_every_endpoint_of_both_doors() {
    let pushed = Pushed::start();
    let emulator = &pushed.emulator;
    pushed.change(&listing(&[]));
    let guest = Guest::of(emulator);
    for host in ["localhost", &guest.host] {
        let client: Client = emulator.client();
        for (method, path) in [
            ("GET", "/v2/"),
            ("GET", "/v2/_catalog"),
            ("GET", "/v2/app/manifests/v1"),
            ("POST", "/v2/app/blobs/uploads/"),
            ("GET", "/acr/v1/app/_tags"),
            ("GET", "/oauth2/token"),
            ("POST", "/oauth2/token"),
            ("POST", "/oauth2/exchange"),
            ("GET", "/v2/NoName/nothing"),
        ] {
            refused(&client.send(method, path, &[("host", host)], b""));
        }
        let head = client.send("HEAD", "/v2/app/manifests/v1", &[("host", host)], b"");
        assert_eq!((head.status, head.body.len()), (403, 0));
    }
    let repositories = emulator.json(&["repository", "list"]);
    assert_eq!(repositories["repositories"][0]["name"], "app");
    assert_eq!(emulator.run(&["status"]).code, 0, "the gate is open");
}

#[test]
fn firewall_lets_in_listed_addresses_and_outlives_a_restart() {
    let mut pushed = Pushed::start();
    for (rules, is_allowed) in [
        (&["127.0.0.2", "203.0.113.0/24"][..], false),
        (&["203.0.113.0/24", "127.0.0.1"], true),
        (&["127.0.0.0/8"], true),
        (&["10.0.0.0/8"], false),
    ] {
        pushed.change(&listing(rules));
        let pulled = pushed.pull();
        if is_allowed {
            assert_eq!(pulled.status, 200, "{rules:?}");
        } else {
            refused(&pulled);
        }
    }
    pushed.emulator.restart();
    pushed.arm = Arm::developer(&pushed.emulator);
    refused(&pushed.pull());
    let guest = Guest::of(&pushed.emulator);
    pushed.change(&listing(&["127.0.0.1"]));
    assert_eq!(guest.get("/v2/").status, 401, "a listed client logs in");

    // A closed registry does not even let in the listed ones. `None` only concerns services that the emulator lacks.
    let closed = json!({"publicNetworkAccess": "Disabled", "networkRuleBypassOptions": "None"});
    let shown = pushed.change(&closed);
    assert_eq!(shown["publicNetworkAccess"], "Disabled");
    assert_eq!(shown["networkRuleBypassOptions"], "None");
    refused(&pushed.pull());
    let open =
        json!({"publicNetworkAccess": "Enabled", "networkRuleSet": {"defaultAction": "Allow"}});
    pushed.change(&open);
    assert_eq!(pushed.pull().status, 200);
}

#[test]
fn rules_are_shown_as_recorded_in_each_version() {
    let pushed = Pushed::start();
    let rule = json!({"action": "Allow", "value": "16.17.18.0/24"});
    pushed.change(&listing(&["16.17.18.0/24", "1.2.3.4", "16.17.18.0/24"]));
    let single = json!({"action": "Allow", "value": "1.2.3.4"});
    let show = |version| {
        let arm = Arm::developer(&pushed.emulator).with_version(version);
        arm.get(&path()).json()["properties"]["networkRuleSet"].clone()
    };
    let shown = json!({"defaultAction": "Deny", "ipRules": [rule, single]});
    for version in ["2021-09-01", "2023-11-01-preview", "2025-11-01"] {
        assert_eq!(show(version), shown, "{version}");
    }
    let mut old = shown;
    old["virtualNetworkRules"] = json!([]);
    assert_eq!(show("2021-08-01-preview"), old);
    let usages = pushed.arm.get(&format!("{}/listUsages", path())).json();
    let mut usages = usages["value"].as_array().unwrap().iter();
    let usage = usages.find(|it| it["name"] == "IPRules").unwrap();
    assert_eq!(usage["currentValue"], 2);

    // A change of one member keeps the other, and `az acr network-rule` sends back what it read.
    let shown = pushed.change(&json!({"networkRuleSet": {"defaultAction": "Allow"}}));
    let kept = json!({"defaultAction": "Allow", "ipRules": [rule, single]});
    assert_eq!(shown["networkRuleSet"], kept);
    old["ipRules"] = json!([single]);
    let shown = pushed.change(&json!({"networkRuleSet": old}));
    let removed = json!({"defaultAction": "Deny", "ipRules": [single]});
    assert_eq!(shown["networkRuleSet"], removed);
    let whole = pushed.arm.get(&path()).json();
    let echoed = pushed.arm.send("PUT", &path(), &whole);
    assert_eq!(echoed.status, 201, "{echoed:?}");
    assert_eq!(
        pushed.arm.get(&path()).json()["properties"]["networkRuleSet"],
        removed
    );
}

#[test]
fn bad_network_rule_is_refused_and_changes_nothing() {
    let pushed = Pushed::start();
    let before = pushed.arm.get(&path()).json();
    let rules = |rules: Value| json!({"networkRuleSet": {"ipRules": rules}});
    let many: Vec<_> = (0..101)
        .map(|n| json!({"value": format!("1.2.3.{n}")}))
        .collect();
    let invalid = "InvalidRequestContent";
    for (properties, expected, said) in [
        (
            json!({"publicNetworkAccess": "Maybe"}),
            invalid,
            "publicNetworkAccess",
        ),
        (
            json!({"publicNetworkAccess": true}),
            invalid,
            "publicNetworkAccess",
        ),
        (
            json!({"networkRuleBypassOptions": "All"}),
            invalid,
            "networkRuleBypassOptions",
        ),
        (
            json!({"networkRuleSet": {"defaultAction": "Ask"}}),
            invalid,
            "defaultAction",
        ),
        (
            rules(json!([{"value": "::1"}])),
            invalid,
            "'::1' is not an IPv4 address",
        ),
        (
            rules(json!([{"value": "1.2.3.0/33"}])),
            invalid,
            "1.2.3.0/33",
        ),
        (
            rules(json!([{"value": "1.2.3.4", "action": "Deny"}])),
            invalid,
            "expected Allow",
        ),
        (rules(json!([{"action": "Allow"}])), invalid, "value"),
        (rules(json!("1.2.3.4")), invalid, "ipRules"),
        (rules(json!(many)), "TooManyIPRules", "at most 100"),
        (
            json!({"networkRuleSet": {"virtualNetworkRules": [{"id": "/subnet"}]}}),
            "NotSupportedByEmulator",
            "networkRuleSet.virtualNetworkRules",
        ),
    ] {
        let body = json!({"properties": properties});
        let refused = pushed.arm.send("PATCH", &path(), &body);
        assert_eq!(
            (refused.status, code(&refused).as_str()),
            (400, expected),
            "{body}"
        );
        let message = refused.json()["error"]["message"].to_string();
        assert!(message.contains(said), "{message}");
    }
    assert_eq!(pushed.arm.get(&path()).json(), before);
}

#[test]
fn firewall_of_another_tier_is_refused_with_azures_texts() {
    let emulator = Emulator::start();
    let arm = Arm::developer(&emulator);
    arm.create_group("rg1");
    let path = registry_path("rg1", "regone");
    let body = |sku: &str, properties: Value| json!({"location": "westus", "sku": {"name": sku}, "properties": properties});
    let rules = |sku: &str| {
        let text = "The requested feature virtual network rule is not supported for the SKU";
        ("NetworkRuleNotSupported", format!("{text} {sku}."))
    };
    let public = |sku: &str| {
        let text = format!(
            "Disabling public network access is not supported for the SKU {sku}. For more information, please visit https://aka.ms/acr/private-link."
        );
        ("DisablingPublicNetworkAccessNotSupported", text)
    };
    let refuses = |method: &str, body: &Value, (code, text): (&str, String)| {
        let refused = arm.send(method, &path, body);
        let expected = json!({"error": {"code": code, "message": text}, "status": "Failed"});
        assert_eq!((refused.status, refused.json()), (400, expected), "{body}");
    };
    let deny = json!({"networkRuleSet": {"defaultAction": "Deny"}});
    let allow = json!({"networkRuleSet": {"defaultAction": "Allow", "ipRules": []}});
    let closed = json!({"publicNetworkAccess": "Disabled"});
    refuses("PUT", &body("Basic", deny.clone()), rules("Basic"));
    refuses("PUT", &body("Standard", allow), rules("Standard"));
    refuses("PUT", &body("Basic", closed.clone()), public("Basic"));
    assert_eq!(arm.get(&path).status, 404, "no registry is left");

    assert_eq!(arm.send("PUT", &path, &body("Premium", deny)).status, 200);
    let standard = json!({"sku": {"name": "Standard"}});
    refuses("PATCH", &standard, rules("Standard"));
    let downgraded = emulator.run(&["registry", "create", "regone", "--sku", "Basic"]);
    assert_ne!(downgraded.code, 0);
    let (_, text) = rules("Basic");
    let said = text.trim_end_matches('.');
    assert!(downgraded.stderr.contains(said), "{downgraded:?}");
    let open = json!({"properties": {"networkRuleSet": {"defaultAction": "Allow"}}});
    assert_eq!(arm.send("PATCH", &path, &open).status, 200);
    assert_eq!(arm.send("PATCH", &path, &standard).status, 200);
    refuses("PATCH", &json!({"properties": closed}), public("Standard"));
}

#[test]
fn token_for_resource_manager_logs_in_unless_the_registry_refuses_them() {
    let pushed = Pushed::start();
    pushed
        .emulator
        .cli(&["role", "assign", "--role", "AcrPull"]);
    let guest = Guest::of(&pushed.emulator);
    let port = guest.host.rsplit_once(':').unwrap().1;
    let exchange = |audience: &str| {
        let query = format!("&resource={audience}");
        let token = crate::entra::token(&pushed.emulator, &query);
        let form = format!(
            "grant_type=access_token&service={}&access_token={token}",
            guest.host
        );
        guest
            .send("POST", "/oauth2/exchange", form.as_bytes())
            .status
    };
    let own = format!("https://management.localhost:{port}/");
    let of_arm = [
        "https://management.azure.com/",
        "https://management.core.windows.net/",
        &own,
    ];
    let acr = "https://containerregistry.azure.net";
    let policy = |status: &str| json!({"policies": {"azureADAuthenticationAsArmPolicy": {"status": status}}});
    for (status, of_arm_answer) in [("enabled", 200), ("disabled", 401), ("enabled", 200)] {
        let shown = pushed.change(&policy(status));
        let shown = &shown["policies"]["azureADAuthenticationAsArmPolicy"];
        assert_eq!(*shown, json!({"status": status}));
        assert_eq!(exchange(acr), 200, "{status}");
        for audience in of_arm {
            assert_eq!(exchange(audience), of_arm_answer, "{audience} {status}");
        }
    }
    let maybe = json!({"properties": policy("maybe")});
    let refused = pushed.arm.send("PATCH", &path(), &maybe);
    assert_eq!(code(&refused), "InvalidRequestContent");
    pushed.change(&policy("Disabled"));
    let old = Arm::developer(&pushed.emulator).with_version("2021-09-01");
    let policies = old.get(&path()).json()["properties"]["policies"].clone();
    assert!(policies.get("azureADAuthenticationAsArmPolicy").is_none());
}
