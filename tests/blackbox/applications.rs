mod assertions;
mod commands;
mod developer;
mod tokens;

use sealock_tests::{Answer, Client, Emulator, Image};
use serde_json::{Value, json};

use crate::{entra::part, tokens::Guest};

const VAULT: &str = "https://vault.azure.net";

const ACR: &str = "https://containerregistry.azure.net";

const KEYS: &str = "/keys?api-version=7.4";

const NULL_GUID: &str = "00000000-0000-0000-0000-000000000000";

/// An application with its credentials.
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

pub(crate) fn post(client: &Client, path: &str, form: &[(&str, String)]) -> Answer {
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

/// Returns the number of a refusal, with which its text begins.
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
#[expect(clippy::too_many_lines, reason = "a list of commands")]
fn vault_permits_an_application_by_policy_or_by_role() {
    let emulator = Emulator::start();
    // An application and an identity may have the same name.
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
    let listed = crate::exchange::role_assignments(&emulator)[0].clone();
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

    // The audit log has no application names, but can be filtered by them.
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
fn application_with_a_role_exchanges_its_token_at_the_registry() {
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
fn application_logs_in_with_its_secret_and_its_roles_limit_it() {
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
    // Basic credentials work without a token, even on localhost.
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
    // The admin user does not exist before it is enabled.
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
