use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sealock_tests::{Answer, Client, Emulator, Options};
use serde_json::{Value, json};

use crate::entra::{part, token};

const KEYS: &str = "/keys?api-version=7.4";
const VAULT: &str = "&resource=https://vault.azure.net";

fn get(client: &Client, path: &str, authorization: &str) -> Answer {
    client.send("GET", path, &[("authorization", authorization)], b"")
}

/// The error for a caller that could not be identified.
fn refusal(answer: &Answer) -> String {
    assert_eq!(answer.status, 401, "{answer:?}");
    let challenge = answer.header("www-authenticate");
    assert!(
        challenge.starts_with("Bearer authorization=\""),
        "{challenge}"
    );
    let error = &answer.json()["error"];
    assert_eq!(error["code"], "Unauthorized");
    error["message"].as_str().unwrap().to_owned()
}

#[test]
fn request_without_a_token_is_challenged_before_any_judgement() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let port = emulator.address().rsplit(':').next().unwrap().to_owned();
    let identity = emulator.json(&["identity", "list"])["identities"][0].clone();
    let authority = format!(
        "https://login.localhost:{port}/{}",
        identity["tenant_id"].as_str().unwrap()
    );
    let own = format!("sealock.vault.localhost:{port}");
    for (host, resource) in [
        (own.as_str(), format!("https://vault.localhost:{port}")),
        (
            "sealock.vault.localhost:443",
            "https://vault.localhost".to_owned(),
        ),
        (
            "sealock.vault.azure.net",
            "https://vault.azure.net".to_owned(),
        ),
        ("localhost", format!("https://vault.localhost:{port}")),
    ] {
        for (method, path) in [
            ("GET", "/keys"),
            ("GET", "/keys/missing?api-version=7.4"),
            ("POST", "/keys/a_b/create?api-version=nonsense"),
            ("DELETE", "/keys/registry-key/x/y/z"),
            ("PATCH", "/rng"),
            ("GET", "/secrets/x?api-version=7.4"),
        ] {
            let answer = client.send(method, path, &[("host", host)], b"no JSON");
            assert_eq!(
                refusal(&answer),
                "AKV10000: Request is missing a Bearer or PoP token.",
                "{method} {path} at {host}"
            );
            assert_eq!(
                answer.header("www-authenticate"),
                format!("Bearer authorization=\"{authority}\", resource=\"{resource}\""),
                "{method} {path} at {host}"
            );
        }
    }
    // A name that Azure's DNS would not resolve.
    let answer = client.send("GET", KEYS, &[("host", "nope.vault.localhost")], b"");
    assert_eq!(answer.status, 404);
    let error = answer.json()["error"].clone();
    assert_eq!(
        error,
        json!({"code": "VaultNotFound", "message": "Azure Key Vault 'nope' does not exist."})
    );
}

#[test]
fn refused_token_gets_the_reason() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let good = token(&emulator, VAULT);
    let [header, payload, signature] = good
        .split('.')
        .collect::<Vec<_>>()
        .try_into()
        .expect("a JWT");
    let claims = part(&good, 1);
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
        format!("Bearer {header}.{claims}.{signature}")
    };
    let unsigned = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    let signature_refused = format!(
        "AKV10046: Unable to resolve the key used for signature validation. EncodedJwtHeader: '{header}'."
    );
    let missing = "AKV10000: Request is missing a Bearer or PoP token.";
    let unreadable = "The token is not a JWT from Entra.";
    let elsewhere = Emulator::start();
    let foreign = format!("Bearer {}", token(&elsewhere, VAULT));
    let foreign_refused = format!(
        "AKV10046: Unable to resolve the key used for signature validation. EncodedJwtHeader: '{}'.",
        foreign[7..].split('.').next().unwrap()
    );
    let for_registries = token(&emulator, "&resource=https://containerregistry.azure.net");
    for (authorization, said) in [
        ("", missing),
        ("Bearer", missing),
        ("Bearer ", missing),
        ("Basic YTpi", missing),
        ("Bearer x", unreadable),
        ("Bearer a.b.c", unreadable),
        (&format!("Bearer {header}.{payload}"), unreadable),
        (&format!("Bearer {unsigned}.{payload}."), unreadable),
        (&with("exp", json!(4_000_000_000_i64)), &signature_refused),
        (&with("oid", json!(1)), &signature_refused),
        (&foreign, &foreign_refused),
        (
            &format!("Bearer {for_registries}"),
            "AKV10022: Invalid audience. Expected https://vault.azure.net, found: https://containerregistry.azure.net.",
        ),
    ] {
        let answer = get(&client, KEYS, authorization);
        assert_eq!(refusal(&answer), said, "{authorization}");
    }

    let good = format!("Bearer {good}");
    let lower = good.replace("Bearer", "bearer");
    let port = emulator.address().rsplit(':').next().unwrap();
    emulator.cli(&["access", "grant", "--permissions", "list"]);
    assert_eq!(get(&client, KEYS, &good).status, 200);
    assert_eq!(get(&client, KEYS, &lower).status, 200);
    for resource in [
        "https://vault.azure.net/".to_owned(),
        "cfa8b339-82a2-471a-a3c9-0fc0be7a4093".to_owned(),
        format!("https://vault.localhost:{port}"),
        format!("https://vault.localhost:{port}/"),
        "https://vault.localhost".to_owned(),
    ] {
        let token = token(&emulator, &format!("&resource={resource}"));
        let answer = get(&client, KEYS, &format!("Bearer {token}"));
        assert_eq!(answer.status, 200, "{resource}");
    }

    // A host without a port is compared in full too.
    for (audience, is_ours) in [("https", false), ("https://vault.localhost", true)] {
        let token = token(&emulator, &format!("&resource={audience}"));
        let authorization = format!("Bearer {token}");
        let headers = [
            ("host", "sealock.vault.localhost"),
            ("authorization", authorization.as_str()),
        ];
        let answer = client.send("GET", KEYS, &headers, b"");
        assert_eq!(answer.status == 200, is_ours, "{audience}: {answer:?}");
    }

    emulator.cli(&["clock", "advance", "25h"]);
    assert_eq!(
        refusal(&get(&client, KEYS, &good)),
        "[TokenExpired] Error validating token: 'S2S12086'."
    );
    emulator.cli(&["clock", "set", "2020-01-01T00:00:00Z"]);
    assert_eq!(
        refusal(&get(&client, KEYS, &good)),
        "The token is not valid yet."
    );
    let now = token(&emulator, VAULT);
    emulator.cli(&["identity", "delete", "registry-identity"]);
    assert_eq!(
        refusal(&get(&client, KEYS, &format!("Bearer {now}"))),
        "The principal of the token no longer exists."
    );
}

