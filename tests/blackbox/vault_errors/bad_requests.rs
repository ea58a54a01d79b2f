use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::Vault;

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn bad_requests_are_refused_with_azures_errors() {
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
        // Azure's texts.
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
        // Our texts.
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
        ("POST", "/keys/x/create", "{", "body is not valid"),
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
            "out of range; expected seconds since 1970",
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
            "it can have at most 3072",
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
        ("PATCH", "/keys/registry-key", "null", "body is not valid"),
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
