mod login;
mod scope_maps;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use sealock_tests::{Answer, Client, Emulator, Image};
use serde_json::{Value, json};

/// The default registry's host name.
const HOST: &str = "sealock.azurecr.localhost";

/// A client at the faithful door, with its credentials.
pub(crate) struct Guest {
    client: Client,
    pub(crate) host: String,
    authorization: Option<String>,
}

impl Guest {
    /// Visits the default registry.
    pub(crate) fn of(emulator: &Emulator) -> Self {
        Self::at(emulator, HOST)
    }

    fn at(emulator: &Emulator, host: &str) -> Self {
        let port = emulator.address().rsplit_once(':').unwrap().1;
        Self {
            client: emulator.client(),
            host: format!("{host}:{port}"),
            authorization: None,
        }
    }

    pub(crate) fn with(&self, authorization: &str) -> Self {
        Self {
            client: self.client.clone(),
            host: self.host.clone(),
            authorization: Some(authorization.to_owned()),
        }
    }

    pub(crate) fn basic(&self, user: &str, password: &str) -> Self {
        let credentials = STANDARD.encode(format!("{user}:{password}"));
        self.with(&format!("Basic {credentials}"))
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let form = "application/x-www-form-urlencoded";
        let mut headers = vec![("host", self.host.as_str())];
        headers.extend(
            self.authorization
                .as_deref()
                .map(|value| ("authorization", value)),
        );
        headers.extend(
            path.starts_with("/oauth2")
                .then_some(("content-type", form)),
        );
        self.client.send(method, path, &headers, body)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, b"")
    }

    /// Requests an access token as docker does.
    pub(crate) fn token(&self, scopes: &[&str]) -> Answer {
        let mut path = format!("/oauth2/token?service={}", self.host);
        for scope in scopes {
            path.push_str("&scope=");
            path.push_str(scope);
        }
        self.get(&path)
    }

    /// Returns a client with an access token for `scopes`.
    pub(crate) fn bearer(&self, scopes: &[&str]) -> Self {
        let answer = self.token(scopes);
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer = answer.json();
        let token = answer["access_token"].as_str().unwrap();
        self.with(&format!("Bearer {token}"))
    }

    /// Returns the value of the header `Authorization`.
    pub(crate) fn authorization(&self) -> &str {
        self.authorization.as_deref().expect("credentials")
    }

    /// Returns the claims of the access token.
    pub(crate) fn claims(&self) -> Value {
        let token = self.authorization.as_deref().unwrap();
        let payload = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
    }
}

/// Enables the admin user, and returns a client with its credentials.
fn admin(emulator: &Emulator) -> Guest {
    admin_of(emulator, "sealock")
}

/// Enables the admin user of a registry, and returns a client with its credentials.
pub(crate) fn admin_of(emulator: &Emulator, registry: &str) -> Guest {
    emulator.cli(&["registry", "update", registry, "--admin-enabled", "true"]);
    let credentials = emulator.json(&["registry", "credential", "show", registry]);
    let password = credentials["passwords"][0]["value"].as_str().unwrap();
    let guest = Guest::at(emulator, &format!("{registry}.azurecr.localhost"));
    guest.basic(credentials["username"].as_str().unwrap(), password)
}

/// Creates a token that permits `actions`, and returns a client with its credentials.
fn token(emulator: &Emulator, name: &str, actions: &[&str]) -> Guest {
    let mut command = vec!["registry", "token", "create", name, "--repository"];
    command.extend(actions);
    let made = emulator.json(&command);
    let password = made["generated"][0]["value"].as_str().unwrap();
    Guest::of(emulator).basic(name, password)
}