#[test]
fn request_without_a_token_is_audited() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let headers = [("user-agent", "azsdk-python-keyvault-keys/4.11.3")];
    client.send(
        "POST",
        "/keys/k/create?api-version=2025-07-01",
        &headers,
        b"",
    );
    let events = emulator.cli(&["audit", "--operation", "Authentication", "--json"]);
    let event: Value = serde_json::from_str(events.lines().last().unwrap()).unwrap();
    assert_eq!(event["resultSignature"], "Unauthorized");
    assert_eq!(event["properties"]["httpStatusCode"], 401);
    assert_eq!(event["operationVersion"], "2025-07-01");
    assert_eq!(event["callerIpAddress"], "127.0.0.1");
    assert_eq!(event["identity"]["claim"], json!({}));
    assert_eq!(
        event["properties"]["clientInfo"],
        "azsdk-python-keyvault-keys/4.11.3"
    );
    assert_eq!(
        event["resultDescription"],
        "AKV10000: Request is missing a Bearer or PoP token."
    );
}

#[test]
fn requests_without_a_token_fill_neither_the_audit_log_nor_the_disk() {
    let limits = [("MAX_FILE_BYTES", "65536"), ("MAX_FILES", "2")];
    let emulator = Emulator::start_with(Options {
        environment: limits
            .map(|(key, value)| (format!("SEALOCK_AUDIT__{key}"), value.to_owned()))
            .into(),
        ..Options::default()
    });
    let client = emulator.client();
    let audited = |operation: &str| -> Vec<Value> {
        let events = emulator.cli(&["audit", "--operation", operation, "--json"]);
        let events = events
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        events.collect()
    };
    let send = |times: usize| {
        for _ in 0..times {
            assert_eq!(client.get(KEYS).status, 401);
        }
    };
    emulator.cli(&["clock", "freeze"]);
    emulator.cli(&["key", "create", "earlier"]);
    send(2000);
    let events = audited("Authentication");
    assert_eq!(events.len(), 60);
    let description = |event: &Value| event["resultDescription"].as_str().unwrap().to_owned();
    assert!(description(&events[59]).contains("The other requests without a valid token"));
    assert!(!audited("KeyCreate").is_empty(), "nothing was pushed out");

    emulator.cli(&["clock", "advance", "1m"]);
    send(1);
    let last = audited("Authentication").pop().unwrap();
    assert!(
        description(&last).contains("1940 requests"),
        "{}",
        description(&last)
    );
    for _ in 0..5 {
        emulator.cli(&["clock", "advance", "1m"]);
        send(60);
    }
    assert!(audited("KeyCreate").is_empty(), "the log has rotated");
    let mut audit = emulator.files();
    audit.retain(|(path, _)| path.to_string_lossy().contains("audit.jsonl"));
    let bytes: usize = audit.iter().map(|(_, content)| content.len()).sum();
    assert!(audit.len() <= 3 && bytes < 3 * (65_536 + 8192), "{bytes}");
}
