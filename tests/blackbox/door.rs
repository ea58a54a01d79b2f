use sealock_tests::{Answer, Client, Emulator, Image, Options, digest_of, run};
use serde_json::Value;
use tempfile::TempDir;

use crate::ca::Ca;

const CROSS_SITE: (&str, &str) = ("sec-fetch-site", "cross-site");

/// Requests of every kind that changes something.
fn changes(image: &Image, upload: &str) -> Vec<(&'static str, String, &'static [u8])> {
    let control = "/_sealock/v1";
    vec![
        ("POST", "/v2/app/blobs/uploads/".to_owned(), b""),
        (
            "POST",
            format!("/v2/app/blobs/uploads/?digest={}", digest_of(b"x")),
            b"x",
        ),
        ("PATCH", upload.to_owned(), b"x"),
        ("PUT", format!("{upload}?digest={}", digest_of(b"x")), b"x"),
        ("DELETE", upload.to_owned(), b""),
        (
            "PUT",
            "/v2/app/manifests/v2".to_owned(),
            b"{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[]}",
        ),
        ("DELETE", "/v2/app/manifests/v1".to_owned(), b""),
        (
            "DELETE",
            format!("/v2/app/manifests/{}", image.digest()),
            b"",
        ),
        (
            "DELETE",
            format!("/v2/app/blobs/{}", digest_of(image.blobs().next().unwrap())),
            b"",
        ),
        (
            "PATCH",
            format!("{control}/vaults/sealock/keys/registry-key"),
            b"{\"enabled\":false}",
        ),
        (
            "POST",
            format!("{control}/vaults/sealock/keys/registry-key/rotate"),
            b"",
        ),
        (
            "DELETE",
            format!("{control}/vaults/sealock/keys/registry-key"),
            b"",
        ),
        (
            "POST",
            format!("{control}/vaults/sealock/access/registry-identity/revoke"),
            b"{\"permissions\":[\"unwrapKey\"]}",
        ),
        ("PUT", format!("{control}/vaults/another"), b""),
        ("DELETE", format!("{control}/vaults/sealock"), b""),
        (
            "DELETE",
            format!("{control}/identities/registry-identity"),
            b"",
        ),
        ("PUT", format!("{control}/registries/another"), b""),
        ("POST", format!("{control}/verify"), b""),
    ]
}

fn state(emulator: &Emulator, upload: &str) -> Vec<Value> {
    let client = emulator.client();
    let lists = ["/v2/_catalog", "/v2/app/tags/list"].map(|path| client.get(path).json());
    let shown = ["key", "vault", "registry", "identity"].map(|noun| emulator.json(&[noun, "list"]));
    let received = client.get(upload).header("range").into();
    let access = emulator.json(&["access", "list"]);
    lists
        .into_iter()
        .chain(shown)
        .chain([access, received])
        .collect()
}

#[test]
fn foreign_page_cannot_change_anything() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[1000]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    let begun = client.send("POST", "/v2/app/blobs/uploads/", &[], b"");
    let upload = begun.header("location").to_owned();
    let before = state(&emulator, &upload);

    let port = emulator.address().rsplit_once(':').unwrap().1;
    let other_name = format!("http://localhost:{port}");
    let longer = format!("http://{}.evil.test", emulator.address());
    for (method, path, body) in changes(&image, &upload) {
        for header in [
            ("origin", "http://evil.test"),
            ("origin", "https://evil.test"),
            ("origin", "null"),
            ("origin", ""),
            ("origin", "file://"),
            ("origin", "http://127.0.0.1"),
            ("origin", "http://page.localhost"),
            ("origin", &other_name),
            ("origin", &longer),
            ("sec-fetch-site", "same-site"),
            CROSS_SITE,
        ] {
            let answer = client.send(method, &path, &[header], body);
            let what = format!("{method} {path} with {header:?}");
            assert_eq!(answer.status, 403, "{what}");
            let body = answer.json();
            let refusal = if path.starts_with("/_sealock/") {
                &body
            } else {
                &body["error"]
            };
            assert_eq!(refusal["code"], "Forbidden", "{what}");
        }
    }
    let own = format!("http://{}", emulator.address());
    let both = [("origin", own.as_str()), CROSS_SITE];
    assert_eq!(
        client
            .send("POST", "/v2/app/blobs/uploads/", &both, b"")
            .status,
        403,
        "one of them is enough"
    );

    assert_eq!(state(&emulator, &upload), before);
    assert_eq!(client.pull("app", "v1", &image).status, 200);
    assert_eq!(
        emulator.json(&["status"])["registries"][0]["gate"]["state"],
        "available"
    );
}

