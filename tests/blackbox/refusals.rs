//! The reasons of refused logins, which are logged but not sent to clients.

use sealock_tests::{Answer, Client, Emulator};

use crate::{
    entra::{part, token as entra_token},
    tokens::Guest,
};

const ACR: &str = "&resource=https://containerregistry.azure.net";
const VAULT: &str = "&resource=https://vault.azure.net";
const NULL_GUID: &str = "00000000-0000-0000-0000-000000000000";

/// A wrong password.
const WRONG: &str = "notThePasswordOfAnybody";

/// Returns the log's line about an answer, found by an id that the client printed.
fn line(emulator: &Emulator, id: &str) -> String {
    let logged = emulator.logged();
    let mut lines = logged.lines().filter(|line| line.contains(id));
    let line = lines.next();
    let line = line.unwrap_or_else(|| panic!("{id} is not in the log:\n{logged}"));
    assert_eq!(lines.next(), None, "one line");
    line.to_owned()
}

/// Returns the reason of a refused login from a line of the log.
fn login(line: &str) -> &str {
    let (_, reason) = line.split_once(" login=\"").expect("a reason");
    let (reason, _) = reason.split_once("\" correlation_id=").expect("an id");
    reason
}

/// Checks that a registry answered 401, and that the log states the reason.
fn refused(emulator: &Emulator, answer: &Answer, reason: &str) {
    assert_eq!(answer.status, 401, "{reason}: {answer:?}");
    let id = answer.header("x-ms-correlation-request-id");
    let message = answer.json()["errors"][0]["message"].to_string();
    if let Some((_, printed)) = message.split_once("CorrelationId: ") {
        assert!(printed.starts_with(id), "{message}");
    }
    let line = line(emulator, id);
    assert!(line.contains(" status=401 "), "{line}");
    assert_eq!(login(&line), reason, "{line}");
}

/// Checks the reason for a user and a password, both in a token request and in the request itself.
fn refused_user(emulator: &Emulator, user: &str, password: &str, reason: &str) {
    let guest = Guest::of(emulator).basic(user, password);
    refused(emulator, &guest.token(&[]), reason);
    refused(emulator, &guest.get("/v2/"), reason);
}

/// Creates a token for the repository `app`, and returns its password.
fn token(emulator: &Emulator, name: &str, options: &[&str]) -> String {
    let command = ["registry", "token", "create", name, "--repository", "app"];
    let made = emulator.json(&[&command[..], &["content/read"], options].concat());
    let password = made["generated"][0]["value"].as_str();
    password.unwrap_or_default().to_owned()
}

#[test]
fn refused_login_is_logged_with_the_reason() {
    let emulator = Emulator::start();
    emulator.cli(&["clock", "freeze"]);
    let guest = Guest::of(&emulator);
    refused(&emulator, &guest.get("/v2/"), "no credentials");
    refused(
        &emulator,
        &guest.token(&[]),
        "no credentials, and anonymous pull is disabled",
    );
    let unreadable = guest.with("Basic !");
    for answer in [unreadable.get("/v2/_catalog"), unreadable.token(&[])] {
        refused(
            &emulator,
            &answer,
            "the Authorization header cannot be parsed",
        );
    }
    refused(
        &emulator,
        &guest.with("Bearer x").token(&[]),
        "the request has a Bearer token; expected a user and a password",
    );

    let of_user = |user: &str, password: &str, reason: &str| {
        refused_user(&emulator, user, password, reason);
    };
    of_user("sealock", WRONG, "the admin user is disabled");
    emulator.cli(&["registry", "update", "--admin-enabled", "true"]);
    of_user("sealock", WRONG, "the password of the admin user is wrong");

    let password = token(&emulator, "reader", &["--days", "1"]);
    of_user("reader", WRONG, "the password of the token reader is wrong");
    emulator.cli(&["clock", "advance", "24h"]);
    let expired = "the password of the token reader has expired";
    of_user("reader", &password, expired);
    of_user("reader", WRONG, "the password of the token reader is wrong");
    let update = ["registry", "token", "update", "reader", "--status"];
    emulator.cli(&[&update[..], &["disabled"]].concat());
    of_user("reader", &password, "the token reader is disabled");

    let fresh = "/_sealock/v1/registries/sealock/tokens/fresh";
    let scope_map = br#"{"scope_map":"_repositories_pull"}"#;
    let made = emulator.client().send("PUT", fresh, &[], scope_map);
    assert_eq!(made.status, 201, "{made:?}");
    of_user("fresh", WRONG, "the token fresh has no password");

    of_user(
        "nobody",
        WRONG,
        "there is no user 'nobody': no admin user, token or application has this name",
    );
    // A password or a token given as the user name by mistake.
    let credentials = emulator.json(&["registry", "credential", "show"]);
    let admins = credentials["passwords"][0]["value"].as_str().unwrap();
    let jwt = "eyJhbGciOiJIUzI1NiJ9.e30.x";
    for user in [admins, jwt, "a\u{1b}[31m\nb"] {
        of_user(user, WRONG, "no user can have the given name");
    }
    let logged = emulator.logged();
    for secret in [WRONG, &password, admins, jwt] {
        assert!(!logged.contains(secret));
    }
    assert!(!logged.contains('\u{1b}'));
}

