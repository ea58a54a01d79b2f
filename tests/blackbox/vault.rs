use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sealock_tests::{Answer, Client, Emulator};
use serde_json::{Value, json};

use crate::entra::token;

const RESOURCE: &str = "&resource=https://vault.azure.net";

/// The headers of every answer of any status, besides `date` and the body's length and type.
const HEADERS: [&str; 8] = [
    "cache-control",
    "expires",
    "pragma",
    "x-content-type-options",
    "x-ms-keyvault-network-info",
    "x-ms-keyvault-region",
    "x-ms-keyvault-service-version",
    "x-ms-request-id",
];

/// A vault besides the quickstart's, with an identity that has all permissions there.
struct Vault {
    emulator: Emulator,
    client: Client,
    /// `kv1.vault.localhost:PORT`
    host: String,
    authorization: String,
}

impl Vault {
    fn start() -> Self {
        let emulator = Emulator::start();
        emulator.cli(&["clock", "freeze"]);
        let client = emulator.client();
        let settings = br#"{"sku":"premium","soft_delete_retention_days":7}"#;
        let created = client.send("PUT", "/_sealock/v1/vaults/kv1", &[], settings);
        assert_eq!(created.status, 201, "{created:?}");
        emulator.cli(&["access", "grant", "--vault", "kv1", "--permissions", "all"]);
        let port = emulator.address().rsplit_once(':').unwrap().1;
        Self {
            host: format!("kv1.vault.localhost:{port}"),
            authorization: format!("Bearer {}", token(&emulator, RESOURCE)),
            client,
            emulator,
        }
    }

    /// Sends a request as given. `host` is the vault's unless the headers include one.
    fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut headers = headers.to_vec();
        if headers.iter().all(|(name, _)| *name != "host") {
            headers.push(("host", &self.host));
        }
        self.client.send(method, path, &headers, body.as_bytes())
    }

    fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        let authorization = ("authorization", self.authorization.as_str());
        self.raw(method, &with_version(path), &[authorization], body)
    }

    fn must(&self, method: &str, path: &str, body: &str) -> Value {
        let answer = self.send(method, path, body);
        assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
        answer.json()
    }

    fn create(&self, key: &str) -> String {
        let made = self.must("POST", &format!("/keys/{key}/create"), r#"{"kty":"EC"}"#);
        made["key"]["kid"].as_str().unwrap().to_owned()
    }
}

fn with_version(path: &str) -> String {
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("{path}{separator}api-version=7.4")
}

fn text(answer: &Answer) -> &str {
    std::str::from_utf8(&answer.body).unwrap()
}

#[test]
fn challenge_precedes_every_other_judgement() {
    let vault = Vault::start();
    let tenant = vault.emulator.json(&["identity", "list"])["identities"][0]["tenant_id"].clone();
    let tenant = tenant.as_str().unwrap();
    let (host, below) = (&vault.host, vault.host.strip_prefix("kv1.").unwrap());
    let port = below.rsplit_once(':').unwrap().1;
    let long = "x".repeat(1 << 20);
    for (method, path, body) in [
        ("GET", "/keys?api-version=7.4", ""),
        ("GET", "/keys", ""),
        ("POST", "/keys/nosuch/create?api-version=7.4", "{{{"),
        ("POST", "/keys/nosuch/create?api-version=7.4", &long),
        ("DELETE", "/keys/a_b?api-version=latest", ""),
        ("PUT", "/nosuch", ""),
        ("GET", "/secrets", ""),
        ("GET", "/", ""),
    ] {
        let answer = vault.raw(method, path, &[], body);
        assert_eq!(answer.status, 401, "{method} {path}");
        assert_eq!(
            answer.header("www-authenticate"),
            format!(
                "Bearer authorization=\"https://login.localhost:{port}/{tenant}\", \
                 resource=\"https://{below}\""
            )
        );
        assert_eq!(
            text(&answer),
            r#"{"error":{"code":"Unauthorized","message":"AKV10000: Request is missing a Bearer or PoP token."}}"#
        );
    }
    // The token's resource is the domain above the vault's name in the request, port included.
    for (named, resource) in [
        (host.to_uppercase(), below),
        ("kv1.vault.localhost".to_owned(), "vault.localhost"),
        ("kv1.vault.localhost:443".to_owned(), "vault.localhost"),
        (
            "kv1.vault.localhost:8443".to_owned(),
            "vault.localhost:8443",
        ),
    ] {
        let answer = vault.raw("GET", "/keys", &[("host", &named)], "");
        let challenge = answer.header("www-authenticate").to_lowercase();
        let expected = format!(" resource=\"https://{resource}\"");
        assert!(challenge.ends_with(&expected), "{named}: {challenge}");
    }
    let elsewhere = vault.raw("GET", "/keys", &[("host", "kv2.vault.localhost")], "");
    assert_eq!(elsewhere.status, 404);
    assert_eq!(
        text(&elsewhere),
        r#"{"error":{"code":"VaultNotFound","message":"Azure Key Vault 'kv2' does not exist."}}"#
    );
}

