//! The login of people: authorization codes, device codes, passwords and refresh tokens.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sealock_tests::{Answer, Client, Emulator, Options};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::entra::part;

const TENANT: &str = "5ea10c00-0000-4000-8000-000000000000";
/// The client id of `az`.
const CLIENT: &str = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";
const USER: &str = "developer@sealock.localhost";
const USER_ID: &str = "5ea10c00-0000-4000-8000-000000000003";
const PASSWORD: &str = "sealock-developer";
const VAULT: &str = "https://vault.azure.net/.default openid profile offline_access";
const REDIRECT: &str = "http://localhost:8400/";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

fn encode(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish()
}

fn post(client: &Client, path: &str, fields: &[(&str, &str)]) -> Answer {
    let path = format!("/{TENANT}/oauth2/v2.0/{path}");
    client.send("POST", &path, &[], encode(fields).as_bytes())
}

fn token(client: &Client, fields: &[(&str, &str)]) -> Answer {
    let client_id = [("client_id", CLIENT)];
    post(client, "token", &[&client_id, fields].concat())
}

fn sign_in(client: &Client, password: &str) -> Answer {
    token(
        client,
        &[
            ("grant_type", "password"),
            ("username", USER),
            ("password", password),
            ("scope", VAULT),
        ],
    )
}

fn refused(answer: &Answer, error: &str, number: u64) {
    assert_eq!(answer.status, 400, "{answer:?}");
    let body = answer.json();
    assert_eq!(
        (&body["error"], &body["error_codes"][0]),
        (&json!(error), &json!(number))
    );
}

fn text<'a>(body: &'a Value, name: &str) -> &'a str {
    body[name].as_str().unwrap_or_default()
}

/// Returns the address of the page on which a person signs in for a client.
fn page(extra: &[(&str, &str)]) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let query = [
        ("client_id", CLIENT),
        ("response_type", "code"),
        ("redirect_uri", REDIRECT),
        ("scope", VAULT),
        ("state", "a&b"),
        ("nonce", "n"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let query = encode(&[&query[..], extra].concat());
    format!("/{TENANT}/oauth2/v2.0/authorize?{query}")
}

fn redeem(client: &Client, code: &str, verifier: &str) -> Answer {
    token(
        client,
        &[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", verifier),
            ("scope", VAULT),
            ("client_info", "1"),
        ],
    )
}

#[test]
fn person_signs_in_by_a_click_and_the_client_redeems_the_code_once() {
    let emulator = Emulator::start();
    emulator.cli(&["clock", "freeze"]);
    let client = emulator.client();
    let page = page(&[]);
    let shown = client.get(&page);
    assert_eq!(shown.status, 200);
    assert!(shown.header("content-type").starts_with("text/html"));
    assert!(
        shown
            .header("content-security-policy")
            .contains("frame-ancestors 'none'")
    );
    let html = String::from_utf8(shown.body).unwrap();
    assert!(
        html.contains(&format!("Sign in as {USER}")) && !html.contains("password"),
        "{html}"
    );
    let answer = client.send("POST", &page, &[], encode(&[("username", USER)]).as_bytes());
    assert_eq!(answer.status, 302, "{answer:?}");
    let location = url::Url::parse(answer.header("location")).unwrap();
    assert!(location.as_str().starts_with(REDIRECT));
    let answered: Vec<_> = location.query_pairs().collect();
    assert_eq!(answered[1], ("state".into(), "a&b".into()));
    let code = &answered[0].1;

    refused(&redeem(&client, code, "wrong"), "invalid_grant", 501_481);
    let answer = redeem(&client, code, VERIFIER);
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    let claims = part(text(&body, "access_token"), 1);
    let now = claims["iat"].as_i64().unwrap();
    assert_eq!(
        claims,
        json!({
            "aud": "https://vault.azure.net",
            "iss": format!("https://sts.windows.net/{TENANT}/"),
            "iat": now,
            "nbf": now,
            "exp": now + 3599,
            "acr": "1",
            "amr": ["pwd"],
            "appid": CLIENT,
            "appidacr": "0",
            "idtyp": "user",
            "name": "Developer",
            "oid": USER_ID,
            "scp": "user_impersonation",
            "sub": USER_ID,
            "tid": TENANT,
            "unique_name": USER,
            "upn": USER,
            "ver": "1.0",
        })
    );
    assert_eq!(
        text(&body, "scope"),
        "https://vault.azure.net/user_impersonation https://vault.azure.net/.default"
    );
    let id = part(text(&body, "id_token"), 1);
    assert_eq!((&id["aud"], &id["nonce"]), (&json!(CLIENT), &json!("n")));
    assert_eq!(id["preferred_username"], USER);
    let issuer = client.get(&format!("/{TENANT}/v2.0/.well-known/openid-configuration"));
    assert_eq!(id["iss"], issuer.json()["issuer"]);
    let info = URL_SAFE_NO_PAD.decode(text(&body, "client_info")).unwrap();
    let info: Value = serde_json::from_slice(&info).unwrap();
    assert_eq!(info, json!({"uid": USER_ID, "utid": TENANT}));
    refused(&redeem(&client, code, VERIFIER), "invalid_grant", 54_005);
}

#[test]
fn code_is_posted_to_a_client_that_asks_for_a_form() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let page = page(&[("response_mode", "form_post")]);
    let answer = client.send("POST", &page, &[], b"username=");
    let html = String::from_utf8(answer.body.clone()).unwrap();
    assert_eq!(answer.status, 200, "{html}");
    assert!(html.contains(&format!("action=\"{REDIRECT}\"")), "{html}");
    assert!(html.contains("name=\"state\" value=\"a&amp;b\""), "{html}");
}