#[test]
fn refused_application_is_logged_with_the_reason() {
    let emulator = Emulator::start();
    let app = emulator.json(&["app", "create", "deploy"]);
    let client = app["client_id"].as_str().unwrap();
    let secret = app["secret"].as_str().unwrap();
    let tenant = app["tenant_id"].as_str().unwrap();
    let wrong = format!("the client secret of the application {client} is wrong");
    refused_user(&emulator, client, WRONG, &wrong);
    let without_role = format!("the principal {client} has no role in the registry");
    refused_user(&emulator, client, secret, &without_role);

    // Entra puts the ids in the text rather than in headers.
    let ask = |tenant: &str, secret: &str| {
        let form = format!(
            "grant_type=client_credentials&client_id={client}&client_secret={secret}&resource=x"
        );
        let path = format!("/{tenant}/oauth2/token");
        emulator.client().send("POST", &path, &[], form.as_bytes())
    };
    let refused_by_entra = |answer: &Answer, status: u16, reason: &str| {
        assert_eq!(answer.status, status, "{answer:?}");
        let body = answer.json();
        let line = line(&emulator, body["correlation_id"].as_str().unwrap());
        assert!(line.contains(body["trace_id"].as_str().unwrap()), "{line}");
        assert_eq!(login(&line), reason);
    };
    refused_by_entra(&ask(tenant, WRONG), 401, &wrong);
    let foreign = format!("the tenant '{NULL_GUID}' is not the emulator's");
    refused_by_entra(&ask(NULL_GUID, WRONG), 400, &foreign);

    emulator.cli(&["clock", "advance", "9000h"]);
    let expired = format!("the client secret of the application {client} has expired");
    refused_user(&emulator, client, secret, &expired);
    refused_by_entra(&ask(tenant, secret), 401, &expired);
    let logged = emulator.logged();
    for secret in [WRONG, secret] {
        assert!(!logged.contains(secret));
    }
}

#[test]
fn refused_token_is_logged_with_the_reason() {
    let emulator = Emulator::start();
    emulator.cli(&["clock", "freeze"]);
    let password = token(&emulator, "reader", &[]);
    let guest = Guest::of(&emulator);
    let reader = guest.basic("reader", &password);
    let forbidden = reader.send("DELETE", "/v2/app/manifests/v1", b"");
    let reason = "reader does not have the permission repository:app:delete";
    refused(&emulator, &forbidden, reason);

    let bearer = reader.bearer(&["repository:app:pull"]);
    assert_eq!(bearer.get("/v2/app/manifests/v1").status, 404);
    for (path, scope) in [
        ("/v2/other/manifests/v1", "repository:other:pull"),
        ("/v2/_catalog", "registry:catalog:*"),
    ] {
        let reason = format!("the access token of reader does not include {scope}");
        refused(&emulator, &bearer.get(path), &reason);
    }

    // The log includes the claims of another registry's token, although they cannot be verified here.
    emulator.cli(&["registry", "create", "other"]);
    let mut other = Guest::of(&emulator);
    other.host = other.host.replace("sealock", "other");
    let foreign = other.with(bearer.authorization());
    let invalid = "the access token is not valid:";
    let reason = format!("{invalid} it is for '{}'", guest.host);
    refused(&emulator, &foreign.get("/v2/"), &reason);
    let entra = entra_token(&emulator, ACR);
    let issuer = part(&entra, 1)["iss"].as_str().unwrap().to_owned();
    let foreign = guest.with(&format!("Bearer {entra}"));
    let reason = format!("{invalid} it was issued by '{issuer}'");
    refused(&emulator, &foreign.get("/v2/"), &reason);
    let (begins, _) = bearer.authorization().rsplit_once('.').unwrap();
    let forged = guest.with(&format!("{begins}.{}", "A".repeat(43)));
    let reason = format!("{invalid} its signature is not from this emulator");
    refused(&emulator, &forged.get("/v2/"), &reason);
    let reason = format!("{invalid} it is malformed");
    refused(&emulator, &guest.with("Bearer x").get("/v2/"), &reason);
    emulator.cli(&["clock", "advance", "75m"]);
    let reason = format!("{invalid} it has expired");
    refused(&emulator, &bearer.get("/v2/"), &reason);

    let logged = emulator.logged();
    let (_, token) = bearer.authorization().split_once(' ').unwrap();
    assert!(!logged.contains(token) && !logged.contains(&entra));
}