#[test]
fn unusable_token_is_refused_with_the_challenge() {
    let vault = Vault::start();
    let good = vault.authorization.clone();
    let other = token(&vault.emulator, "&resource=https://storage.azure.com");
    let (unsigned, _) = good.rsplit_once('.').unwrap();
    for (authorization, said) in [
        ("Basic eDp5".to_owned(), "AKV10000: "),
        ("Bearer".to_owned(), "AKV10000: "),
        ("Bearer x".to_owned(), "The token is not a JWT"),
        (format!("{unsigned}.AAAA"), "AKV10046: "),
        (
            format!("Bearer {other}"),
            "AKV10022: Invalid audience. Expected https://vault.azure.net, found: https://storage.azure.com.",
        ),
    ] {
        let headers = [("authorization", authorization.as_str())];
        let answer = vault.raw("GET", "/keys?api-version=7.4", &headers, "");
        assert_eq!(answer.status, 401, "{authorization}");
        let challenge = answer.header("www-authenticate");
        assert!(
            challenge.starts_with("Bearer authorization=\""),
            "{challenge}"
        );
        let body = answer.json();
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.starts_with(said), "{message}");
    }
    let lower = good.replace("Bearer", "bearer");
    let headers = [("authorization", lower.as_str())];
    let path = "/keys?api-version=7.4";
    assert_eq!(vault.raw("GET", path, &headers, "").status, 200);
    vault.emulator.cli(&["clock", "advance", "25h"]);
    let answer = vault.raw("GET", path, &headers, "");
    assert_eq!(answer.status, 401);
    assert_eq!(
        answer.json()["error"]["message"],
        "[TokenExpired] Error validating token: 'S2S12086'.",
        "{answer:?}"
    );
}

