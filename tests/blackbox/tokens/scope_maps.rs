use std::thread;

use sealock_tests::{Client, Emulator, Image};
use serde_json::json;

use super::{Guest, token};

#[test]
fn token_permits_exactly_its_scope_map() {
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
        // A request for everything grants what the scope map permits.
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
    // A token for one repository is not valid for another.
    let bearer = reader.bearer(&["repository:hello:pull"]);
    assert_eq!(bearer.get("/v2/hello/manifests/v1").status, 200);
    assert_eq!(bearer.get("/v2/team/a/manifests/v1").status, 401);

    // Unreadable content cannot be mounted, and its existence is not revealed.
    let blob = image.blobs().next().unwrap();
    let digest = sealock_tests::digest_of(blob);
    for (from, status) in [("&from=hello", 201), ("&from=other", 202), ("", 202)] {
        let path = format!("/v2/team/a/blobs/uploads/?mount={digest}{from}");
        assert_eq!(reader.send("POST", &path, b"").status, status, "{from}");
    }
    emulator.verify();

    // The scope map may change, but cannot be deleted while in use.
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
fn each_scope_map_permits_what_azures_does() {
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
        // Listing repositories requires reading the metadata of all of them.
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
        // A pull token lists no tags.
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
fn deleting_a_scope_map_while_a_token_takes_it_leaves_no_token_without_one() {
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
    // Makes the search for a scope map's tokens slow.
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
fn oversized_scope_map_is_refused() {
    let emulator = Emulator::start();
    let path = "/_sealock/v1/registries/sealock/scope-maps/large";
    let put = |description: &str| {
        let map = json!({"description": description, "actions": []}).to_string();
        let headers = [("content-type", "application/json")];
        let client = emulator.client();
        client.send("PUT", path, &headers, map.as_bytes())
    };
    assert_eq!(put(&"x".repeat(3000)).status, 201);
    // Each of these is written as six characters.
    for too_large in ["x".repeat(4000), "\u{1}".repeat(600)] {
        let refused = put(&too_large);
        let code = refused.json()["code"].clone();
        assert_eq!((refused.status, code), (400, "ScopeMapTooLarge".into()));
    }
}
