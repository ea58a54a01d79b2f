use std::thread;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use sealock_tests::{Answer, Client, Emulator, Image};
use serde_json::{Value, json};

/// The default registry's own name, as clients would type it.
const HOST: &str = "sealock.azurecr.localhost";

/// What somebody says to the faithful door.
pub(crate) struct Guest {
    client: Client,
    pub(crate) host: String,
    authorization: Option<String>,
}

impl Guest {
    pub(crate) fn of(emulator: &Emulator) -> Self {
        let port = emulator.address().rsplit_once(':').unwrap().1;
        Self {
            client: emulator.client(),
            host: format!("{HOST}:{port}"),
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

    /// Asks for an access token as docker does.
    pub(crate) fn token(&self, scopes: &[&str]) -> Answer {
        let mut path = format!("/oauth2/token?service={}", self.host);
        for scope in scopes {
            path.push_str("&scope=");
            path.push_str(scope);
        }
        self.get(&path)
    }

    /// One who has an access token for `scopes`.
    pub(crate) fn bearer(&self, scopes: &[&str]) -> Self {
        let answer = self.token(scopes);
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer = answer.json();
        let token = answer["access_token"].as_str().unwrap();
        self.with(&format!("Bearer {token}"))
    }

    /// What is shown in the header `Authorization`.
    pub(crate) fn authorization(&self) -> &str {
        self.authorization.as_deref().expect("credentials")
    }

    /// What an access token says of itself.
    pub(crate) fn claims(&self) -> Value {
        let token = self.authorization.as_deref().unwrap();
        let payload = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
    }
}

/// The admin user, who may log in from now on.
fn admin(emulator: &Emulator) -> Guest {
    emulator.cli(&["registry", "update", "--admin-enabled", "true"]);
    let credentials = emulator.json(&["registry", "credential", "show"]);
    let password = credentials["passwords"][0]["value"].as_str().unwrap();
    Guest::of(emulator).basic(credentials["username"].as_str().unwrap(), password)
}

/// Creates a token that may do `actions`, and logs it in.
fn token(emulator: &Emulator, name: &str, actions: &[&str]) -> Guest {
    let mut command = vec!["registry", "token", "create", name, "--repository"];
    command.extend(actions);
    let made = emulator.json(&command);
    let password = made["generated"][0]["value"].as_str().unwrap();
    Guest::of(emulator).basic(name, password)
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn the_challenge_is_azures_to_the_byte() {
    let emulator = Emulator::start();
    let guest = Guest::of(&emulator);
    let host = &guest.host;
    let bearer = format!("Bearer realm=\"http://{host}/oauth2/token\",service=\"{host}\"");
    let refused = |answer: &Answer, rest: &str, detail: Value| {
        assert_eq!(answer.status, 401, "{answer:?}");
        assert_eq!(answer.header("www-authenticate"), format!("{bearer}{rest}"));
        assert_eq!(
            answer.header("docker-distribution-api-version"),
            "registry/2.0"
        );
        assert_eq!(answer.header("x-ms-correlation-request-id").len(), 36);
        let message =
            "authentication required, visit https://aka.ms/acr/authorization for more information.";
        assert_eq!(
            answer.json(),
            json!({"errors": [{"code": "UNAUTHORIZED", "message": message, "detail": detail}]})
        );
    };
    let base = guest.get("/v2/");
    refused(&base, "", Value::Null);
    assert_eq!(
        String::from_utf8(base.body).unwrap(),
        "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"authentication required, visit \
         https://aka.ms/acr/authorization for more information.\",\"detail\":null}]}\n"
    );
    let of =
        |name: &str, action: &str| json!({"Type": "repository", "Name": name, "Action": action});
    for (method, path, scope, detail) in [
        (
            "GET",
            "/v2/a/b/manifests/v1",
            "repository:a/b:pull",
            json!([of("a/b", "pull")]),
        ),
        (
            "HEAD",
            "/v2/a/manifests/v1",
            "repository:a:pull",
            Value::Null,
        ),
        (
            "PUT",
            "/v2/a/manifests/v1",
            "repository:a:pull,push",
            json!([of("a", "pull"), of("a", "push")]),
        ),
        (
            "POST",
            "/v2/a/blobs/uploads/",
            "repository:a:pull,push",
            json!([of("a", "pull"), of("a", "push")]),
        ),
        (
            "DELETE",
            "/v2/a/manifests/v1",
            "repository:a:delete",
            json!([of("a", "delete")]),
        ),
        (
            "GET",
            "/v2/a/tags/list",
            "repository:a:metadata_read",
            json!([of("a", "metadata_read")]),
        ),
        (
            "GET",
            "/acr/v1/a",
            "repository:a:metadata_read",
            json!([of("a", "metadata_read")]),
        ),
        (
            "PATCH",
            "/acr/v1/a",
            "repository:a:metadata_write",
            json!([of("a", "metadata_write")]),
        ),
        (
            "DELETE",
            "/acr/v1/a/_tags/v1",
            "repository:a:delete",
            json!([of("a", "delete")]),
        ),
        (
            "GET",
            "/v2/_catalog",
            "registry:catalog:*",
            json!([{"Type": "registry", "Name": "catalog", "Action": "*"}]),
        ),
    ] {
        let answer = guest.send(method, path, b"");
        if method == "HEAD" {
            assert_eq!(answer.status, 401);
            continue;
        }
        refused(&answer, &format!(",scope=\"{scope}\""), detail.clone());
        let wrong = guest.with("Bearer x.y.z").send(method, path, b"");
        refused(
            &wrong,
            &format!(",scope=\"{scope}\",error=\"invalid_token\""),
            detail,
        );
    }
    assert_eq!(guest.with("Basic !").get("/v2/").status, 401);
    assert_eq!(guest.with("Negotiate x").get("/v2/").status, 401);
}

#[test]
fn the_admin_user_logs_in_with_either_password_once_enabled() {
    let emulator = Emulator::start();
    let guest = Guest::of(&emulator);
    assert_eq!(guest.basic("sealock", "").token(&[]).status, 401);
    let admin = admin(&emulator);
    let scopes = [
        "repository:app:pull,push",
        "registry:catalog:*",
        "registry:None:*",
    ];
    let bearer = admin.bearer(&scopes);
    assert_eq!(bearer.get("/v2/").status, 200);
    assert_eq!(bearer.get("/v2/_catalog").status, 200);
    let claims = bearer.claims();
    let access: Vec<Value> = [
        ("repository", "app", vec!["pull", "push"]),
        ("registry", "catalog", vec!["*"]),
        ("registry", "None", vec!["*"]),
    ]
    .into_iter()
    .map(|(kind, name, actions)| json!({"type": kind, "name": name, "actions": actions}))
    .collect();
    assert_eq!(claims["access"], json!(access));
    assert_eq!(claims["iss"], "Azure Container Registry");
    assert_eq!(claims["sub"], "sealock");
    assert_eq!(claims["grant_type"], "access_token");
    assert!(claims["aud"].as_str().unwrap().starts_with(HOST));
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        4500
    );

    // Basic does without a token, too, and either password serves.
    let both = emulator.json(&["registry", "credential", "show"])["passwords"].clone();
    for password in both.as_array().unwrap() {
        let password = password["value"].as_str().unwrap();
        assert_eq!(
            guest.basic("sealock", password).get("/v2/_catalog").status,
            200
        );
        let form = format!(
            "grant_type=password&service={}&scope=&username=sealock&password={password}",
            guest.host
        );
        assert_eq!(
            guest.send("POST", "/oauth2/token", form.as_bytes()).status,
            200
        );
    }
    let renew = [
        "registry",
        "credential",
        "renew",
        "--password-name",
        "password",
    ];
    let renewed = emulator.json(&renew);
    assert_eq!(admin.token(&[]).status, 401, "the old password ended");
    assert_eq!(renewed["passwords"][1], both[1], "the other one goes on");
    let logged = emulator.logged();
    for password in renewed["passwords"].as_array().unwrap() {
        assert!(!logged.contains(password["value"].as_str().unwrap()));
    }

    emulator.cli(&["registry", "update", "--admin-enabled", "false"]);
    let second = guest.basic("sealock", both[1]["value"].as_str().unwrap());
    assert_eq!(second.token(&[]).status, 401);
    emulator.cli(&["registry", "update", "--admin-enabled", "true"]);
    assert_eq!(second.token(&[]).status, 200, "its passwords stayed");
    let refused = guest.basic("sealock", "wrong").token(&[]);
    assert_eq!(refused.status, 401);
    let id = refused.header("x-ms-correlation-request-id").to_owned();
    let message = refused.json()["errors"][0]["message"].clone();
    assert!(
        message
            .as_str()
            .unwrap()
            .ends_with(&format!(" CorrelationId: {id}")),
        "{message}"
    );
}

#[test]
fn a_token_does_what_its_scope_map_says_and_no_more() {
    let emulator = Emulator::start();
    let image = Image::random(&[500]);
    for repository in ["hello", "team/a", "other"] {
        assert_eq!(emulator.client().push(repository, "v1", &image).status, 201);
    }
    let reader = token(
        &emulator,
        "reader",
        &[
            "hello",
            "content/read",
            "metadata/read",
            "team/*",
            "content/read",
            "content/write",
        ],
    );
    for (method, path, status) in [
        ("GET", "/v2/", 200),
        ("GET", "/v2/hello/manifests/v1", 200),
        ("GET", "/v2/hello/tags/list", 200),
        ("GET", "/acr/v1/hello", 200),
        ("GET", "/v2/team/a/manifests/v1", 200),
        ("POST", "/v2/team/new/blobs/uploads/", 202),
        ("GET", "/acr/v1/team/a", 401),
        ("POST", "/v2/hello/blobs/uploads/", 401),
        ("PATCH", "/acr/v1/hello", 401),
        ("DELETE", "/v2/hello/manifests/v1", 401),
        ("DELETE", "/acr/v1/hello", 401),
        ("GET", "/v2/other/manifests/v1", 401),
        ("GET", "/v2/_catalog", 401),
        ("GET", "/acr/v1/_catalog", 401),
    ] {
        assert_eq!(
            reader.send(method, path, b"").status,
            status,
            "Basic {method} {path}"
        );
        // A token for everything is one for what is allowed.
        let scopes = [
            "repository:hello:*",
            "repository:team/a:*",
            "repository:team/new:*",
            "repository:other:*",
            "registry:catalog:*",
        ];
        let bearer = reader.bearer(&scopes);
        let answer = bearer.send(method, path, b"");
        assert_eq!(answer.status, status, "Bearer {method} {path}");
        if status == 401 {
            assert!(
                answer
                    .header("www-authenticate")
                    .ends_with(",error=\"insufficient_scope\"")
            );
        }
    }
    // A token for one thing is none for another.
    let bearer = reader.bearer(&["repository:hello:pull"]);
    assert_eq!(bearer.get("/v2/hello/manifests/v1").status, 200);
    assert_eq!(bearer.get("/v2/team/a/manifests/v1").status, 401);

    // Content that it may not read cannot be mounted, and is not told of.
    let blob = image.blobs().next().unwrap();
    let digest = sealock_tests::digest_of(blob);
    for (from, status) in [("&from=hello", 201), ("&from=other", 202), ("", 202)] {
        let path = format!("/v2/team/a/blobs/uploads/?mount={digest}{from}");
        assert_eq!(reader.send("POST", &path, b"").status, status, "{from}");
    }
    emulator.verify();

    // Its scope map may change; what is in use stays.
    emulator.cli(&[
        "registry",
        "scope-map",
        "create",
        "reader-scope-map",
        "--repository",
        "other",
        "content/read",
    ]);
    assert_eq!(reader.get("/v2/other/manifests/v1").status, 200);
    assert_eq!(reader.get("/v2/hello/manifests/v1").status, 401);
    let in_use = emulator.run(&["registry", "scope-map", "delete", "reader-scope-map"]);
    assert!(in_use.code != 0);
    assert!(
        in_use
            .stderr
            .contains("the token reader uses the scope map")
    );
    emulator.cli(&[
        "registry",
        "token",
        "update",
        "reader",
        "--scope-map",
        "_repositories_pull",
    ]);
    assert_eq!(reader.get("/v2/hello/manifests/v1").status, 200);
    emulator.cli(&["registry", "scope-map", "delete", "reader-scope-map"]);

    emulator.cli(&[
        "registry", "token", "update", "reader", "--status", "disabled",
    ]);
    assert_eq!(reader.get("/v2/").status, 401);
    emulator.cli(&[
        "registry", "token", "update", "reader", "--status", "enabled",
    ]);
    assert_eq!(reader.get("/v2/").status, 200);
    emulator.cli(&["registry", "token", "delete", "reader"]);
    assert_eq!(reader.get("/v2/").status, 401);
}

#[test]
fn passwords_and_access_tokens_end_by_the_emulators_clock() {
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
    // The login server is another, if the port is; where it is not, the token still serves.
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
fn anonymous_pull_is_for_pulling() {
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
    // As Microsoft's anonymous clients ask.
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
    // What was enabled does not count in a lower tier.
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
fn a_token_that_was_tampered_with_or_is_anothers_is_none() {
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
    // Another registry's own name, another registry's tokens.
    emulator.cli(&["registry", "create", "another"]);
    let mut stranger = bearer.with(&token);
    stranger.host = stranger.host.replace("sealock", "another");
    assert_eq!(stranger.get("/v2/").status, 401);
    stranger.host = stranger.host.replace("another", "nobody");
    assert_eq!(stranger.get("/v2/").status, 404);
}

#[test]
fn what_no_token_is_given_for_is_said() {
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
fn revoked_a_registry_still_gives_tokens_and_no_content() {
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
    // Whoever is nobody does not hear of it.
    assert_eq!(Guest::of(&emulator).get("/v2/app/manifests/v1").status, 401);
    emulator.cli(&["key", "enable"]);
    assert_eq!(bearer.get("/v2/app/manifests/v1").status, 200);
}

#[test]
fn on_localhost_credentials_are_not_needed_but_checked() {
    let emulator = Emulator::start();
    let guest = Guest {
        host: emulator.address().to_owned(),
        ..Guest::of(&emulator)
    };
    assert_eq!(guest.get("/v2/_catalog").status, 200);
    assert_eq!(guest.basic("sealock", "wrong").get("/v2/").status, 401);
    let pusher = token(
        &emulator,
        "pusher",
        &["app", "content/read", "content/write"],
    );
    let pusher = Guest {
        host: guest.host.clone(),
        ..pusher
    };
    assert_eq!(
        pusher.send("POST", "/v2/app/blobs/uploads/", b"").status,
        202
    );
    assert_eq!(
        pusher.send("POST", "/v2/other/blobs/uploads/", b"").status,
        401
    );
    // As whoever asks nothing: with all rights.
    let bearer = guest.bearer(&["repository:app:delete"]);
    assert_eq!(bearer.claims()["access"][0]["actions"], json!(["delete"]));
}

#[test]
fn on_localhost_whoever_knocks_is_challenged_so_that_a_wrong_password_is_found() {
    let mut emulator = Emulator::start();
    let by_name = Guest::of(&emulator);
    for host in [
        emulator.address(),
        "localhost:5000",
        "[::1]:5000",
        "host.docker.internal:5000",
        "127.0.0.1",
    ] {
        let guest = Guest {
            host: host.to_owned(),
            ..Guest::of(&emulator)
        };
        for method in ["GET", "HEAD"] {
            let knocked = guest.send(method, "/v2/", b"");
            assert_eq!(knocked.status, 401, "{method} at {host}");
            assert_eq!(
                knocked.header("www-authenticate"),
                format!("Bearer realm=\"http://{host}/oauth2/token\",service=\"{host}\"")
            );
        }
        assert_eq!(guest.basic("sealock", "wrong").token(&[]).status, 401);
        // Whoever asks without credentials gets a token with all rights, as docker does before it pushes.
        let all = "repository:app:pull,push,delete,metadata_read,metadata_write";
        let bearer = guest.bearer(&[all, "registry:catalog:*"]);
        assert_eq!(bearer.claims()["access"].as_array().unwrap().len(), 2);
        assert_eq!(bearer.get("/v2/").status, 200);
        // So does the conformance suite of OCI.
        assert_eq!(guest.basic("", "").token(&[all]).status, 200);
        assert_eq!(guest.basic("", "").get("/v2/").status, 401);
        assert_eq!(bearer.send("POST", "/v2/", b"").status, 405);
        assert_eq!(bearer.get("/v2/_catalog").status, 200);
        let upload = "/v2/app/blobs/uploads/";
        assert_eq!(bearer.send("POST", upload, b"").status, 202);
        // No other path needs one.
        assert_eq!(guest.send("POST", upload, b"").status, 202);
        assert_eq!(guest.get("/v2/_catalog").status, 200);
        assert_eq!(guest.get("/acr/v1/_catalog").status, 200);
    }

    // What was given without a login is good where none is asked for, and nowhere else.
    let localhost = Guest {
        host: emulator.address().to_owned(),
        ..Guest::of(&emulator)
    };
    let bearer = localhost.bearer(&["repository:app:pull,push", "registry:catalog:*"]);
    let elsewhere = by_name.with(bearer.authorization.as_deref().unwrap());
    for path in ["/v2/", "/v2/_catalog"] {
        assert_eq!(elsewhere.get(path).status, 401, "{path}");
    }
    // An admin's is good at both doors.
    let admin = admin(&emulator).bearer(&["registry:catalog:*"]);
    assert_eq!(admin.get("/v2/_catalog").status, 200);
    let here = localhost.with(admin.authorization.as_deref().unwrap());
    assert_eq!(here.get("/v2/_catalog").status, 200);
    emulator.stop();
    let enforced = ("SEALOCK_SERVER__AUTH".to_owned(), "enforced".to_owned());
    emulator.set_environment(vec![enforced]);
    emulator.start_again();
    let enforced = Guest {
        client: emulator.client(),
        host: emulator.address().to_owned(),
        authorization: bearer.authorization,
    };
    assert_eq!(enforced.get("/v2/_catalog").status, 401);
    assert_eq!(enforced.get("/v2/").status, 401);
}

#[test]
fn each_scope_map_permits_what_azure_says() {
    let emulator = Emulator::start();
    let image = Image::random(&[500]);
    assert_eq!(emulator.client().push("app", "v1", &image).status, 201);
    let own = |name: &'static str, actions: &[&'static str]| {
        let mut command = vec!["registry", "scope-map", "create", name, "--repository"];
        command.extend(actions);
        emulator.cli(&command);
        name
    };
    for (map, statuses) in [
        ("_repositories_admin", [200, 202, 404, 200, 200, 200]),
        ("_repositories_pull", [200, 401, 401, 401, 401, 401]),
        (
            "_repositories_pull_metadata_read",
            [200, 401, 401, 200, 401, 200],
        ),
        ("_repositories_push", [200, 202, 401, 401, 401, 401]),
        (
            "_repositories_push_metadata_write",
            [200, 202, 401, 200, 200, 200],
        ),
        // Only who may read the metadata of all repositories lists them.
        (
            own("every", &["*", "metadata/read"]),
            [401, 401, 401, 200, 401, 200],
        ),
        (
            own("begun", &["a*", "metadata/read", "content/read"]),
            [200, 401, 401, 200, 401, 401],
        ),
    ] {
        let made = emulator.json(&["registry", "token", "create", "user1", "--scope-map", map]);
        let password = made["generated"][0]["value"].as_str().unwrap();
        let basic = Guest::of(&emulator).basic("user1", password);
        let all = "repository:app:pull,push,delete,metadata_read,metadata_write";
        let bearer = basic.bearer(&[all, "registry:catalog:*"]);
        for ((method, path, body), status) in [
            ("GET", "/v2/app/manifests/v1", ""),
            ("POST", "/v2/app/blobs/uploads/", ""),
            ("DELETE", "/v2/app/manifests/none", ""),
            ("GET", "/v2/app/tags/list", ""),
            ("PATCH", "/acr/v1/app", "{\"listEnabled\":true}"),
            ("GET", "/v2/_catalog", ""),
        ]
        .into_iter()
        .zip(statuses)
        {
            for guest in [&basic, &bearer] {
                let answer = guest.send(method, path, body.as_bytes());
                assert_eq!(answer.status, status, "{map}: {method} {path}");
            }
        }
        // A token to pull lists no tags, whoever has it.
        let pulls = basic.bearer(&["repository:app:pull"]);
        let listed = pulls.get("/v2/app/tags/list");
        assert_eq!(listed.status, 401, "{map}");
        let challenge = listed.header("www-authenticate");
        let scope = ",scope=\"repository:app:metadata_read\",error=\"insufficient_scope\"";
        assert!(challenge.ends_with(scope), "{challenge}");
        emulator.cli(&["registry", "token", "delete", "user1"]);
    }
    let maps = emulator.json(&["registry", "scope-map", "list"]);
    let texts: Vec<_> = maps["scope_maps"]
        .as_array()
        .unwrap()
        .iter()
        .take(5)
        .collect();
    assert_eq!(
        texts[2]["description"],
        "Can perform all read operations on the registry"
    );
    assert_eq!(
        texts[4]["actions"],
        json!([
            "repositories/*/metadata/read",
            "repositories/*/metadata/write",
            "repositories/*/content/read",
            "repositories/*/content/write"
        ])
    );
}

#[test]
fn no_token_is_left_without_its_scope_map() {
    const CONTROL: &str = "/_sealock/v1/registries/sealock";
    let emulator = Emulator::start();
    let client = emulator.client();
    let put = |client: &Client, path: &str, body: &str| {
        let headers = [("content-type", "application/json")];
        client.send(
            "PUT",
            &format!("{CONTROL}/{path}"),
            &headers,
            body.as_bytes(),
        )
    };
    let map = r#"{"actions":["repositories/a/content/read"]}"#;
    // So that whoever looks for a map's tokens takes a while.
    let others = r#"{"scope_map":"_repositories_pull"}"#;
    for other in 0..100 {
        assert_eq!(
            put(&client, &format!("tokens/other{other}"), others).status,
            201
        );
    }
    for round in 0..100 {
        assert_eq!(put(&client, "scope-maps/racer", map).status, 201);
        let (given, deleted) = thread::scope(|scope| {
            let deletion = scope.spawn(|| {
                let path = format!("{CONTROL}/scope-maps/racer");
                emulator.client().send("DELETE", &path, &[], b"").status
            });
            for _ in 0..round % 10 {
                client.get("/_sealock/v1/health");
            }
            let given = put(&client, "tokens/newest", r#"{"scope_map":"racer"}"#).status;
            (given, deletion.join().unwrap())
        });
        assert!(
            matches!((given, deleted), (201, 409) | (404, 204)),
            "round {round}: {given}, {deleted}"
        );
        for path in ["tokens/newest", "scope-maps/racer"] {
            client.send("DELETE", &format!("{CONTROL}/{path}"), &[], b"");
        }
    }
}

#[test]
fn a_scope_map_that_no_record_holds_is_refused() {
    let emulator = Emulator::start();
    let path = "/_sealock/v1/registries/sealock/scope-maps/large";
    let put = |description: &str| {
        let map = json!({"description": description, "actions": []}).to_string();
        let headers = [("content-type", "application/json")];
        let client = emulator.client();
        client.send("PUT", path, &headers, map.as_bytes())
    };
    assert_eq!(put(&"x".repeat(3000)).status, 201);
    // Each is written as six characters.
    for too_large in ["x".repeat(4000), "\u{1}".repeat(600)] {
        let refused = put(&too_large);
        let code = refused.json()["code"].clone();
        assert_eq!((refused.status, code), (400, "ScopeMapTooLarge".into()));
    }
}