#[test]
fn answers_have_azures_form() {
    let vault = Vault::start();
    let path = "/keys/k1/create";
    let made = vault.send("POST", path, r#"{"kty":"EC","tags":{"a":"b"}}"#);
    let body = made.json();
    let (key, now) = (&body["key"], &body["attributes"]["created"]);
    let url = format!("https://{}", vault.host);
    let attributes = format!(
        r#""attributes":{{"enabled":true,"created":{now},"updated":{now},"recoveryLevel":"CustomizedRecoverable+Purgeable","recoverableDays":7,"exportable":false,"hsmPlatform":"0"}},"tags":{{"a":"b"}}"#
    );
    let bundle = format!(
        r#""key":{{"kid":{},"kty":"EC","key_ops":["sign","verify"],"crv":"P-256","x":{},"y":{}}},{attributes}"#,
        key["kid"], key["x"], key["y"]
    );
    let item = format!(r#""kid":"{url}/keys/k1",{attributes}"#);
    let later = now.as_i64().unwrap() + 7 * 86_400;
    let deletion = format!(
        r#""recoveryId":"{url}/deletedkeys/k1","deletedDate":{now},"scheduledPurgeDate":{later}"#
    );
    assert_eq!(text(&made), format!("{{{bundle}}}"));
    for (method, path, expected) in [
        ("GET", "/keys/k1", format!("{{{bundle}}}")),
        (
            "GET",
            "/keys",
            format!(r#"{{"value":[{{{item}}}],"nextLink":null}}"#),
        ),
        (
            "GET",
            "/keys/k1/versions",
            format!(
                r#"{{"value":[{{"kid":{},{attributes}}}],"nextLink":null}}"#,
                key["kid"]
            ),
        ),
        (
            "GET",
            "/keys/k1/rotationpolicy",
            format!(
                r#"{{"id":"{url}/keys/k1/rotationpolicy","lifetimeActions":[{{"trigger":{{"timeBeforeExpiry":"P30D"}},"action":{{"type":"Notify"}}}}],"attributes":{{}}}}"#
            ),
        ),
        ("DELETE", "/keys/k1", format!("{{{deletion},{bundle}}}")),
        ("GET", "/deletedkeys/k1", format!("{{{deletion},{bundle}}}")),
        (
            "GET",
            "/deletedkeys",
            format!(r#"{{"value":[{{{deletion},{item}}}],"nextLink":null}}"#),
        ),
        ("POST", "/deletedkeys/k1/recover", format!("{{{bundle}}}")),
    ] {
        let answer = vault.send(method, path, "");
        assert_eq!(answer.status, 200, "{method} {path}");
        assert_eq!(text(&answer), expected, "{method} {path}");
    }
}

/// The Java SDK sends an exponent of 0 and no operations if none are given.
#[test]
fn parameters_that_the_java_sdk_omits_get_defaults() {
    let vault = Vault::start();
    let rsa = json!([
        "encrypt",
        "decrypt",
        "sign",
        "verify",
        "wrapKey",
        "unwrapKey"
    ]);
    let body = r#"{"kty":"RSA","public_exponent":0,"attributes":{}}"#;
    let made = vault.must("POST", "/keys/rsa/create", body);
    assert_eq!(made["key"]["key_ops"], rsa);
    let body =
        r#"{"key_ops":[],"attributes":{"enabled":true,"exportable":false},"tags":{"a":"b"}}"#;
    let changed = vault.must("PATCH", "/keys/rsa", body);
    assert_eq!(changed["key"]["key_ops"], rsa);
    assert_eq!(changed["tags"]["a"], "b");
    let body =
        r#"{"key":{"kty":"oct-HSM","key_ops":[],"k":"AAECAwQFBgcICQoLDA0ODw"},"attributes":{}}"#;
    let imported = vault.must("PUT", "/keys/oct", body);
    let oct = json!(["encrypt", "decrypt", "wrapKey", "unwrapKey"]);
    assert_eq!(imported["key"]["key_ops"], oct);
}

/// The vault decides the order of a policy's members.
#[test]
fn release_policy_has_azures_form() {
    let vault = Vault::start();
    let policy = |sent: &str, immutable: bool| {
        let data = URL_SAFE_NO_PAD.encode(sent);
        json!({"release_policy": {"data": data, "immutable": immutable}})
    };
    let sent = r#"{"anyOf":[{"allOf":[{"equals":"true","claim":"c"}],"authority":"https://a"}],"version":"1.0.0"}"#;
    let kept = r#"{"version":"1.0.0","anyOf":[{"authority":"https://a","allOf":[{"claim":"c","equals":"true"}]}]}"#;
    let written = |immutable: bool| {
        format!(
            r#","exportable":true,"hsmPlatform":"2"}},"release_policy":{{"contentType":"application/json; charset=utf-8","data":"{}","immutable":{immutable}}}}}"#,
            URL_SAFE_NO_PAD.encode(kept)
        )
    };
    let mut asked = policy(sent, false);
    asked["kty"] = json!("EC-HSM");
    asked["attributes"] = json!({"exportable": true});
    let created = vault.send("POST", "/keys/k1/create", &asked.to_string());
    assert!(text(&created).ends_with(&written(false)), "{created:?}");
    let listed = vault.must("GET", "/keys", "");
    assert_eq!(listed["value"][0]["attributes"]["exportable"], true);
    assert_eq!(listed["value"][0]["release_policy"], Value::Null);

    let immutable = policy(sent, true).to_string();
    for (method, path, body) in [
        ("PATCH", "/keys/k1", immutable.as_str()),
        ("GET", "/keys/k1", ""),
        ("POST", "/keys/k1/rotate", ""),
        ("DELETE", "/keys/k1", ""),
        ("GET", "/deletedkeys/k1", ""),
        ("POST", "/deletedkeys/k1/recover", ""),
    ] {
        let answer = vault.send(method, path, body);
        assert!(text(&answer).ends_with(&written(true)), "{method} {path}");
    }
    for changed in [
        policy(sent, false),
        policy(&kept.replace("//a", "//b"), true),
    ] {
        let refused = vault.send("PATCH", "/keys/k1", &changed.to_string());
        assert_eq!(refused.status, 400);
        assert_eq!(
            text(&refused),
            r#"{"error":{"code":"BadParameter","message":"AKV.SKR.1020: Immutable Key Release Policy cannot be modified."}}"#
        );
    }
}

#[test]
fn every_answer_has_the_vaults_headers() {
    let vault = Vault::start();
    vault.create("k1");
    for (status, method, path, body) in [
        (200, "GET", "/keys/k1", ""),
        (200, "DELETE", "/keys/k1", ""),
        (204, "DELETE", "/deletedkeys/k1", ""),
        (400, "POST", "/keys/k1/create", "{}"),
        (404, "GET", "/keys/k1", ""),
        (405, "PUT", "/keys", ""),
        (501, "GET", "/certificates", ""),
    ] {
        let authorization = ("authorization", vault.authorization.as_str());
        let id = ("x-ms-client-request-id", "client-1");
        let headers = [authorization, id];
        let answer = vault.raw(method, &with_version(path), &headers, body);
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        for name in HEADERS {
            assert_ne!(answer.header(name), "", "{name}");
        }
        assert_eq!(answer.header("x-ms-client-request-id"), "client-1");
        assert!(!answer.headers.contains_key("strict-transport-security"));
        if status == 204 {
            assert_eq!(text(&answer), "");
            assert!(!answer.headers.contains_key("content-type"));
        } else {
            let json = "application/json; charset=utf-8";
            assert_eq!(answer.header("content-type"), json);
        }
    }
    let without = vault.raw("GET", "/keys", &[], "");
    assert!(!without.headers.contains_key("x-ms-client-request-id"));
    let network = "conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;";
    assert_eq!(without.header("x-ms-keyvault-network-info"), network);
}

#[test]
fn paths_and_methods_are_accepted_as_clients_write_them() {
    let vault = Vault::start();
    let kid = vault.create("k1");
    let version = kid.rsplit_once('/').unwrap().1;
    for path in [
        "/keys/k1/",
        "/KEYS/k1",
        "//keys//k1//",
        &format!("/keys/k1/{}", version.to_uppercase()),
        "/keys/k1?API-VERSION=2016-10-01",
        "/keys/k1?api-version=2026-07-01-preview",
        "/keys/k1?unknown=1",
    ] {
        assert_eq!(vault.must("GET", path, "")["key"]["kid"], *kid, "{path}");
    }
    let digest = "A".repeat(43);
    let body = format!(r#"{{"alg":"ES256","value":"{digest}"}}"#);
    for path in [
        "/keys/k1/sign",
        "/keys/k1//SIGN",
        &format!("/keys/k1/{version}/Sign/"),
    ] {
        assert_eq!(vault.must("POST", path, &body)["kid"], *kid, "{path}");
    }
    let overridden = |method: &str, path: &str, body: &str| {
        let authorization = ("authorization", vault.authorization.as_str());
        let headers = [authorization, ("x-http-method", method)];
        vault.raw("POST", &with_version(path), &headers, body)
    };
    let disabled = overridden("PATCH", "/keys/k1", r#"{"attributes":{"enabled":false}}"#);
    assert_eq!(disabled.json()["attributes"]["enabled"], false);
    assert_eq!(overridden("GET", "/keys/k1", "").status, 200);
    assert_eq!(overridden("TRACE", "/keys/k1", "").status, 400);
    assert_eq!(overridden("DELETE", "/keys/k1", "").status, 200);
    assert_eq!(overridden("DELETE", "/deletedkeys/k1", "").status, 204);

    let authorization = ("authorization", vault.authorization.as_str());
    for query in [
        "",
        "?api-version=",
        "?api-version=8.0",
        "?api-version=20250701",
        "?api-version=7.%2B4",
        "?api-version=7.4-previewxyz%22%3C%0D%0A",
        "?api-version=latest",
    ] {
        let path = format!("/keys{query}");
        let answer = vault.raw("GET", &path, &[authorization], "");
        assert_eq!(answer.status, 400, "{path}");
        assert_eq!(answer.json()["error"]["code"], "BadParameter");
    }
}

#[test]
fn list_continues_at_its_next_link() {
    let vault = Vault::start();
    let mut made: Vec<String> = (0..30).map(|number| format!("k{number}")).collect();
    for key in &made {
        vault.create(key);
    }
    made.sort();
    for (query, sizes) in [
        ("", vec![25, 5]),
        ("?maxresults=025", vec![25, 5]),
        ("?maxresults=15", vec![15, 15]),
        ("?maxresults=12", vec![12, 12, 6]),
    ] {
        let (mut path, mut found, mut seen) = (format!("/keys{query}"), Vec::new(), Vec::new());
        loop {
            let page = vault.must("GET", &path, "");
            let value = page["value"].as_array().unwrap();
            seen.push(value.len());
            found.extend(value.iter().map(|item| {
                let kid = item["kid"].as_str().unwrap();
                kid.rsplit_once('/').unwrap().1.to_owned()
            }));
            let Some(link) = page["nextLink"].as_str() else {
                break;
            };
            let ours = format!("http://{}", vault.host);
            path = link.strip_prefix(&ours).expect("our origin").to_owned();
            let start = "/keys?api-version=7.4&$skiptoken=";
            assert!(path.starts_with(start), "{path}");
        }
        found.sort();
        assert_eq!(found, made, "{query}");
        assert_eq!(seen, sizes, "{query}");
    }
    for bad in [
        "maxresults=0",
        "maxresults=26",
        "maxresults=x",
        "maxresults=%2B1",
        "maxresults=",
        "$skiptoken=x",
    ] {
        let answer = vault.send("GET", &format!("/keys?{bad}"), "");
        assert_eq!(answer.status, 400, "{bad}");
        assert_eq!(answer.json()["error"]["code"], "BadParameter");
    }
}

#[test]
fn refused_private_key_is_not_echoed() {
    let vault = Vault::start();
    let secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I";
    for body in [
        format!(r#""{secret}""#),
        format!(r#"{{"key":"{secret}"}}"#),
        format!(r#"{{"key":{{"kty":"oct","k":"{secret}, expected !"}}}}"#),
        format!(r#"{{"key":{{"kty":"oct","k":["{secret}"]}}}}"#),
        format!(r#"{{"key":{{"kty":"oct","k":"AA"}},"attributes":"{secret}, expected x"}}"#),
        format!(r#"{{"key":{{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"{secret}"}}}}"#),
        format!(r#"{{"key":{{"kty":"RSA","n":"AA","e":"AQAB","d":"{secret}","p":"{secret}"}}}}"#),
        format!(r#"{{"key":{{"kty":"oct","k":"{secret}""#),
        format!(r#"{{"key":{{"kty":"oct","key_ops":["{secret}"]}}}}"#),
        format!(r#"{{"key":{{"kty":"{secret}"}}}}"#),
        format!(r#"{{"key":{{"kty":"EC","crv":"{secret}"}}}}"#),
        format!(r#"{{"key":{{"kty":"oct","k":"AA"}},"attributes":{{"exp":"{secret}"}}}}"#),
    ] {
        let answer = vault.send("PUT", "/keys/k1", &body);
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        assert!(!text(&answer).contains(secret), "{answer:?}");
    }
    let policy = format!(r#"{{"{secret}, expected x":1}}"#);
    let answer = vault.send("PUT", "/keys/k1/rotationpolicy", &policy);
    assert!(!text(&answer).contains(secret), "{answer:?}");
    let restored = format!(r#"{{"value":["{secret}"]}}"#);
    assert_eq!(vault.send("POST", "/keys/restore", &restored).status, 400);
    let mut places = vault.emulator.files();
    places.push(("log".into(), vault.emulator.logged().into_bytes()));
    for (path, content) in places {
        let content = String::from_utf8_lossy(&content);
        assert!(!content.contains(secret), "{}", path.display());
    }
}
