use base64::{Engine as _, engine::general_purpose::STANDARD};
use sealock_tests::{Answer, Client, Emulator, Image};
use serde_json::{Value, json};

use crate::{entra::part, tokens::Guest};

const VAULT: &str = "https://vault.azure.net";
const ACR: &str = "https://containerregistry.azure.net";
const KEYS: &str = "/keys?api-version=7.4";
const NULL_GUID: &str = "00000000-0000-0000-0000-000000000000";

/// An application, as who made it knows it.
struct App {
    tenant: String,
    client: String,
    principal: String,
    secret: String,
}

impl App {
    fn create(emulator: &Emulator) -> Self {
        Self::of(&emulator.json(&["app", "create", "deploy"]))
    }

    fn of(made: &Value) -> Self {
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Self {
            tenant: text("tenant_id"),
            client: text("client_id"),
            principal: text("principal_id"),
            secret: text("secret"),
        }
    }

    fn path(&self) -> String {
        format!("/{}/oauth2/v2.0/token", self.tenant)
    }

    fn form(&self, resource: &str) -> Vec<(&'static str, String)> {
        vec![
            ("grant_type", "client_credentials".to_owned()),
            ("client_id", self.client.clone()),
            ("client_secret", self.secret.clone()),
            ("scope", format!("{resource}/.default")),
        ]
    }

    fn log_in(&self, emulator: &Emulator, resource: &str) -> Answer {
        post(&emulator.client(), &self.path(), &self.form(resource))
    }

    fn token(&self, emulator: &Emulator, resource: &str) -> String {
        let answer = self.log_in(emulator, resource);
        assert_eq!(answer.status, 200, "{answer:?}");
        access_token(&answer)
    }
}

fn post(client: &Client, path: &str, form: &[(&str, String)]) -> Answer {
    client.send("POST", path, &[], encode(form).as_bytes())
}