#[test]
fn passwords_and_access_tokens_expire_by_the_emulators_clock() {
    let mut emulator = Emulator::start();
    emulator.cli(&["clock", "freeze"]);
    let reader = token(&emulator, "reader", &["*", "content/read"]);
    let renew = [
        "registry",
        "token",
        "renew",
        "reader",
        "--password-name",
        "password2",
        "--days",
        "2",
    ];
    let made = emulator.json(&renew);
    let second = made["value"].as_str().unwrap();
    let short = Guest::of(&emulator).basic("reader", second);
    let bearer = short.bearer(&[]);
    emulator.cli(&["clock", "advance", "74m"]);
    assert_eq!(bearer.get("/v2/").status, 200);
    emulator.restart();
    let moved = Guest::of(&emulator);
    let bearer_after = moved.with(bearer.authorization.as_deref().unwrap());
    // Another port means another login server. With the same port, the token is still valid.
    let expected = if moved.host == bearer.host { 200 } else { 401 };
    assert_eq!(bearer_after.get("/v2/").status, expected);
    let short = moved.basic("reader", second);
    let bearer = short.bearer(&[]);
    emulator.cli(&["clock", "advance", "75m"]);
    assert_eq!(bearer.get("/v2/").status, 401);
    emulator.cli(&["clock", "advance", "44h"]);
    assert_eq!(short.get("/v2/").status, 200);
    emulator.cli(&["clock", "advance", "2h"]);
    assert_eq!(short.get("/v2/").status, 401, "the password expired");
    let reader = moved.with(reader.authorization.as_deref().unwrap());
    assert_eq!(reader.get("/v2/").status, 200, "the other one does not");
    assert!(!emulator.logged().contains(second));
}

#[test]
fn anonymous_access_permits_pulls_only() {
    let emulator = Emulator::start();
    let image = Image::random(&[500]);
    assert_eq!(emulator.client().push("app", "v1", &image).status, 201);
    let guest = Guest::of(&emulator);
    let scopes = ["repository:app:pull,push,delete,metadata_read"];
    assert_eq!(guest.token(&scopes).status, 401);
    emulator.cli(&["registry", "update", "--anonymous-pull-enabled", "true"]);
    assert_eq!(
        guest.get("/v2/app/manifests/v1").status,
        401,
        "a token it takes all the same"
    );
    let bearer = guest.bearer(&scopes);
    assert_eq!(
        bearer.claims()["access"][0]["actions"],
        json!(["pull", "metadata_read"])
    );
    assert_eq!(bearer.get("/v2/app/manifests/v1").status, 200);
    assert_eq!(
        bearer.send("DELETE", "/v2/app/manifests/v1", b"").status,
        401
    );
    // In the form of Microsoft's anonymous clients.
    let form = format!(
        "grant_type=password&service={}&scope={}&refresh_token=",
        guest.host, scopes[0]
    );
    assert_eq!(
        guest
            .send(
                "POST",
                "/oauth2/token?api-version=2021-07-01",
                form.as_bytes()
            )
            .status,
        200
    );
    emulator.cli(&["registry", "update", "--anonymous-pull-enabled", "false"]);
    assert_eq!(guest.token(&scopes).status, 401);
    emulator.cli(&["registry", "create", "basic", "--sku", "Basic"]);
    let refused = emulator.run(&[
        "registry",
        "update",
        "basic",
        "--anonymous-pull-enabled",
        "true",
    ]);
    assert!(refused.stderr.contains("Standard or Premium"));
    // The setting has no effect in a lower tier.
    let open = [
        "registry",
        "update",
        "opened",
        "--anonymous-pull-enabled",
        "true",
    ];
    emulator.cli(&["registry", "create", "opened", "--sku", "Standard"]);
    emulator.cli(&open);
    let open = Guest {
        host: guest.host.replacen("sealock", "opened", 1),
        ..guest
    };
    let scopes = ["repository:app:pull"];
    assert_eq!(open.token(&scopes).status, 200);
    emulator.cli(&["registry", "create", "opened", "--sku", "Basic"]);
    assert_eq!(open.token(&scopes).status, 401);
}