#[test]
fn request_that_would_send_the_code_elsewhere_is_refused() {
    let emulator = Emulator::start();
    let client = emulator.client();
    for redirect in [
        "https://evil.test/",
        "http://localhost.evil.test/",
        "javascript:x",
    ] {
        let page = page(&[]).replace(
            &encode(&[("redirect_uri", REDIRECT)]),
            &encode(&[("redirect_uri", redirect)]),
        );
        for method in ["GET", "POST"] {
            let answer = client.send(method, &page, &[], b"");
            refused(&answer, "invalid_request", 50_011);
        }
    }
    // A page of another site cannot click.
    let foreign = [("origin", "http://evil.test")];
    assert_eq!(client.send("POST", &page(&[]), &foreign, b"").status, 403);
}

#[test]
fn device_gets_its_tokens_after_a_person_typed_its_code() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let codes = post(
        &client,
        "devicecode",
        &[("client_id", CLIENT), ("scope", VAULT)],
    );
    assert_eq!(codes.status, 200, "{codes:?}");
    let codes = codes.json();
    assert_eq!(
        (&codes["expires_in"], &codes["interval"]),
        (&json!(900), &json!(5))
    );
    let user_code = text(&codes, "user_code");
    assert!(text(&codes, "message").contains(user_code));
    let poll = || {
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        token(
            &client,
            &[
                ("grant_type", grant),
                ("device_code", text(&codes, "device_code")),
            ],
        )
    };
    refused(&poll(), "authorization_pending", 70_016);
    let page = url::Url::parse(text(&codes, "verification_uri_complete")).unwrap();
    let shown = client.get(&format!("{}?{}", page.path(), page.query().unwrap()));
    assert!(String::from_utf8(shown.body).unwrap().contains(user_code));
    let type_code = |code: &str| {
        let answer = client.send(
            "POST",
            page.path(),
            &[],
            encode(&[("user_code", code)]).as_bytes(),
        );
        String::from_utf8(answer.body).unwrap()
    };
    assert!(type_code("WRONG").contains("no device waits for this code"));
    refused(&poll(), "authorization_pending", 70_016);
    assert!(type_code(user_code).contains("Signed in"));
    let answer = poll();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(part(text(&answer.json(), "access_token"), 1)["upn"], USER);
    refused(&poll(), "bad_verification_code", 70_018);
}