#[test]
fn friendly_door_allows_changes_from_its_own_origin_and_reads_from_any() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let own = format!("http://{}", emulator.address());
    let own_tls = format!("https://{}", emulator.address());
    for header in [
        ("origin", own.as_str()),
        ("origin", &own_tls),
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-site", "none"),
        ("referer", "http://evil.test/"),
    ] {
        assert_eq!(
            client
                .send("POST", "/v2/app/blobs/uploads/", &[header], b"")
                .status,
            202,
            "{header:?}"
        );
    }
    for header in [
        ("origin", "http://evil.test"),
        ("origin", "null"),
        CROSS_SITE,
    ] {
        for method in ["GET", "HEAD"] {
            for (path, status) in [("/", 200), ("/v2/", 401), ("/v2/_catalog", 200)] {
                let answer = client.send(method, path, &[header], b"");
                assert_eq!(answer.status, status, "{method} {path} with {header:?}");
                let shared = answer.headers.get("access-control-allow-origin");
                assert_eq!(shared, None, "no page from elsewhere reads the answer");
            }
        }
    }
}

fn at(client: &Client, host: &str, path: &str) -> Answer {
    client.send("GET", path, &[("host", host)], b"")
}

/// Requests to the control API that reveal, cost or change something.
const CONTROL: [(&str, &str); 8] = [
    ("GET", "/_sealock/v1/status"),
    ("GET", "/_sealock/v1/audit"),
    ("GET", "/_sealock/v1/registries/sealock/garbage"),
    ("GET", "/_sealock/v1/health"),
    ("GET", "/_sealock/v1/ca.pem"),
    ("HEAD", "/_sealock/v1/status"),
    ("POST", "/_sealock/v1/verify"),
    (
        "POST",
        "/_sealock/v1/vaults/sealock/keys/registry-key/rotate",
    ),
];

#[test]
fn browsers_reach_the_control_api_only_on_page_localhost() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let port = emulator.address().rsplit_once(':').unwrap().1;
    let page = format!("page.localhost:{port}");
    let page_origin = format!("http://{page}");
    let refused = |host: &str, header: (&str, &str)| {
        for (method, path) in CONTROL {
            let answer = client.send(method, path, &[("host", host), header], b"");
            let what = format!("{method} {path} at {host} with {header:?}");
            assert_eq!(answer.status, 403, "{what}");
            if method != "HEAD" {
                let problem = answer.json();
                assert_eq!(problem["code"], "Forbidden", "{what}");
                let detail = problem["detail"].as_str().unwrap();
                assert!(detail.contains(&page_origin), "{what}: {detail}");
            }
        }
    };
    let served = |host: &str, headers: &[(&str, &str)]| {
        for (method, path) in CONTROL {
            let headers = [&[("host", host)], headers].concat();
            let answer = client.send(method, path, &headers, b"");
            assert_eq!(answer.status, 200, "{method} {path} with {headers:?}");
        }
    };

    let before = emulator.json(&["key", "show"]);
    for host in [
        "localhost",
        "127.0.0.1",
        "[::1]",
        "host.docker.internal",
        "LOCALHOST",
    ] {
        let host = format!("{host}:{port}");
        let own = format!("http://{host}");
        for header in [
            ("origin", own.as_str()),
            ("origin", &page_origin),
            ("origin", "http://localhost:3000"),
            ("origin", "null"),
            ("origin", ""),
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "same-site"),
            CROSS_SITE,
        ] {
            refused(&host, header);
        }
    }
    for header in [
        ("origin", "http://localhost:3000"),
        ("origin", "http://evil.test"),
        ("origin", "http://page.localhost"),
        ("origin", "null"),
        ("sec-fetch-site", "same-site"),
        CROSS_SITE,
    ] {
        refused(&page, header);
    }
    assert_eq!(emulator.json(&["key", "show"]), before);

    for host in ["localhost", "127.0.0.1", &page] {
        served(host, &[]);
        served(host, &[("sec-fetch-site", "none")]);
    }
    served(&page, &[("origin", &page_origin)]);
    served(&page, &[("sec-fetch-site", "same-origin")]);
}

#[test]
fn page_localhost_serves_only_the_control_api() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[1000]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    let tenant = emulator.json(&["identity", "list"])["identities"][0]["tenant_id"].clone();
    let keys = format!("/{}/discovery/keys", tenant.as_str().unwrap());
    let manifest = format!("/v2/app/manifests/{}", image.digest());
    let blob = format!("/v2/app/blobs/{}", digest_of(image.blobs().next().unwrap()));
    for path in [
        "/v2/",
        "/v2/_catalog",
        "/v2/app/manifests/v1",
        &manifest,
        &blob,
        "//v2/",
        "/acr/v1/_catalog",
        "/oauth2/token",
        "/keys",
        "/metadata/identity/oauth2/token",
        "/msi/token",
        &keys,
        "/subscriptions",
        "/other",
    ] {
        assert_eq!(at(&client, "page.localhost", path).status, 404, "{path}");
    }
    let host = [("host", "page.localhost")];
    let begun = client.send("POST", "/v2/app/blobs/uploads/", &host, b"");
    assert_eq!(begun.status, 404);
    let page = at(&client, "page.localhost", "/");
    assert_eq!(page.status, 404);
    assert!(page.header("content-type").starts_with("text/plain"));
    let said = String::from_utf8(page.body).unwrap();
    assert!(said.contains("no page yet"), "{said}");
}

