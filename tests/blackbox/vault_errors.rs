mod bad_requests;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sealock_tests::{Client, Emulator};
use serde_json::{Value, json};

use crate::entra::token;

const NOT_MADE: &str = "Unsupported key size (1024). Supported sizes are [2048, 3072, 4096]";

/// A key for this test only.
const RSA_1024: &str = r#"{"kty":"RSA","n":"ojEYEuhuHzeZmasf1s3_E7f2Gq0PNLAJf1PDQxlAcYetbphrW0hFXSD2Us_Z7Z3Kgbsugl5ISdrbD9QmNQxzGsacl6xvafAQwybo0swF3Wmd_PFxdRetKnCcgEgJQwvuG--iyP1GsJJItHcMuA8nC1cTqF4r8ZlpMQVxwjtruUE","e":"AQAB","d":"Gua1rX0rtrXMHjbJ4yDrq-OZSDdoDD8edCX6fwiTLcFpPKy_Mba8-oNbF8UtykGfswDO6ASnTMimCOwRIj9cX9LrGS_pyR3_NjMmT-9lAdUP0bqG0HBWuTNOK6eGY720yK4iTtEWYcs-fmauMZ-DFCazKsCzuH_2ay24OHhI8lk","p":"0tH59PMfuv9_DQTA2tGyQ9IxqOJdPW9nnIoOfIpD6h_6n-c9d1nxZfZ7Db8ltOL57680BpuH9fFszZBNXTXkFw","q":"xPNDQcEg_4EtD0fmqYoNzSh48NePgwciKZPDqmHbkVSlCNIVpAq65UjP7Ati1V_Rrg_HGoI05EI7Sgd2pV8sZw"}"#;

/// A client of the default vault, with all permissions for its keys.
struct Vault {
    emulator: Emulator,
    client: Client,
    authorization: String,
}

impl Vault {
    fn start() -> Self {
        let emulator = Emulator::start();
        emulator.cli(&["access", "grant", "--permissions", "all"]);
        let token = token(&emulator, "&resource=https://vault.azure.net");
        Self {
            authorization: format!("Bearer {token}"),
            client: emulator.client(),
            emulator,
        }
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let separator = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{separator}api-version=7.4");
        let headers = [("authorization", self.authorization.as_str())];
        let answer = self.client.send(method, &path, &headers, body.as_bytes());
        let body = serde_json::from_slice(&answer.body).unwrap_or_default();
        (answer.status, body)
    }

    fn refused(&self, method: &str, path: &str, body: &str) -> (u16, String, String) {
        let (status, answer) = self.ask(method, path, body);
        let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str);
        let said = |pointer| text(pointer).unwrap_or_default().to_owned();
        (status, said("/error/code"), said("/error/message"))
    }
}

#[test]
fn refusals_have_azures_inner_codes() {
    let vault = Vault::start();
    let before = vault.emulator.json(&["key", "list"]);
    for (method, path, body, answer) in [
        (
            "POST",
            "/keys/x/create",
            r#"{"kty":"oct"}"#,
            json!({
                "code": "BadParameter",
                "message": "Invalid kty value: oct",
                "innererror": {"code": "KeyTypeNotSupported"},
            }),
        ),
        (
            "POST",
            "/keys/x/create",
            r#"{"kty":"DSA"}"#,
            json!({
                "code": "BadParameter",
                "message": "Invalid kty value: DSA",
                "innererror": {"code": "KeyTypeNotSupported"},
            }),
        ),
        (
            "PUT",
            "/keys/x",
            r#"{"key":{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAA"}}"#,
            json!({
                "code": "BadParameter",
                "message": "Invalid kty value: oct",
                "innererror": {"code": "KeyTypeNotSupported"},
            }),
        ),
        (
            "POST",
            "/keys/x/create",
            r#"{"kty":"RSA","key_size":1024}"#,
            json!({
                "code": "BadParameter",
                "message": "Unsupported key size (1024). Supported sizes are [2048, 3072, 4096]",
                "innererror": {"code": "KeySizeNotSupported"},
            }),
        ),
        (
            "POST",
            "/keys/restore",
            r#"{"value":"bm9uLWV4aXN0aW5n"}"#,
            json!({"code": "Malformed backup blob", "message": "Backup blob is corrupt."}),
        ),
    ] {
        let said = vault.ask(method, path, body);
        assert_eq!(said, (400, json!({ "error": answer })), "{path} {body}");
    }
    assert_eq!(vault.emulator.json(&["key", "list"]), before);
}