#[test]
fn refresh_token_brings_tokens_for_any_resource_and_survives_a_restart() {
    let mut emulator = Emulator::start();
    emulator.cli(&["clock", "freeze"]);
    let signed_in = sign_in(&emulator.client(), PASSWORD);
    assert_eq!(signed_in.status, 200, "{signed_in:?}");
    let body = signed_in.json();
    let refresh = text(&body, "refresh_token").to_owned();
    emulator.restart();
    let client = emulator.client();
    let renew = |refresh: &str, scope: &str| {
        token(
            &client,
            &[
                ("grant_type", "refresh_token"),
                ("refresh_token", refresh),
                ("scope", scope),
            ],
        )
    };
    let answer = renew(&refresh, "https://management.azure.com//.default");
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    let claims = part(text(&body, "access_token"), 1);
    assert_eq!(claims["aud"], "https://management.azure.com/");
    assert!(!text(&body, "refresh_token").is_empty());
    refused(&renew(&refresh[1..], VAULT), "invalid_grant", 9_002_313);
    emulator.cli(&["clock", "advance", "2160h"]);
    refused(&renew(&refresh, VAULT), "invalid_grant", 700_082);
    assert!(!emulator.logged().contains(&refresh));
}

#[test]
fn wrong_password_and_unknown_user_are_refused() {
    let emulator = Emulator::start();
    let client = emulator.client();
    refused(&sign_in(&client, "wrong"), "invalid_grant", 50_126);
    let stranger = token(
        &client,
        &[
            ("grant_type", "password"),
            ("username", "stranger@sealock.localhost"),
            ("password", PASSWORD),
            ("scope", VAULT),
        ],
    );
    refused(&stranger, "invalid_grant", 50_034);
}

#[test]
fn enforced_sign_in_page_requires_the_developers_secret() {
    let emulator = Emulator::start_with(Options {
        environment: vec![("SEALOCK_SERVER__AUTH".into(), "enforced".into())],
        ..Options::default()
    });
    let secret = std::fs::read_to_string(emulator.data_dir().join("developer.secret")).unwrap();
    let client = emulator.client();
    let page = page(&[]);
    let shown = String::from_utf8(client.get(&page).body).unwrap();
    assert!(shown.contains("type=\"password\""), "{shown}");
    for wrong in ["", PASSWORD] {
        let form = encode(&[("username", USER), ("password", wrong)]);
        let answer = client.send("POST", &page, &[], form.as_bytes());
        let said = String::from_utf8(answer.body).unwrap();
        assert!(said.contains("invalid username or password"), "{said}");
    }
    let form = encode(&[("username", USER), ("password", &secret)]);
    assert_eq!(client.send("POST", &page, &[], form.as_bytes()).status, 302);
    refused(&sign_in(&client, PASSWORD), "invalid_grant", 50_126);
    assert_eq!(sign_in(&client, &secret).status, 200);
}

#[test]
fn authority_is_its_own_instance_for_every_tenant_name() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let answer = client.get("/common/discovery/instance?api-version=1.1&authorization_endpoint=x");
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["metadata"][0]["aliases"], json!([emulator.address()]));
    assert!(text(&body, "tenant_discovery_endpoint").contains(TENANT));
    for tenant in ["common", "organizations", "consumers", "adfs", TENANT] {
        let path = format!("/{tenant}/.well-known/openid-configuration");
        assert_eq!(client.get(&path).status, 200, "{tenant}");
    }
    let realm = client.get(&format!("/common/userrealm/{USER}?api-version=1.0"));
    assert_eq!(realm.json()["account_type"], "Managed");
}