fn encode(form: &[(&str, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish()
}

fn access_token(answer: &Answer) -> String {
    answer.json()["access_token"].as_str().unwrap().to_owned()
}

/// The number of a refusal, which its text begins with.
fn number(answer: &Answer) -> Value {
    let body = answer.json();
    let number = body["error_codes"][0].clone();
    let description = body["error_description"].as_str().unwrap();
    assert!(description.starts_with(&format!("AADSTS{number}: ")));
    number
}

fn keys(emulator: &Emulator, token: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    emulator.client().send("GET", KEYS, &headers, b"")
}

fn refused(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{answer:?}");
    let message = answer.json()["error"]["message"].clone();
    message.as_str().unwrap().to_owned()
}

fn may_list_keys(emulator: &Emulator) {
    emulator.cli(&[
        "access",
        "grant",
        "--app",
        "deploy",
        "--permissions",
        "list",
    ]);
}

#[test]
fn an_application_gets_a_token_for_its_secret() {
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

    // As clients that take it for Federation Services ask.
    let client = emulator.client();
    let form = app.form(VAULT);
    let answer = post(&client, "/adfs/oauth2/token", &form);
    assert_eq!(answer.json(), version_2);
    let answer = client.get("/adfs/.well-known/openid-configuration");
    let endpoint = answer.json()["token_endpoint"].clone();
    let endpoint = endpoint.as_str().unwrap().to_owned();
    assert!(endpoint.ends_with("/adfs/oauth2/token"), "{endpoint}");

    // Encoded as a form is, where the tilde is not itself.
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
fn what_an_application_is_refused_is_said_in_entras_words() {
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
            "password",
            400,
            "unsupported_grant_type",
            "AADSTS70003: The app requested an unsupported grant type 'password'. ".to_owned(),
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
    assert_eq!(answer.status, 401);
    let body = answer.json();
    assert_eq!(
        (&body["error"], &body["error_codes"]),
        (&json!("invalid_client"), &json!([]))
    );
    let description = body["error_description"].as_str().unwrap();
    assert!(
        description.contains("does not support the parameter 'client_assertion'"),
        "{description}"
    );
    // Version 1.0 has no scopes.
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
    // A header that is none.
    for authorization in ["Basic", "Basic !", "Basic eA==", "Basic /zp4", "Bearer x"] {
        let form = encode(&[app.form(VAULT)[0].clone(), app.form(VAULT)[3].clone()]);
        let headers = [("authorization", authorization)];
        let answer = client.send("POST", &app.path(), &headers, form.as_bytes());
        assert_eq!(number(&answer), 900_144, "{authorization}");
    }
}

#[test]
fn tokens_and_secrets_end_by_the_emulators_clock() {
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
fn a_deleted_applications_tokens_end_with_it() {
    let emulator = Emulator::start();
    let app = App::create(&emulator);
    may_list_keys(&emulator);
    emulator.cli(&["role", "assign", "--app", "deploy", "--role", "AcrPull"]);
    let token = app.token(&emulator, VAULT);
    assert_eq!(keys(&emulator, &token).status, 200);
    emulator.cli(&["app", "delete", "deploy"]);
    assert_eq!(
        refused(&keys(&emulator, &token), 401),
        "The principal that the token is for does not exist any more."
    );
    assert_eq!(number(&app.log_in(&emulator, VAULT)), 700_016);
    let policies = emulator.json(&["access", "list"])["policies"].clone();
    let theirs = policies.as_array().unwrap().iter();
    let theirs = theirs
        .clone()
        .find(|it| it["principal_id"] == app.principal.as_str());
    let theirs = theirs.expect("its policy stays");
    assert!(theirs["identity"].is_null() && theirs["application"].is_null());
    assert!(emulator.cli(&["role", "list"]).contains("(gone: "));
    // By its id, what it was permitted can be taken away.
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

#[test]
#[expect(clippy::too_many_lines, reason = "a list of commands")]
fn a_vault_permits_an_application_by_policy_or_by_role() {
    let emulator = Emulator::start();
    // Names of applications and of identities have nothing to do with each other.
    emulator.cli(&["identity", "create", "deploy"]);
    let app = App::create(&emulator);
    let token = app.token(&emulator, VAULT);
    let caller = format!(
        "appid={};oid={};iss=https://sts.windows.net/{}/",
        app.client, app.principal, app.tenant
    );
    emulator.cli(&[
        "access",
        "grant",
        "--identity",
        "deploy",
        "--permissions",
        "list",
    ]);
    let said = refused(&keys(&emulator, &token), 403);
    let denied = format!(
        "The user, group or application '{caller}' does not have keys list permission on key vault 'sealock;location=eastus'."
    );
    assert!(said.starts_with(&denied), "{said}");
    let granted = emulator.cli(&[
        "access",
        "grant",
        "--app",
        "deploy",
        "--permissions",
        "list",
    ]);
    assert_eq!(granted.trim(), "deploy now has list in vault sealock");
    assert_eq!(keys(&emulator, &token).status, 200);
    assert!(
        emulator
            .cli(&["access", "list"])
            .contains("deploy (application)")
    );
    emulator.cli(&[
        "access",
        "revoke",
        "--app",
        "deploy",
        "--permissions",
        "list",
    ]);
    refused(&keys(&emulator, &token), 403);

    emulator.cli(&["vault", "update", "--rbac", "true"]);
    let said = refused(&keys(&emulator, &token), 403);
    assert!(
        said.contains(&format!("\r\nCaller: {caller}\r\n")),
        "{said}"
    );
    let group = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/sealock";
    let role = [
        "--app",
        "deploy",
        "--role",
        "Key Vault Reader",
        "--scope",
        group,
    ];
    emulator.cli(&[&["role", "assign"], &role[..]].concat());
    assert_eq!(keys(&emulator, &token).status, 200);
    let listed = emulator.json(&["role", "list"])["role_assignments"][0].clone();
    assert_eq!(listed["application"], "deploy");
    assert!(listed["identity"].is_null());
    emulator.cli(&[&["role", "remove"], &role[..]].concat());
    refused(&keys(&emulator, &token), 403);
    let again = emulator.run(&[&["role", "remove"], &role[..]].concat());
    let missing = "The application 'deploy' has no role Key Vault Reader assigned at ";
    assert!(again.stderr.contains(missing), "{}", again.stderr);

    emulator.cli(&[
        "vault",
        "network",
        "update",
        "sealock",
        "--public-access",
        "disabled",
    ]);
    let said = refused(&keys(&emulator, &token), 403);
    assert!(
        said.contains(&format!("\r\nCaller: {caller}\r\nVault: ")),
        "{said}"
    );

    // The audit has no name of an application, but is asked by it all the same.
    let events = |who: &str| {
        let shown = emulator.cli(&["audit", "--identity", who, "--json"]);
        let events = shown
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        events.collect::<Vec<Value>>()
    };
    let found = events("deploy");
    assert_eq!(found.len(), 7, "{found:?}");
    let claim = json!({"oid": app.principal, "appid": app.client, "appidacr": "1", "idtyp": "app"});
    assert!(
        found
            .iter()
            .all(|event| event["identity"]["claim"] == claim)
    );
    assert_eq!(events(&app.client), found);
    assert_eq!(events(&app.principal), found);
    assert!(events("another").is_empty());
}

#[test]
fn an_application_with_a_role_gets_into_the_registry() {
    let emulator = Emulator::start();
    let image = Image::random(&[500]);
    assert_eq!(emulator.client().push("app", "v1", &image).status, 201);
    let guest = Guest::of(&emulator);
    let app = App::create(&emulator);
    let token = app.token(&emulator, ACR);
    let form = format!(
        "grant_type=access_token&service={}&tenant={}&access_token={token}",
        guest.host, app.tenant
    );
    let exchange = || guest.send("POST", "/oauth2/exchange", form.as_bytes());
    assert_eq!(exchange().status, 401, "without a role");
    emulator.cli(&["role", "assign", "--app", "deploy", "--role", "AcrPull"]);
    let answer = exchange();
    assert_eq!(answer.status, 200, "{answer:?}");
    let refresh_token = answer.json()["refresh_token"].clone();
    let refresh_token = refresh_token.as_str().unwrap();
    assert_eq!(part(refresh_token, 1)["appid"], app.client.as_str());
    // As `docker login` does.
    let docker = guest.basic(NULL_GUID, refresh_token);
    assert_eq!(docker.get("/v2/app/manifests/v1").status, 200);
    assert_eq!(
        docker.send("DELETE", "/v2/app/manifests/v1", b"").status,
        401
    );
    emulator.cli(&["role", "remove", "--app", "deploy", "--role", "AcrPull"]);
    assert_eq!(docker.get("/v2/app/manifests/v1").status, 401);
    assert_eq!(exchange().status, 401);
}

#[test]
fn an_application_logs_in_at_the_registry_with_its_secret_and_by_its_roles() {
    const SCOPES: [&str; 2] = [
        "repository:app:pull,push,delete,metadata_read,metadata_write",
        "registry:catalog:*",
    ];
    let emulator = Emulator::start();
    emulator.cli(&["clock", "freeze"]);
    let image = Image::random(&[500]);
    assert_eq!(emulator.client().push("app", "v1", &image).status, 201);
    let guest = Guest::of(&emulator);
    let app = App::create(&emulator);
    let login = guest.basic(&app.client, &app.secret);
    let refused = |guest: &Guest| {
        let answer = guest.token(&SCOPES);
        assert_eq!(answer.status, 401, "{answer:?}");
        assert_eq!(answer.code(), "UNAUTHORIZED");
        let message = answer.json()["errors"][0]["message"].clone();
        message.as_str().unwrap().to_owned()
    };
    let required = "authentication required, visit https://aka.ms/acr/authorization ";
    assert!(refused(&login).starts_with(required), "without a role");
    for (role, actions) in [
        ("AcrPull", &["pull", "metadata_read"][..]),
        ("AcrPush", &["pull", "push", "metadata_read"]),
        ("AcrDelete", &["delete"]),
        (
            "Contributor",
            &["pull", "push", "delete", "metadata_read", "metadata_write"],
        ),
    ] {
        emulator.cli(&["role", "assign", "--app", "deploy", "--role", role]);
        let claims = login.bearer(&SCOPES).claims();
        assert_eq!(claims["access"][0]["actions"], json!(actions), "{role}");
        assert_eq!(claims["appid"], app.client.as_str());
        let form = encode(&[
            ("grant_type", "password".to_owned()),
            ("service", guest.host.clone()),
            ("scope", SCOPES.join(" ")),
            ("username", app.client.clone()),
            ("password", app.secret.clone()),
        ]);
        let granted = guest.send("POST", "/oauth2/token", form.as_bytes());
        let claims = part(granted.json()["access_token"].as_str().unwrap(), 1);
        assert_eq!(claims["access"][0]["actions"], json!(actions), "{role}");
        emulator.cli(&["role", "remove", "--app", "deploy", "--role", role]);
    }
    emulator.cli(&["role", "assign", "--app", "deploy", "--role", "AcrPull"]);
    // Basic does without a token, and at localhost, too.
    let mut here = guest.basic(&app.client, &app.secret);
    for host in [guest.host.clone(), emulator.address().to_owned()] {
        here.host = host;
        assert_eq!(here.get("/v2/app/manifests/v1").status, 200);
        assert_eq!(here.get("/v2/app/tags/list").status, 200);
        assert_eq!(here.send("POST", "/v2/app/blobs/uploads/", b"").status, 401);
    }

    let secret = "Invalid clientid or client secret.";
    let unknown = "Application not registered with AAD.";
    assert_eq!(refused(&guest.basic(&app.client, "wrong")), secret);
    assert_eq!(refused(&guest.basic(&app.client, "")), secret);
    assert_eq!(refused(&guest.basic(&app.principal, &app.secret)), unknown);
    assert_eq!(refused(&guest.basic("deploy", &app.secret)), unknown);
    assert_eq!(refused(&guest.basic("", &app.secret)), unknown);
    // The admin user is not there before it is enabled.
    assert_eq!(refused(&guest.basic("sealock", "wrong")), unknown);
    emulator.cli(&["registry", "update", "--admin-enabled", "true"]);
    assert!(refused(&guest.basic("sealock", "wrong")).starts_with(required));
    let identity = emulator.json(&["identity", "list"])["identities"][0]["client_id"].clone();
    assert_eq!(
        refused(&guest.basic(identity.as_str().unwrap(), "x")),
        secret
    );
    let reset = emulator.json(&["app", "renew", "deploy"]);
    assert_eq!(refused(&login), secret, "a new one ends it");
    let login = guest.basic(&app.client, reset["secret"].as_str().unwrap());
    assert_eq!(login.token(&SCOPES).status, 200);
    emulator.cli(&["clock", "advance", "8760h"]);
    assert_eq!(refused(&login), secret, "it has expired");
    emulator.cli(&["app", "delete", "deploy"]);
    assert_eq!(refused(&login), unknown);
    let logged = emulator.logged();
    assert!(!logged.contains(&app.secret));
}

#[test]
fn a_client_secret_is_shown_once_and_kept_nowhere() {
    let mut emulator = Emulator::start();
    let created = emulator.cli(&["app", "create", "deploy"]);
    let secret = |shown: &str| {
        let mut words = shown.split_whitespace();
        words.find(|word| word.contains("8Q~")).unwrap().to_owned()
    };
    assert!(created.contains("Keep the secret: it is not shown again."));
    let first = secret(&created);
    let again = emulator.run(&["app", "create", "deploy"]);
    assert!(
        again.stdout.contains("deploy was there already"),
        "{again:?}"
    );
    let second = secret(&emulator.cli(&["app", "renew", "deploy"]));
    assert_ne!(first, second);
    let made = emulator.json(&["app", "show", "deploy"]);
    for (form, status) in [(&first, 401), (&second, 200)].map(|(secret, status)| {
        let client = made["client_id"].as_str().unwrap().to_owned();
        let form = vec![
            ("grant_type", "client_credentials".to_owned()),
            ("client_id", client),
            ("client_secret", secret.clone()),
            ("scope", format!("{VAULT}/.default")),
        ];
        (form, status)
    }) {
        let answer = post(&emulator.client(), "/common/oauth2/v2.0/token", &form);
        assert_eq!(answer.status, status);
        // Where clients should not put it, but may.
        let query = format!("/common/oauth2/v2.0/token?{}", encode(&form));
        assert_eq!(number(&post(&emulator.client(), &query, &[])), 900_144);
    }
    let mut shown = emulator.cli(&["app", "list"]);
    for command in [
        &["app", "list", "--json"][..],
        &["app", "show", "deploy"],
        &["app", "show", "deploy", "--json"],
        &["audit"],
    ] {
        shown.push_str(&emulator.cli(command));
    }
    emulator.stop();
    let mut places = emulator.files();
    places.push(("log".into(), emulator.logged().into_bytes()));
    places.push(("what is shown".into(), shown.into_bytes()));
    for (place, content) in places {
        for secret in [&first, &second] {
            let part = &secret.as_bytes()[10..30];
            let found = content.windows(part.len()).any(|window| window == part);
            assert!(!found, "{}", place.display());
        }
    }
}

#[test]
fn what_is_done_to_applications_is_said_in_a_sentence_and_as_json() {
    let emulator = Emulator::start();
    assert_eq!(emulator.json(&["app", "list"]), json!({"applications": []}));
    let made = emulator.json(&["app", "create", "deploy"]);
    let mut known = made.clone();
    known.as_object_mut().unwrap().remove("secret");
    assert_eq!(emulator.json(&["app", "create", "deploy"]), known);
    assert_eq!(emulator.json(&["app", "show", "deploy"]), known);
    let all = json!({"applications": [known]});
    assert_eq!(emulator.json(&["app", "list"]), all);
    let listed = emulator.cli(&["app", "list"]);
    for part in [
        "NAME    CLIENT",
        "deploy  ",
        known["secret_expires"].as_str().unwrap(),
    ] {
        assert!(listed.contains(part), "{listed}");
    }
    let shown = emulator.cli(&["app", "show", "deploy"]);
    for part in ["tenant_id", "client_id", "principal_id", "created"] {
        assert!(shown.contains(known[part].as_str().unwrap()), "{shown}");
    }
    let not_found = "error: The application 'nobody' was not found\nhint: see the applications with: sealock app list; or create it with: sealock app create nobody";
    for command in [
        &["app", "show", "nobody"][..],
        &["access", "grant", "--app", "nobody"],
        &["role", "assign", "--app", "nobody", "--role", "AcrPull"],
    ] {
        let output = emulator.run(command);
        assert_eq!((output.code, output.stderr.trim()), (1, not_found));
    }
    // Whoever wants to be rid of something is not told to create it.
    let (not_found, _) = not_found.rsplit_once(';').unwrap();
    for command in [
        &["app", "delete", "nobody"][..],
        &["app", "renew", "nobody"],
        &["access", "revoke", "--app", "nobody"],
        &["role", "remove", "--app", "nobody", "--role", "AcrPull"],
    ] {
        let output = emulator.run(command);
        assert_eq!((output.code, output.stderr.trim()), (1, not_found));
    }
    for command in [
        &["identity", "delete", "nobody"][..],
        &["access", "revoke", "--identity", "nobody"],
        &[
            "role",
            "remove",
            "--identity",
            "nobody",
            "--role",
            "AcrPull",
        ],
    ] {
        let output = emulator.run(command);
        let hint = "hint: see the identities with: sealock identity list\n";
        assert!(output.stderr.ends_with(hint), "{output:?}");
    }
    for (command, says) in [
        (
            &["app", "create", "x"][..],
            "'x' is not an application name; expected 3 to 128",
        ),
        (
            &[
                "access",
                "grant",
                "--app",
                "deploy",
                "--identity",
                "registry-identity",
            ],
            "cannot be used with",
        ),
    ] {
        let output = emulator.run(command);
        assert!(
            output.code == 2 && output.stderr.contains(says),
            "{output:?}"
        );
    }
    let deleted = emulator.cli(&["app", "delete", "deploy"]);
    assert_eq!(deleted.trim(), "deleted application deploy");
    assert_eq!(emulator.json(&["app", "list"]), json!({"applications": []}));
}