#[test]
fn missing_key_has_no_versions() {
    let vault = Vault::start();
    let none = (200, json!({"value": [], "nextLink": null}));
    assert_eq!(vault.ask("GET", "/keys/nope/versions", ""), none);
    assert_eq!(
        vault.ask("GET", "/keys/nope/versions?maxresults=1", ""),
        none
    );
    vault.ask("POST", "/keys/gone/create", r#"{"kty":"EC"}"#);
    let listed = vault.ask("GET", "/keys/gone/versions", "");
    assert_eq!(listed.1["value"].as_array().map(Vec::len), Some(1));
    vault.ask("DELETE", "/keys/gone", "");
    assert_eq!(vault.ask("GET", "/keys/gone/versions", ""), none);
}

#[test]
fn rsa_1024_key_is_imported_but_neither_created_nor_rotated() {
    let vault = Vault::start();
    let body = format!(r#"{{"key":{RSA_1024}}}"#);
    let (status, imported) = vault.ask("PUT", "/keys/short", &body);
    assert_eq!(status, 200, "{imported}");
    assert_eq!(imported["key"]["n"].as_str().map(str::len), Some(171));
    let wrapped = vault.ask(
        "POST",
        "/keys/short/wrapkey",
        r#"{"alg":"RSA-OAEP-256","value":"c2VjcmV0"}"#,
    );
    let value = wrapped.1["value"].as_str().unwrap();
    let body = format!(r#"{{"alg":"RSA-OAEP-256","value":"{value}"}}"#);
    let unwrapped = vault.ask("POST", "/keys/short/unwrapkey", &body);
    assert_eq!(unwrapped.1["value"], "c2VjcmV0");
    let backup = vault.ask("POST", "/keys/short/backup", "").1;
    let (status, _, message) = vault.refused("POST", "/keys/short/rotate", "");
    assert_eq!((status, message.as_str()), (400, NOT_MADE));
    vault.ask("DELETE", "/keys/short", "");
    vault.ask("DELETE", "/deletedkeys/short", "");
    let restored = vault.ask("POST", "/keys/restore", &backup.to_string());
    assert_eq!(restored, (200, imported));
}

#[test]
fn errors_quote_long_input_in_part_only() {
    let vault = Vault::start();
    let long = "S".repeat(1_000_000);
    for (method, path, body) in [
        (
            "PUT",
            "/keys/registry-key/rotationpolicy",
            format!(r#"{{"{long}":1}}"#),
        ),
        (
            "PUT",
            "/keys/registry-key/rotationpolicy",
            format!(r#"{{"attributes":{{"expiryTime":"{long}"}}}}"#),
        ),
        (
            "PUT",
            "/keys/registry-key/rotationpolicy",
            format!(
                r#"{{"lifetimeActions":[{{"trigger":{{"timeAfterCreate":"P9D"}},"action":{{"type":"{long}"}}}}]}}"#
            ),
        ),
        ("PUT", "/keys/x", format!(r#"{{"key":{{"kty":"{long}"}}}}"#)),
        (
            "POST",
            "/keys/x/create",
            format!(r#"{{"kty":"EC","tags":"{long}"}}"#),
        ),
        (
            "POST",
            "/keys/x/create",
            format!(r#"{{"kty":"EC-HSM","release_policy":{{"contentType":"{long}","data":""}}}}"#),
        ),
        (
            "POST",
            "/keys/x/create",
            format!(
                r#"{{"kty":"EC-HSM","release_policy":{{"data":"{}"}}}}"#,
                URL_SAFE_NO_PAD.encode(format!(r#"{{"{long}":1}}"#))
            ),
        ),
        (
            "POST",
            "/keys/registry-key/sign",
            format!(r#"{{"alg":"{long}","value":"AA"}}"#),
        ),
    ] {
        let (status, _, message) = vault.refused(method, path, &body);
        assert_eq!(status, 400, "{method} {path}");
        assert!(message.len() < 1_000, "{method} {path}: {}", message.len());
    }
    let control = format!(r#"{{"{}":1}}"#, &long[..60_000]);
    let path = "/_sealock/v1/vaults/sealock/keys/registry-key";
    let answer = vault.client.send("PATCH", path, &[], control.as_bytes());
    assert_eq!(answer.status, 400);
    assert!(answer.body.len() < 1_000, "{}", answer.body.len());
    let audit = vault.emulator.cli(&["audit", "--json"]);
    assert!(audit.lines().all(|line| line.len() < 4_000));
}

#[test]
fn null_in_a_rotation_policy_counts_as_absent() {
    let vault = Vault::start();
    let path = "/keys/registry-key/rotationpolicy";
    let default = vault.ask("GET", path, "").1["lifetimeActions"].clone();
    for body in [
        r#"{"lifetimeActions":null}"#,
        r#"{"id":null,"attributes":null}"#,
        r#"{"lifetimeActions":[],"attributes":{"expiryTime":null,"created":null}}"#,
    ] {
        let (status, policy) = vault.ask("PUT", path, body);
        assert_eq!(status, 200, "{body}: {policy}");
        assert_eq!(policy["lifetimeActions"], default, "{body}");
    }
}

#[test]
fn unsupported_operations_are_refused_as_such() {
    let vault = Vault::start();
    let wrapped = r#"{"key":{"kty":"RSA-HSM","key_hsm":"AA"}}"#;
    for (method, path, body, named) in [
        ("GET", "/secrets", "{}", "secrets"),
        ("PUT", "/secrets/x", "{}", "secrets"),
        ("GET", "/deletedsecrets", "{}", "secrets"),
        ("POST", "/certificates/x/create", "{}", "certificates"),
        ("GET", "/deletedcertificates/x", "{}", "certificates"),
        ("PUT", "/certificates/contacts", "{}", "certificates"),
        ("DELETE", "/certificates/contacts", "", "certificates"),
        ("POST", "/keys/registry-key/release", "{}", "releasing keys"),
        (
            "POST",
            "/keys/x/create",
            r#"{"attributes":{"external_key":{"id":"external-key-id"}}}"#,
            "external keys",
        ),
        (
            "POST",
            "/keys/x/create",
            r#"{"kty":"RSA-HSM","key_ops":["secureWrapKey","secureUnwrapKey"]}"#,
            "secure wrapping",
        ),
        (
            "POST",
            "/keys/registry-key/securewrapkey",
            r#"{"alg":"RSA-OAEP-256"}"#,
            "secure wrapping",
        ),
        (
            "POST",
            "/keys/registry-key/secureunwrapkey",
            r#"{"alg":"RSA-OAEP-256","target":"x","value":"AA"}"#,
            "secure wrapping",
        ),
        ("GET", "/keys/registry-key/attestation", "{}", "attestation"),
        (
            "PUT",
            "/keys/x",
            wrapped,
            "importing keys that are wrapped for an HSM",
        ),
    ] {
        let (status, code, message) = vault.refused(method, path, body);
        assert_eq!(
            (status, code.as_str()),
            (501, "NotSupportedByEmulator"),
            "{path}"
        );
        assert_eq!(message, format!("The emulator does not support {named}."));
    }
    for (method, path, status, code) in [
        ("GET", "/", 404, "NotFound"),
        ("GET", "/keys/k/v/w/x", 404, "NotFound"),
        ("PUT", "/keys", 405, "MethodNotAllowed"),
        ("PUT", "/deletedkeys/k", 405, "MethodNotAllowed"),
    ] {
        let host = [
            ("host", "sealock.vault.localhost"),
            ("authorization", vault.authorization.as_str()),
        ];
        let path = format!("{path}?api-version=7.4");
        let answer = vault.client.send(method, &path, &host, b"");
        let said = answer.json()["error"]["code"].clone();
        assert_eq!(
            (answer.status, said),
            (status, json!(code)),
            "{method} {path}"
        );
    }
}

/// Terraform reads the contacts with each vault, and accepts 200, 403 and 404.
#[test]
fn vault_has_no_certificate_contacts() {
    let vault = Vault::start();
    let none = json!({"error": {"code": "ContactsNotFound", "message": "Contacts not found"}});
    for path in ["/certificates/contacts", "/certificates/contacts/"] {
        assert_eq!(vault.ask("GET", path, ""), (404, none.clone()));
    }
}

#[test]
fn import_error_names_the_api_version_of_april_2026() {
    let vault = Vault::start();
    let body =
        r#"{"key":{"kty":"EC","crv":"P-256","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}}"#;
    for version in ["2026-04-01", "2026-01-01-preview"] {
        let path = format!("/keys/k?api-version={version}");
        let headers = [("authorization", vault.authorization.as_str())];
        let answer = vault.client.send("PUT", &path, &headers, body.as_bytes());
        assert_eq!(answer.status, 200, "{version}");
    }
}

#[test]
fn control_characters_in_tags_are_not_printed() {
    let vault = Vault::start();
    let tags = json!({"a\u{1b}[2J": "x\u{7}y\r\nkid  fake"});
    let body = json!({ "kty": "EC", "tags": tags }).to_string();
    assert_eq!(vault.ask("POST", "/keys/k/create", &body).0, 200);
    let shown = vault.emulator.cli(&["key", "show", "k"]);
    let line = shown.lines().find(|line| line.contains("tags"));
    let harmless = "a\u{fffd}[2J=x\u{fffd}y\u{fffd}\u{fffd}kid  fake";
    assert!(line.is_some_and(|line| line.ends_with(harmless)), "{shown}");
    assert!(!shown.contains(['\u{1b}', '\u{7}', '\r']), "{shown:?}");
    let json = vault.emulator.json(&["key", "show", "k"]);
    assert_eq!(json["versions"][0]["tags"], tags);
}

/// A caller that cannot reach the vault, or lacks the permission, learns nothing about its request.
#[test]
fn network_and_permission_are_judged_before_the_requests_content() {
    let vault = Vault::start();
    let inner = |(status, answer): (u16, Value)| {
        let code = answer.pointer("/error/innererror/code");
        (
            status,
            code.and_then(Value::as_str).unwrap_or_default().to_owned(),
        )
    };
    let ask = |method: &str, path: &str| {
        let headers = [("authorization", vault.authorization.as_str())];
        let answer = vault.client.send(method, path, &headers, b"{}");
        inner((answer.status, answer.json()))
    };
    let requests = [
        ("GET", "/keys/registry-key"),
        ("GET", "/keys/a_b?api-version=7.4"),
        ("GET", "/keys/k/zzz?api-version=7.4"),
        ("GET", "/secrets/x?api-version=7.4"),
        ("POST", "/keys/registry-key/release?api-version=7.4"),
        ("DELETE", "/keys?api-version=7.4"),
        ("POST", "/rng"),
    ];
    vault
        .emulator
        .cli(&["access", "revoke", "--permissions", "all"]);
    let denied = (403, "ForbiddenByPolicy".to_owned());
    assert_eq!(ask("GET", "/keys/registry-key"), denied);
    assert_eq!(
        ask("POST", "/keys/registry-key/release?api-version=7.4"),
        denied
    );
    vault.emulator.cli(&[
        "vault",
        "network",
        "update",
        "sealock",
        "--default-action",
        "deny",
    ]);
    for (method, path) in requests {
        let firewall = (403, "ForbiddenByFirewall".to_owned());
        assert_eq!(ask(method, path), firewall, "{method} {path}");
    }
    let recorded = vault.emulator.cli(&["audit", "--result", "403", "--json"]);
    let operations: Vec<String> = recorded
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["operationName"].to_string())
        // The registry's requests appear too, since its gate is evaluated after each change.
        .filter(|operation| operation != "\"KeyUnwrap\"")
        .collect();
    assert_eq!(
        operations,
        [
            "KeyGet",
            "KeyRelease",
            "KeyGet",
            "KeyRelease",
            "RandomBytesGet"
        ]
        .map(|name| json!(name).to_string())
    );
}

#[test]
fn vault_paths_work_on_localhost_as_on_the_vaults_name() {
    let vault = Vault::start();
    let kid = vault.ask("GET", "/keys/registry-key", "").1["key"]["kid"].clone();
    for path in [
        "/KEYS/registry-key",
        "//keys/registry-key",
        "///Keys//registry-key/",
    ] {
        let (status, bundle) = vault.ask("GET", path, "");
        assert_eq!((status, &bundle["key"]["kid"]), (200, &kid), "{path}");
    }
    assert_eq!(vault.ask("GET", "//DeletedKeys", "").0, 200);
    for (path, status) in [
        ("/storage/k", 501),
        ("/DeletedStorage", 501),
        ("/keyss", 404),
    ] {
        assert_eq!(vault.ask("GET", path, "").0, status, "{path}");
    }
}
