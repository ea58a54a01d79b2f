use base64::{Engine as _, engine::general_purpose::STANDARD};
use sealock_tests::Emulator;
use serde_json::json;

use super::{
    ACR, App, NULL_GUID, VAULT, access_token, encode, keys, may_list_keys, number, post, refused,
};
use crate::entra::part;

#[test]
fn application_gets_a_token_for_its_secret() {
    let emulator = Emulator::start();
    emulator.cli(&["clock", "freeze"]);
    let app = App::create(&emulator);
    let answer = app.log_in(&emulator, VAULT);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    let token = access_token(&answer);
    let claims = part(&token, 1);
    let now = claims["iat"].as_i64().unwrap();
    let issuer = format!("https://sts.windows.net/{}/", app.tenant);
    assert_eq!(
        claims,
        json!({
            "aud": VAULT,
            "iss": issuer,
            "idp": issuer,
            "iat": now,
            "nbf": now,
            "exp": now + 3599,
            "appid": app.client,
            "appidacr": "1",
            "idtyp": "app",
            "oid": app.principal,
            "sub": app.principal,
            "tid": app.tenant,
            "ver": "1.0",
        })
    );
    let version_2 = json!({
        "token_type": "Bearer",
        "expires_in": 3599,
        "ext_expires_in": 3599,
        "access_token": token,
    });
    assert_eq!(answer.json(), version_2);

    // As requested by clients that take it for Federation Services.
    let client = emulator.client();
    let form = app.form(VAULT);
    let answer = post(&client, "/adfs/oauth2/token", &form);
    assert_eq!(answer.json(), version_2);
    let answer = client.get("/adfs/.well-known/openid-configuration");
    let endpoint = answer.json()["token_endpoint"].clone();
    let endpoint = endpoint.as_str().unwrap().to_owned();
    assert!(endpoint.ends_with("/adfs/oauth2/token"), "{endpoint}");

    // Form encoding escapes the tilde.
    let secret = app.secret.replace('~', "%7E");
    let basic = STANDARD.encode(format!("{}:{secret}", app.client));
    let basic = format!("Basic {basic}");
    let headers = [
        ("host", "login.localhost"),
        ("authorization", basic.as_str()),
    ];
    let form = encode(&[form[0].clone(), form[3].clone()]);
    let answer = client.send("POST", &app.path(), &headers, form.as_bytes());
    assert_eq!(answer.json(), version_2, "by the header");

    let mut form = app.form(VAULT);
    form[3] = ("resource", VAULT.to_owned());
    let answer = post(&client, &format!("/{}/oauth2/token", app.tenant), &form);
    assert_eq!(
        answer.json(),
        json!({
            "token_type": "Bearer",
            "expires_in": "3599",
            "ext_expires_in": "3599",
            "expires_on": (now + 3599).to_string(),
            "not_before": now.to_string(),
            "resource": VAULT,
            "access_token": token,
        })
    );
    let with_slash = app.token(&emulator, "https://vault.azure.net/");
    assert_eq!(part(&with_slash, 1)["aud"], "https://vault.azure.net/");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a list of refusals")]
fn application_is_refused_with_entras_errors() {
    let emulator = Emulator::start();
    let app = App::create(&emulator);
    let identity = emulator.json(&["identity", "list"])["identities"][0]["client_id"].clone();
    let identity = identity.as_str().unwrap();
    let long = format!("{}/.default", "x".repeat(300));
    let invalid_secret = |client: &str| {
        format!(
            "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{client}'. "
        )
    };
    let missing = |parameter: &str| {
        format!(
            "AADSTS900144: The request body must contain the following parameter: '{parameter}'. "
        )
    };
    let scope = |scope: &str| {
        format!(
            "AADSTS1002012: The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI). "
        )
    };
    let unknown = |client: &str| {
        format!(
            "AADSTS700016: Application with identifier '{client}' was not found in the directory '{}'. ",
            app.tenant
        )
    };
    let twice = format!("{VAULT}/.default {ACR}/.default");
    for (field, value, status, error, says) in [
        (
            "grant_type",
            "",
            400,
            "invalid_request",
            missing("grant_type"),
        ),
        (
            "grant_type",
            "implicit",
            400,
            "unsupported_grant_type",
            "AADSTS70003: The app requested an unsupported grant type 'implicit'. ".to_owned(),
        ),
        ("client_id", "", 400, "invalid_request", missing("client_id")),
        (
            "client_id",
            NULL_GUID,
            400,
            "unauthorized_client",
            unknown(NULL_GUID),
        ),
        ("client_id", "x", 400, "unauthorized_client", unknown("x")),
        (
            "client_id",
            identity,
            401,
            "invalid_client",
            invalid_secret(identity),
        ),
        (
            "client_secret",
            "x",
            401,
            "invalid_client",
            invalid_secret(&app.client),
        ),
        (
            "client_secret",
            "",
            401,
            "invalid_client",
            "AADSTS7000216: 'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type. ".to_owned(),
        ),
        ("scope", "", 400, "invalid_request", missing("scope")),
        ("scope", VAULT, 400, "invalid_scope", scope(VAULT)),
        ("scope", "/.default", 400, "invalid_scope", scope("/.default")),
        ("scope", &twice, 400, "invalid_scope", scope(&twice)),
        (
            "scope",
            &long,
            400,
            "invalid_resource",
            "the resource must be the URL or id of a service, with 1 to 256 characters".to_owned(),
        ),
    ] {
        let mut form = app.form(VAULT);
        form.retain(|(name, _)| *name != field);
        form.push((field, value.to_owned()));
        let answer = post(&emulator.client(), &app.path(), &form);
        assert_eq!(answer.status, status, "{field}={value}");
        let body = answer.json();
        assert_eq!(body["error"], error);
        let description = body["error_description"].as_str().unwrap();
        assert!(description.starts_with(&says), "{description}");
        assert!(!description.contains(&app.secret));
    }

    let client = emulator.client();
    let mut form = app.form(VAULT);
    form[2] = ("client_assertion", "a.b.c".to_owned());
    let answer = post(&client, &app.path(), &form);
    assert_eq!(answer.status, 400);
    let description = answer.json()["error_description"].clone();
    let description = description.as_str().unwrap();
    assert!(description.starts_with(&missing("client_assertion_type")));
    // Version 1.0 of the endpoint has no scopes.
    let version_1 = format!("/{}/oauth2/token", app.tenant);
    let answer = post(&client, &version_1, &app.form(VAULT));
    let description = answer.json()["error_description"].clone();
    assert!(
        description
            .as_str()
            .unwrap()
            .starts_with(&missing("resource"))
    );
    let elsewhere = format!("/{NULL_GUID}/oauth2/v2.0/token");
    let answer = post(&client, &elsewhere, &app.form(VAULT));
    assert_eq!(number(&answer), 90_002);
    // A malformed header.
    for authorization in ["Basic", "Basic !", "Basic eA==", "Basic /zp4", "Bearer x"] {
        let form = encode(&[app.form(VAULT)[0].clone(), app.form(VAULT)[3].clone()]);
        let headers = [("authorization", authorization)];
        let answer = client.send("POST", &app.path(), &headers, form.as_bytes());
        assert_eq!(number(&answer), 900_144, "{authorization}");
    }
}

#[test]
fn tokens_and_secrets_expire_by_the_emulators_clock() {
    let mut emulator = Emulator::start();
    emulator.cli(&["clock", "freeze"]);
    let app = App::create(&emulator);
    may_list_keys(&emulator);
    let token = app.token(&emulator, VAULT);
    emulator.cli(&["clock", "advance", "3598s"]);
    assert_eq!(keys(&emulator, &token).status, 200);
    emulator.cli(&["clock", "advance", "1s"]);
    let said = refused(&keys(&emulator, &token), 401);
    assert_eq!(said, "[TokenExpired] Error validating token: 'S2S12086'.");

    let shown = emulator.json(&["app", "show", "deploy"]);
    emulator.cli(&["clock", "set", shown["secret_expires"].as_str().unwrap()]);
    let answer = app.log_in(&emulator, VAULT);
    assert_eq!((answer.status, number(&answer)), (401, json!(7_000_222)));
    let description = answer.json()["error_description"].clone();
    let expired = format!(
        "AADSTS7000222: The provided client secret keys for app '{}' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds. Trace ID: ",
        app.client
    );
    assert!(description.as_str().unwrap().starts_with(&expired));
    emulator.cli(&["clock", "advance", "-1s"]);
    let last = app.token(&emulator, VAULT);

    let reset = App::of(&emulator.json(&["app", "renew", "deploy"]));
    assert_eq!(
        (&reset.client, &reset.principal),
        (&app.client, &app.principal)
    );
    assert_eq!(number(&app.log_in(&emulator, VAULT)), 7_000_215);
    assert_eq!(keys(&emulator, &last).status, 200, "tokens stay");
    emulator.restart();
    emulator.cli(&["clock", "advance", "8759h"]);
    assert_eq!(reset.log_in(&emulator, VAULT).status, 200);
    emulator.cli(&["clock", "advance", "1h"]);
    assert_eq!(number(&reset.log_in(&emulator, VAULT)), 7_000_222);
}

#[test]
fn tokens_of_a_deleted_application_are_refused() {
    let emulator = Emulator::start();
    let app = App::create(&emulator);
    may_list_keys(&emulator);
    emulator.cli(&["role", "assign", "--app", "deploy", "--role", "AcrPull"]);
    let token = app.token(&emulator, VAULT);
    assert_eq!(keys(&emulator, &token).status, 200);
    emulator.cli(&["app", "delete", "deploy"]);
    assert_eq!(
        refused(&keys(&emulator, &token), 401),
        "The principal of the token no longer exists."
    );
    assert_eq!(number(&app.log_in(&emulator, VAULT)), 700_016);
    let policies = emulator.json(&["access", "list"])["policies"].clone();
    let theirs = policies.as_array().unwrap().iter();
    let theirs = theirs
        .clone()
        .find(|it| it["principal_id"] == app.principal.as_str());
    let theirs = theirs.expect("its policy stays");
    assert!(theirs["identity"].is_null() && theirs["application"].is_null());
    assert!(emulator.cli(&["role", "list"]).contains("(deleted: "));
    // Its permissions can be removed by its id.
    let gone = app.principal.as_str();
    emulator.cli(&["role", "remove", "--identity", gone, "--role", "AcrPull"]);
    emulator.cli(&[
        "access",
        "revoke",
        "--identity",
        gone,
        "--permissions",
        "all",
    ]);
    assert!(!emulator.cli(&["role", "list"]).contains(gone));
    assert!(!emulator.cli(&["access", "list"]).contains(gone));

    let again = App::create(&emulator);
    assert!(again.client != app.client && again.principal != app.principal);
    let token = again.token(&emulator, VAULT);
    let said = refused(&keys(&emulator, &token), 403);
    assert!(
        said.contains(&again.principal),
        "what was permitted is another's: {said}"
    );
}
