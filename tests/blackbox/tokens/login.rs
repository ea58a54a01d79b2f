use sealock_tests::{Answer, Emulator};
use serde_json::{Value, json};

use super::{Guest, HOST, admin, token};

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn challenge_equals_azures_to_the_byte() {
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
fn admin_user_logs_in_with_either_password_once_enabled() {
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

    // Basic credentials work without a token, with either password.
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
fn localhost_needs_no_credentials_but_checks_those_given() {
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
    // The same as without credentials: all permissions.
    let bearer = guest.bearer(&["repository:app:delete"]);
    assert_eq!(bearer.claims()["access"][0]["actions"], json!(["delete"]));
}

#[test]
fn localhost_challenges_logins_so_that_wrong_passwords_are_noticed() {
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
        // A token request without credentials, such as docker's before a push, grants all permissions.
        let all = "repository:app:pull,push,delete,metadata_read,metadata_write";
        let bearer = guest.bearer(&[all, "registry:catalog:*"]);
        assert_eq!(bearer.claims()["access"].as_array().unwrap().len(), 2);
        assert_eq!(bearer.get("/v2/").status, 200);
        // The OCI conformance suite does the same.
        assert_eq!(guest.basic("", "").token(&[all]).status, 200);
        assert_eq!(guest.basic("", "").get("/v2/").status, 401);
        assert_eq!(bearer.send("POST", "/v2/", b"").status, 405);
        assert_eq!(bearer.get("/v2/_catalog").status, 200);
        let upload = "/v2/app/blobs/uploads/";
        assert_eq!(bearer.send("POST", upload, b"").status, 202);
        // No other path needs a token.
        assert_eq!(guest.send("POST", upload, b"").status, 202);
        assert_eq!(guest.get("/v2/_catalog").status, 200);
        assert_eq!(guest.get("/acr/v1/_catalog").status, 200);
    }

    // A token that was issued without a login is valid only where no login is required.
    let localhost = Guest {
        host: emulator.address().to_owned(),
        ..Guest::of(&emulator)
    };
    let bearer = localhost.bearer(&["repository:app:pull,push", "registry:catalog:*"]);
    let elsewhere = by_name.with(bearer.authorization.as_deref().unwrap());
    for path in ["/v2/", "/v2/_catalog"] {
        assert_eq!(elsewhere.get(path).status, 401, "{path}");
    }
    // An admin's token is valid at both doors.
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