#[test]
fn refused_exchange_is_logged_with_the_reason() {
    let emulator = Emulator::start();
    let guest = Guest::of(&emulator);
    let post = |path: &str, form: &str| {
        let form = format!("service={}&{form}", guest.host);
        guest.send("POST", path, form.as_bytes())
    };
    let exchange = |form: &str| post("/oauth2/exchange", form);
    let refresh = |form: &str| post("/oauth2/token", form);
    let entra = entra_token(&emulator, ACR);
    let of_vault = entra_token(&emulator, VAULT);
    let client = part(&entra, 1)["appid"].as_str().unwrap().to_owned();
    let exchanged = |tenant: &str, token: &str| {
        let form = format!("grant_type=access_token&tenant={tenant}&access_token={token}");
        exchange(&form)
    };
    for (answer, reason) in [
        (
            exchanged("", &entra),
            format!("the principal {client} has no role in the registry"),
        ),
        (
            exchanged(NULL_GUID, &entra),
            format!("the tenant '{NULL_GUID}' is not the emulator's"),
        ),
        (
            exchanged("%1B[31m", &entra),
            r"the tenant '\u{1b}[31m' is not the emulator's".to_owned(),
        ),
        (
            exchanged("", &of_vault),
            "Entra's token is not valid: it is for 'https://vault.azure.net'".to_owned(),
        ),
        (
            exchange("grant_type=access_token"),
            "the exchange has no access token from Entra".to_owned(),
        ),
        (
            exchange("grant_type=refresh_token&refresh_token=x"),
            "the exchange has no access token from Entra".to_owned(),
        ),
        (
            refresh("grant_type=refresh_token"),
            "no refresh token".to_owned(),
        ),
        (
            refresh("grant_type=refresh_token&refresh_token=x"),
            "the refresh token is not valid: it is malformed".to_owned(),
        ),
    ] {
        refused(&emulator, &answer, &reason);
    }

    emulator.cli(&["role", "assign", "--role", "AcrPull"]);
    let answer = exchanged("", &entra);
    assert_eq!(answer.status, 200, "{answer:?}");
    let refresh_token = answer.json()["refresh_token"].as_str().unwrap().to_owned();
    let as_access_token = guest.with(&format!("Bearer {refresh_token}"));
    let reason = "the token is a refresh_token; expected an access_token";
    refused(&emulator, &as_access_token.get("/v2/"), reason);
    emulator.cli(&["role", "remove", "--role", "AcrPull"]);
    let reason = format!("the principal {client} has no role in the registry");
    refused_user(&emulator, NULL_GUID, &refresh_token, &reason);
    emulator.cli(&["identity", "delete", "registry-identity"]);
    let reason = "the refresh token is not valid: its principal no longer exists";
    refused_user(&emulator, NULL_GUID, &refresh_token, reason);
    let logged = emulator.logged();
    for secret in [&entra, &of_vault, &refresh_token] {
        assert!(!logged.contains(secret.as_str()));
    }
}

#[test]
fn vault_refusal_is_logged_with_the_reason_and_request_ids() {
    let emulator = Emulator::start();
    let client: Client = emulator.client();
    let of_acr = format!("Bearer {}", entra_token(&emulator, ACR));
    for (authorization, reason) in [
        ("", "no token"),
        ("Bearer x", "the token is not valid: it is malformed"),
        (
            &*of_acr,
            "the token is not valid: it is for 'https://containerregistry.azure.net'",
        ),
    ] {
        let id = format!("client-{}", reason.len());
        let headers = [
            ("authorization", authorization),
            ("x-ms-client-request-id", &id),
        ];
        let answer = client.send("GET", "/keys?api-version=7.4", &headers, b"");
        assert_eq!(answer.status, 401, "{answer:?}");
        let line = line(&emulator, answer.header("x-ms-request-id"));
        let expected = format!("login=\"{reason}\"");
        assert!(line.contains(&expected), "{line}");
        let expected = format!("client_request_id=\"{id}\"");
        assert!(line.contains(&expected), "{line}");
    }
    assert!(!emulator.logged().contains(&of_acr));
}
