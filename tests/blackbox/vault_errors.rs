use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sealock_tests::{Client, Emulator};
use serde_json::{Value, json};

use crate::entra::token;

const NOT_MADE: &str = "Unsupported key size (1024). Supported sizes are [2048, 3072, 4096]";

/// Made for this test.
const RSA_1024: &str = r#"{"kty":"RSA","n":"ojEYEuhuHzeZmasf1s3_E7f2Gq0PNLAJf1PDQxlAcYetbphrW0hFXSD2Us_Z7Z3Kgbsugl5ISdrbD9QmNQxzGsacl6xvafAQwybo0swF3Wmd_PFxdRetKnCcgEgJQwvuG--iyP1GsJJItHcMuA8nC1cTqF4r8ZlpMQVxwjtruUE","e":"AQAB","d":"Gua1rX0rtrXMHjbJ4yDrq-OZSDdoDD8edCX6fwiTLcFpPKy_Mba8-oNbF8UtykGfswDO6ASnTMimCOwRIj9cX9LrGS_pyR3_NjMmT-9lAdUP0bqG0HBWuTNOK6eGY720yK4iTtEWYcs-fmauMZ-DFCazKsCzuH_2ay24OHhI8lk","p":"0tH59PMfuv9_DQTA2tGyQ9IxqOJdPW9nnIoOfIpD6h_6n-c9d1nxZfZ7Db8ltOL57680BpuH9fFszZBNXTXkFw","q":"xPNDQcEg_4EtD0fmqYoNzSh48NePgwciKZPDqmHbkVSlCNIVpAq65UjP7Ati1V_Rrg_HGoI05EI7Sgd2pV8sZw"}"#;