#[test]
fn tampered_and_foreign_tokens_are_refused() {
    let emulator = Emulator::start();
    let admin = admin(&emulator);
    let bearer = admin.bearer(&["repository:app:pull"]);
    let token = bearer.authorization.clone().unwrap();
    let parts: Vec<&str> = token.strip_prefix("Bearer ").unwrap().split('.').collect();
    let mut claims = bearer.claims();
    claims["access"][0]["actions"] = json!(["push"]);
    let forged = URL_SAFE_NO_PAD.encode(claims.to_string());
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    for bad in [
        format!("{}.{forged}.{}", parts[0], parts[2]),
        format!("{none}.{}.", parts[1]),
        format!("{none}.{}.{}", parts[1], parts[2]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{}.{}x", parts[0], parts[1], parts[2]),
        String::new(),
        "a.b.c".repeat(2000),
    ] {
        assert_eq!(
            bearer.with(&format!("Bearer {bad}")).get("/v2/").status,
            401,
            "{bad}"
        );
    }
    assert_eq!(bearer.get("/v2/").status, 200);
    // Each registry accepts only its own tokens.
    emulator.cli(&["registry", "create", "another"]);
    let mut stranger = bearer.with(&token);
    stranger.host = stranger.host.replace("sealock", "another");
    assert_eq!(stranger.get("/v2/").status, 401);
    stranger.host = stranger.host.replace("another", "nobody");
    assert_eq!(stranger.get("/v2/").status, 404);
}

#[test]
fn token_refusals_state_the_reason() {
    let emulator = Emulator::start();
    let admin = admin(&emulator);
    let guest = Guest::of(&emulator);
    let post = |guest: &Guest, form: &str| guest.send("POST", "/oauth2/token", form.as_bytes());
    for (answer, status, said) in [
        (
            admin.get("/oauth2/token?service=elsewhere.azurecr.io"),
            400,
            "elsewhere.azurecr.io",
        ),
        (admin.token(&["pull"]), 400, "'pull' is not a scope"),
        (admin.send("DELETE", "/oauth2/token", b""), 405, "GET, POST"),
        (post(&guest, "grant_type=magic"), 400, "grant_type"),
        (post(&guest, ""), 400, "grant_type"),
        (
            post(&guest, "grant_type=refresh_token&refresh_token=x"),
            401,
            "authentication required",
        ),
        (post(&guest, &"x".repeat(70_000)), 400, "did not arrive"),
        (
            guest.basic("nobody", "x").token(&[]),
            401,
            "Application not registered with AAD.",
        ),
        (
            guest.send("POST", "/oauth2/exchange", b"grant_type=access_token"),
            401,
            "authentication required",
        ),
    ] {
        assert_eq!(answer.status, status, "{answer:?}");
        let message = answer.json()["errors"][0]["message"].clone();
        assert!(message.as_str().unwrap().contains(said), "{message}");
    }
}

#[test]
fn revoked_registry_issues_tokens_but_serves_no_content() {
    let emulator = Emulator::start();
    let image = Image::random(&[500]);
    assert_eq!(emulator.client().push("app", "v1", &image).status, 201);
    let admin = admin(&emulator);
    let scopes = ["repository:app:pull,metadata_read", "registry:catalog:*"];
    emulator.cli(&["key", "disable"]);
    let bearer = admin.bearer(&scopes);
    assert_eq!(bearer.get("/v2/").status, 200);
    for path in [
        "/v2/app/manifests/v1",
        "/v2/_catalog",
        "/acr/v1/_catalog",
        "/acr/v1/app",
    ] {
        let answer = bearer.get(path);
        assert_eq!(answer.status, 403, "{path}");
        assert_eq!(answer.json()["errors"][0]["detail"]["cause"], "KeyDisabled");
    }
    // An unauthenticated caller does not learn that it exists.
    assert_eq!(Guest::of(&emulator).get("/v2/app/manifests/v1").status, 401);
    emulator.cli(&["key", "enable"]);
    assert_eq!(bearer.get("/v2/app/manifests/v1").status, 200);
}