#[test]
fn page_localhost_is_refused_as_alias_and_public_name() {
    let dir = TempDir::new().unwrap();
    for (variable, value) in [
        (
            "SEALOCK_SERVER__ALIASES",
            r#"["x.localhost", "Page.localhost"]"#,
        ),
        ("SEALOCK_SERVER__PUBLIC_NAME", "page.localhost:5000"),
    ] {
        let arguments = ["serve", "--ephemeral", "--listen", "127.0.0.1:0"];
        let refused = run(&arguments, dir.path(), &[(variable, value)]);
        assert_eq!(refused.code, 1, "{refused:?}");
        let said = refused.stderr.to_lowercase();
        assert!(
            said.contains("'page.localhost'") && said.contains("hint:"),
            "{said}"
        );
    }
}

#[test]
fn unknown_host_is_refused_naming_the_setting_that_serves_it() {
    let emulator = Emulator::start();
    let client = emulator.client();
    for host in [
        "evil.test",
        "evil.test:5000",
        "localhost.evil.test",
        "evillocalhost",
        "127.0.0.2",
        "[::2]:5000",
        "x.localhost",
        "azurecr.localhost",
        "registry.test",
    ] {
        for (method, path) in [
            ("GET", "/"),
            ("GET", "/v2/"),
            ("GET", "/_sealock/v1/health"),
            ("POST", "/v2/app/blobs/uploads/"),
            ("DELETE", "/_sealock/v1/vaults/sealock"),
        ] {
            let answer = client.send(method, path, &[("host", host)], b"");
            assert_eq!(answer.status, 421, "{method} {path} at {host}");
            let error = &answer.json()["error"];
            assert_eq!(error["code"], "MisdirectedRequest", "{host}");
            let message = error["message"].as_str().unwrap();
            let name = host.strip_suffix(":5000").unwrap_or(host);
            assert!(
                message.contains(&format!("'{name}'")) && message.contains("server.aliases"),
                "{message}"
            );
        }
    }
    assert_eq!(emulator.json(&["vault", "show"])["state"], "active");
}

#[test]
fn aliases_and_the_public_name_serve_every_service() {
    let dir = TempDir::new().unwrap();
    let emulator = Emulator::start_with(Options {
        arguments: vec!["--public-name".into(), "registry.test:8080".into()],
        environment: vec![
            (
                "SEALOCK_SERVER__ALIASES".into(),
                r#"["alias.test", "Mixed.Case", "buildhost"]"#.into(),
            ),
            // The emulator's own CA may sign for names under localhost only.
            ("SEALOCK_TLS__CA".into(), Ca::new().write(dir.path())),
        ],
        ..Options::default()
    });
    let client = emulator.client();
    for host in [
        "localhost",
        "LOCALHOST:1",
        "127.0.0.1:5000",
        "[::1]:5000",
        "host.docker.internal:5000",
        "registry.test:8080",
        "Registry.Test",
        "alias.test",
        "ALIAS.test:99",
        "buildhost:5000",
        "mixed.case",
        "Mixed.Case:5000",
    ] {
        for path in ["/", "/v2/_catalog", "/_sealock/v1/health"] {
            assert_eq!(at(&client, host, path).status, 200, "{path} at {host}");
        }
        let own = format!("http://{host}");
        let headers = [("host", host), ("origin", own.as_str())];
        assert_eq!(
            client
                .send("POST", "/v2/app/blobs/uploads/", &headers, b"")
                .status,
            202,
            "{host}"
        );
    }
    assert_eq!(at(&client, "other.test", "/v2/").status, 421);

    let registry = emulator.json(&["registry", "show"]);
    assert_eq!(
        registry["login_server"],
        "sealock.azurecr.registry.test:8080"
    );
    assert_eq!(
        registry["encryption"]["key_identifier"],
        "https://sealock.vault.registry.test:8080/keys/registry-key"
    );
    assert_eq!(
        at(&client, "sealock.azurecr.registry.test:8080", "/v2/").status,
        401
    );
}

#[test]
fn replica_is_refused_in_the_registrys_form() {
    let emulator = Emulator::start();
    let client = emulator.client();
    for host in [
        "sealock.eastus.geo.azurecr.localhost",
        "sealock.eastus.data.azurecr.localhost",
    ] {
        for method in ["GET", "POST"] {
            let answer = client.send(method, "/v2/", &[("host", host)], b"");
            assert_eq!(answer.status, 501, "{method} at {host}");
            assert_eq!(answer.header("content-type"), "application/json");
            let error = &answer.json()["errors"][0];
            assert_eq!(error["code"], "UNSUPPORTED");
            let message = error["message"].as_str().unwrap();
            assert!(
                message.contains("does not support replicas"),
                "{host}: {message}"
            );
        }
    }
}