/// The default vault, as an identity that may do everything with its keys.
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
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_is_asked_wrongly_is_refused_with_what_is_wrong() {
    let vault = Vault::start();
    let created = vault.ask(
        "POST",
        "/keys/k256/create",
        r#"{"kty":"EC","crv":"P-256K"}"#,
    );
    assert_eq!(created.0, 200);
    let kid = created.1["key"]["kid"].as_str().unwrap();
    let digest = "A".repeat(43);
    let many: Value = (0..16).map(|n| (n.to_string(), json!(""))).collect();
    let many = json!({"kty": "EC", "tags": many}).to_string();
    let exportable = r#""kty":"EC-HSM","attributes":{"exportable":true}"#;
    let rules =
        r#"{"version":"1.0.0","anyOf":[{"authority":"//a","allOf":[{"claim":"c","equals":1}]}]}"#;
    let inconsistent = format!(
        r#"{{"key":{{"kty":"RSA","n":"{}","e":"AQAB","d":"AQ"}}}}"#,
        "_".repeat(342)
    );
    let policy = |asked: &str, rules: &str| {
        let data = URL_SAFE_NO_PAD.encode(rules);
        format!(r#"{{{asked},"release_policy":{{"data":"{data}"}}}}"#)
    };
    let before = vault.emulator.json(&["key", "list"]);
    for (method, path, body, said) in [
        // Rows of Azure's own texts.
        (
            "POST",
            "/keys/registry-key/encrypt",
            r#"{"alg":"","value":"AA"}"#,
            "Property  has invalid value\r\n",
        ),
        (
            "POST",
            "/keys/k256/sign",
            &format!(r#"{{"alg":"ES256","value":"{digest}"}}"#),
            &format!(
                "Key and signing algorithm are incompatible. Key {kid} uses curve 'P-256K', and algorithm 'ES256' can only be used with curve 'P-256'."
            ),
        ),
        (
            "POST",
            "/keys/x/create",
            r#"{"attributes":{}}"#,
            "Property  has invalid value\r\nProperty  has invalid value\r\n",
        ),
        (
            "POST",
            "/keys//create",
            r#"{"kty":"RSA"}"#,
            "Operation not specified",
        ),
        (
            "POST",
            "/keys/x",
            r#"{"kty":"RSA"}"#,
            "Operation not specified",
        ),
        (
            "POST",
            "/keys/x/create",
            r#"{"kty":"EC","key_ops":["wrapKey","verify","unwrapKey"]}"#,
            r#"Unsupported key operation(s): "wrapKey", "unwrapKey". Supported values are "sign", "verify"."#,
        ),
        (
            "POST",
            "/keys/a_b/create",
            r#"{"kty":"EC"}"#,
            "The request URI contains an invalid name: a_b",
        ),
        (
            "GET",
            "/keys/www.domain.tld",
            "",
            "The request URI contains an invalid name: www.domain.tld",
        ),
        (
            "GET",
            "/keys/registry-key/224120347BC041d682d0bf0e7f8f9ec",
            "",
            "Method GET does not allow operation '224120347BC041d682d0bf0e7f8f9ec'",
        ),
        (
            "GET",
            "/keys/registry-key/create",
            "",
            "Method GET does not allow operation 'create'",
        ),
        (
            "PUT",
            "/keys/registry-key/wrapkey",
            "{}",
            "Method PUT does not allow operation 'wrapKey'",
        ),
        (
            "POST",
            "/keys/registry-key/wrapkey",
            r#"{"alg":"RSA-OAEP"}"#,
            "Property 'value' is required.\r\n",
        ),
        (
            "POST",
            "/keys/registry-key/wrapkey",
            r#"{"alg":"RSA-OAEP","value":"+/"}"#,
            "Content of 'value' is not base64url.\r\nProperty 'value' is required.\r\n",
        ),
        (
            "POST",
            "/keys/registry-key/verify",
            &format!(r#"{{"alg":"RS256","value":"{digest}"}}"#),
            "Property 'digest' is required.\r\n",
        ),
        (
            "POST",
            "/keys/registry-key/verify",
            &format!(r#"{{"alg":"RS256","value":"{digest}","digest":"+/"}}"#),
            "Content of 'digest' is not base64url.\r\nProperty 'digest' is required.\r\n",
        ),
        (
            "POST",
            "/keys/registry-key/encrypt",
            r#"{"alg":"RSA-OAEP","value":"AA","iv":"+/"}"#,
            "Content of 'iv' is not base64url.\r\n",
        ),
        (
            "POST",
            "/keys/restore",
            "{}",
            "Property 'value' is required.\r\n",
        ),
        (
            "POST",
            "/keys/restore",
            r#"{"value":"$"}"#,
            "Content of 'value' is not base64url.\r\nProperty 'value' is required.\r\n",
        ),
        (
            "POST",
            "/keys/registry-key/unwrapkey",
            &format!(r#"{{"alg":"RSA-OAEP-256","value":"{}"}}"#, "A".repeat(342)),
            "Error occurred while decoding OAEP padding.",
        ),
        (
            "POST",
            "/keys/registry-key/decrypt",
            r#"{"alg":"RSA1_5","value":"AAAA"}"#,
            "Unable to decrypt specified value with this key",
        ),
        (
            "PUT",
            "/keys/x",
            r#"{"key":{"kty":"RSA","n":"AQAB"}}"#,
            r#"The property "key" must be a valid JsonWebKey object."#,
        ),
        (
            "PUT",
            "/keys/x",
            r#"{"key":{}}"#,
            r#"The property "key" must be a valid JsonWebKey object."#,
        ),
        (
            "PUT",
            "/keys/x",
            &inconsistent,
            "RSA key is not valid - cannot instantiate crypto service",
        ),
        (
            "POST",
            "/rng",
            r#"{"count":0}"#,
            "GetRandomBytesRequest: count cannot be greater than 128 or less than 1",
        ),
        (
            "POST",
            "/rng",
            r#"{"count":129}"#,
            "GetRandomBytesRequest: count cannot be greater than 128 or less than 1",
        ),
        (
            "POST",
            "/rng",
            r#"{"count":-1}"#,
            "GetRandomBytesRequest: count cannot be greater than 128 or less than 1",
        ),
        (
            "POST",
            "/keys/x/create",
            r#"{"kty":"RSA","attributes":{"exportable":true}}"#,
            "AKV.SKR.1004: Exportable keys must have release policy.",
        ),
        (
            "POST",
            "/keys/x/create",
            &policy(r#""kty":"RSA""#, rules),
            "AKV.SKR.1005: Non-exportable keys must not have release policy.",
        ),
        (
            "POST",
            "/keys/x/create",
            &many,
            "Property  has invalid value\r\n",
        ),
        // Ours.
        (
            "POST",
            "/keys/x/create",
            r#"{"kty":"EC","attributes":{"exp":253402300799}}"#,
            "expected seconds since 1970, up to 253402207200",
        ),
        ("POST", "/keys/x/create", "", "no body"),
        ("POST", "/keys/x/create", "[]", "expected an object"),
        ("POST", "/keys/x/create", r#"["EC"]"#, "expected an object"),
        (
            "POST",
            "/keys/x/create",
            r#"{"kty":"EC","attributes":[true]}"#,
            "expected an object",
        ),
        (
            "POST",
            "/keys/x/create",
            r#"{"kty":"EC","attributes":{"exp":"soon"}}"#,
            "invalid type, expected a whole number.",
        ),
        (
            "POST",
            "/keys/x/create",
            r#"{"kty":"RSA","key_size":-1}"#,
            "invalid value, expected a whole number.",
        ),
        (
            "POST",
            "/keys/x/create",
            r#"{"kty":"EC","key_ops":"sign"}"#,
            "invalid type, expected an array.",
        ),
        (
            "POST",
            "/keys/x/create",
            r#"{"kty":"EC","key_ops":["sing"]}"#,
            "'sing' is not a key operation; expected one of",
        ),
        ("POST", "/keys/x/create", "{", "not what is expected"),
        (
            "POST",
            "/keys/x/create",
            r#"{"kty":"RSA","public_exponent":3}"#,
            "65537",
        ),
        (
            "POST",
            "/keys/x/create",
            r#"{"kty":"EC","crv":"P-1"}"#,
            "P-1",
        ),
        (
            "POST",
            "/keys/x/create",
            r#"{"kty":"EC","attributes":{"exp":99999999999999999}}"#,
            "no time that the emulator knows",
        ),
        (
            "POST",
            "/keys/x/create",
            &policy(r#""kty":"RSA","attributes":{"exportable":true}"#, rules),
            "AKV.SKR.1006: The exportable attribute is only supported with keys in hardware",
        ),
        (
            "POST",
            "/keys/x/create",
            &policy(exportable, "{}"),
            "The data of the release policy is not in the grammar of https://learn.microsoft.com/azure/key-vault/keys/policy-grammar: missing field `version`",
        ),
        (
            "POST",
            "/keys/x/create",
            &policy(exportable, &rules.replace("//a", &"a".repeat(4000))),
            "at most 3072 are kept",
        ),
        (
            "POST",
            "/keys/x/create",
            &format!(r#"{{{exportable},"release_policy":{{"data":"+/"}}}}"#),
            "Content of 'release_policy.data' is not base64url.\r\n",
        ),
        (
            "POST",
            "/keys/x/create",
            &format!(r#"{{{exportable},"release_policy":{{"immutable":true}}}}"#),
            "missing field `data`",
        ),
        (
            "PATCH",
            "/keys/k256",
            r#"{"release_policy":{"data":"","contentType":"text/plain"}}"#,
            "The contentType 'text/plain' of the release policy is not supported",
        ),
        ("PUT", "/keys/x", r#"{"key":["EC"]}"#, "expected an object"),
        (
            "POST",
            "/keys/x/create",
            r#"{"kty":"EC-HSM","release_policy":[null,"e30",null]}"#,
            "expected an object",
        ),
        (
            "PATCH",
            "/keys/registry-key",
            "null",
            "not what is expected",
        ),
        ("GET", "/keys?maxresults=0", "", "1 to 25"),
        ("GET", "/keys?maxresults=26", "", "1 to 25"),
        ("GET", "/keys?maxresults=x", "", "1 to 25"),
        ("GET", "/keys?$skiptoken=x", "", "$skiptoken"),
        (
            "POST",
            "/keys/registry-key/wrapkey",
            r#"{"alg":"RSA-OAEP-512","value":"AA"}"#,
            "The algorithm 'RSA-OAEP-512' is not supported",
        ),
        (
            "POST",
            "/keys/registry-key/sign",
            r#"{"alg":"RS256","value":"AAAA"}"#,
            "32 bytes",
        ),
        (
            "PUT",
            "/keys/registry-key/rotationpolicy",
            r#"{"attributes":{"expiryTime":"P1D"}}"#,
            "at least P28D",
        ),
        (
            "PUT",
            "/keys/registry-key/rotationpolicy",
            r#"{"attributes":["P30D"]}"#,
            "expected an object",
        ),
        (
            "PUT",
            "/keys/registry-key/rotationpolicy",
            r#"{"lifetimeActions":[[{"timeAfterCreate":"P9D"},{"type":"Rotate"}]]}"#,
            "expected an object",
        ),
        (
            "PUT",
            "/keys/registry-key/rotationpolicy",
            r#"{"lifetimeActions":[{"trigger":{},"action":{"type":"Rotate"}}]}"#,
            "one trigger",
        ),
        (
            "PUT",
            "/keys/registry-key/rotationpolicy",
            r#"{"lifetimeActions":[{"trigger":{"timeAfterCreate":"P9D"},"action":{"type":"Fly"}}]}"#,
            "'Fly' is not an action",
        ),
    ] {
        let (status, code, message) = vault.refused(method, path, body);
        assert_eq!(
            (status, code.as_str()),
            (400, "BadParameter"),
            "{method} {path} {body}: {message}"
        );
        assert!(message.contains(said), "{method} {path} {body}: {message}");
    }
    assert_eq!(vault.emulator.json(&["key", "list"]), before);
}

#[test]
fn a_refusal_has_azures_inner_code_where_it_is_known() {
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
fn a_key_that_is_not_there_has_no_versions() {
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
fn a_key_of_1024_bits_is_imported_and_neither_made_nor_rotated() {
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
fn whatever_a_client_sends_what_is_said_of_it_stays_short() {
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
fn a_rotation_policy_takes_null_for_what_is_not_said() {
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
fn what_the_emulator_does_not_have_says_so() {
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

/// Terraform asks for them with each read of a vault, and takes 200, 403 and 404.
#[test]
fn a_vault_has_no_contacts_for_certificates() {
    let vault = Vault::start();
    let none = json!({"error": {"code": "ContactsNotFound", "message": "Contacts not found"}});
    for path in ["/certificates/contacts", "/certificates/contacts/"] {
        assert_eq!(vault.ask("GET", path, ""), (404, none.clone()));
    }
}

#[test]
fn an_import_names_the_version_of_the_api_of_april_2026() {
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
fn a_tag_does_nothing_to_the_terminal_that_shows_it() {
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

/// Who may not reach the vault learns nothing else, and who may not do something not what is wrong with it.
#[test]
fn the_network_and_the_permission_are_judged_before_what_a_request_says() {
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
        // The registry asks, too, since its gate is looked at after each change.
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
fn on_localhost_a_vaults_paths_are_taken_as_on_its_own_name() {
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
