use std::{fs, os::unix::fs::PermissionsExt as _};

use sealock_tests::{Client, Emulator, Image, Options, run};
use tempfile::TempDir;

fn enforced() -> Options {
    Options {
        environment: vec![("SEALOCK_SERVER__AUTH".into(), "enforced".into())],
        ..Options::default()
    }
}

#[test]
fn enforced_registry_refuses_requests_without_a_login() {
    let mut emulator = Emulator::start();
    let image = Image::random(&[1000]);
    assert_eq!(emulator.client().push("app", "v1", &image).status, 201);
    emulator.stop();
    emulator.set_environment(enforced().environment);
    emulator.start_again();
    let client = emulator.client();
    let upload = "/v2/app/blobs/uploads/";
    for (method, path) in [
        ("GET", "/v2/"),
        ("HEAD", "/v2/"),
        ("GET", "/v2/_catalog"),
        ("GET", "/v2/app/tags/list"),
        ("GET", "/v2/app/manifests/v1"),
        ("DELETE", "/v2/app/manifests/v1"),
        ("POST", upload),
        ("GET", "/acr/v1/_catalog"),
    ] {
        for credentials in [&[][..], &[("authorization", "Basic YTpi")]] {
            let answer = client.send(method, path, credentials, b"");
            assert_eq!(answer.status, 401, "{method} {path}");
            assert!(answer.headers.contains_key("www-authenticate"), "{path}");
            if method != "HEAD" {
                assert_eq!(answer.code(), "UNAUTHORIZED", "{method} {path}");
            }
        }
    }
    emulator.stop();
    emulator.set_environment(Vec::new());
    emulator.start_again();
    assert_eq!(emulator.client().pull("app", "v1", &image).status, 200);
}

#[test]
fn enforced_control_api_requires_its_token() {
    let mut emulator = Emulator::start_with(enforced());
    let file = emulator.data_dir().join("control.token");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let token = fs::read_to_string(&file).unwrap();
    let client = emulator.client();
    let bearer = format!("Bearer {token}");
    let other = format!("Bearer {}", "0".repeat(64));
    for (method, path) in [
        ("GET", "/_sealock/v1/status"),
        ("GET", "/_sealock/v1/audit"),
        ("GET", "/_sealock/v1/trust"),
        ("GET", "/_sealock/v1/hosts"),
        ("POST", "/_sealock/v1/verify"),
    ] {
        for shown in ["", "Bearer", "Bearer x", &other, &token, "Basic YTpi"] {
            let answer = client.send(method, path, &[("authorization", shown)], b"");
            assert_eq!(answer.status, 401, "{method} {path} with {shown:?}");
            assert!(answer.header("www-authenticate").starts_with("Bearer"));
            let hint = answer.json()["hints"].to_string();
            assert!(hint.contains("SEALOCK_CONTROL_TOKEN_FILE"), "{hint}");
        }
        let answer = client.send(method, path, &[("authorization", &bearer)], b"");
        assert_eq!(answer.status, 200, "{method} {path}");
    }
    // Requests that change something are refused, and endpoints that a client needs first are open.
    let disable = client.send(
        "PATCH",
        "/_sealock/v1/vaults/sealock/keys/registry-key",
        &[],
        br#"{"enabled":false}"#,
    );
    assert_eq!(disable.status, 401);
    assert!(emulator.cli(&["status"]).contains("available"));
    for path in ["health", "ca.pem", "bundle.pem"] {
        assert_eq!(client.get(&format!("/_sealock/v1/{path}")).status, 200);
    }

    emulator.restart();
    assert_eq!(fs::read_to_string(&file).unwrap(), token, "it stays");
    assert!(!emulator.logged().contains(&token));
}

#[test]
fn command_line_finds_the_token() {
    let dir = TempDir::new().unwrap();
    let elsewhere = dir.path().join("elsewhere");
    let variable = (
        "SEALOCK_CONTROL_TOKEN_FILE",
        elsewhere.to_str().unwrap().to_owned(),
    );
    let mut options = enforced();
    options.ephemeral = true;
    options
        .environment
        .push((variable.0.into(), variable.1.clone()));
    let emulator = Emulator::start_with(options);
    let url = format!("http://{}", emulator.address());
    let status = |environment: &[(&str, &str)]| {
        run(&["status", "--emulator", &url], dir.path(), environment)
    };
    assert_eq!(status(&[(variable.0, &variable.1)]).code, 0);

    let without = status(&[]);
    assert_eq!(without.code, 1);
    assert!(
        without.stderr.contains("hint:") && without.stderr.contains(variable.0),
        "{}",
        without.stderr
    );
    // The quickstart's location, with the CA.
    fs::create_dir_all(dir.path().join(".sealock/tls")).unwrap();
    fs::copy(&elsewhere, dir.path().join(".sealock/control.token")).unwrap();
    let ca = emulator.client().get("/_sealock/v1/ca.pem").body;
    fs::write(dir.path().join(".sealock/tls/ca.pem"), ca).unwrap();
    assert_eq!(status(&[]).code, 0);

    let missing = status(&[(variable.0, "/nowhere")]);
    assert!(missing.stderr.contains("/nowhere"), "{}", missing.stderr);
    let token = fs::read_to_string(&elsewhere).unwrap();
    fs::write(&elsewhere, format!("{token}\u{1}")).unwrap();
    let damaged = status(&[(variable.0, &variable.1)]);
    assert!(damaged.stderr.contains("damaged"), "{}", damaged.stderr);
    assert!(!damaged.stderr.contains(&token));
}

#[test]
fn missing_or_damaged_secret_file_prevents_the_start() {
    let dir = TempDir::new().unwrap();
    let serve = |keep: &[&str], environment: &[(&str, &str)]| {
        let arguments = [&["serve", "--listen", "127.0.0.1:0"], keep].concat();
        let environment = [&[("SEALOCK_SERVER__AUTH", "enforced")], environment].concat();
        run(&arguments, dir.path(), &environment)
    };
    let homeless = serve(&["--ephemeral"], &[]);
    assert_eq!(homeless.code, 1);
    assert!(
        homeless.stderr.contains("hint:") && homeless.stderr.contains("SEALOCK_CONTROL_TOKEN_FILE"),
        "{}",
        homeless.stderr
    );
    let file = dir.path().join("token");
    fs::write(&file, "x").unwrap();
    let path = file.to_str().unwrap();
    let damaged = serve(&["--ephemeral"], &[("SEALOCK_CONTROL_TOKEN_FILE", path)]);
    assert_eq!(damaged.code, 1);
    assert!(damaged.stderr.contains(path), "{}", damaged.stderr);
    let token = dir.path().join("good");
    fs::write(&token, "0".repeat(64)).unwrap();
    let environment = [
        ("SEALOCK_CONTROL_TOKEN_FILE", token.to_str().unwrap()),
        ("SEALOCK_IDENTITY_HEADER_FILE", path),
    ];
    let damaged = serve(&["--ephemeral"], &environment);
    assert_eq!(damaged.code, 1);
    assert!(
        damaged.stderr.contains(path) && damaged.stderr.contains("SEALOCK_IDENTITY_HEADER_FILE"),
        "{}",
        damaged.stderr
    );
}

#[test]
fn network_is_served_only_if_configured_explicitly() {
    let emulator = Emulator::start_with(Options {
        listen: Some("0.0.0.0:0".into()),
        environment: vec![("SEALOCK_SERVER__OPEN_TO_NETWORK".into(), "true".into())],
        ..Options::default()
    });
    let client = Client::new(&format!("http://{}", emulator.address()));
    assert_eq!(client.get("/v2/_catalog").status, 200);
}

const IMDS: &str =
    "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net";
const APP_SERVICE: &str = "/msi/token?api-version=2019-08-01&resource=https://vault.azure.net";

#[test]
fn enforced_instance_metadata_service_refuses_everyone() {
    let emulator = Emulator::start_with(enforced());
    let client = emulator.client();
    let secret = fs::read_to_string(emulator.data_dir().join("identity.header")).unwrap();
    for headers in [
        &[("metadata", "true")][..],
        &[("metadata", "true"), ("x-identity-header", &secret)],
        &[],
    ] {
        let answer = client.send("GET", IMDS, headers, b"");
        assert_eq!(answer.status, 403, "{answer:?}");
        let body = answer.json();
        assert_eq!(body["error"], "access_denied");
        let said = body["error_description"].as_str().unwrap();
        assert!(
            said.contains("enforced") && said.contains("IDENTITY_ENDPOINT"),
            "{said}"
        );
    }
}

#[test]
fn enforced_app_service_endpoint_requires_the_secret_shown_to_the_operator() {
    let mut emulator = Emulator::start_with(enforced());
    let file = emulator.data_dir().join("identity.header");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let secret = fs::read_to_string(&file).unwrap();
    let token = fs::read_to_string(emulator.data_dir().join("control.token")).unwrap();
    assert_ne!(secret, token);
    let client = emulator.client();
    let longer = format!("{secret}0");
    for (shown, status) in [
        ("any", 403),
        ("", 403),
        (&*longer, 403),
        (&secret[1..], 403),
        (&token, 403),
        (&secret, 200),
    ] {
        let headers = [("x-identity-header", shown)];
        let answer = client.send("GET", APP_SERVICE, &headers, b"");
        assert_eq!(answer.status, status, "{shown:?}");
        if status != 200 {
            let body = answer.json();
            assert_eq!(body["statusCode"], status);
            let said = body["message"].as_str().unwrap();
            assert!(said.contains("X-IDENTITY-HEADER"), "{said}");
        }
    }
    let without = client.send("GET", APP_SERVICE, &[("metadata", "true")], b"");
    assert_eq!(without.status, 400, "{without:?}");

    let printed = emulator.cli(&["identity", "endpoint"]);
    let endpoint = format!("http://{}/msi/token", emulator.address());
    assert_eq!(
        printed,
        format!("IDENTITY_ENDPOINT={endpoint}\nIDENTITY_HEADER={secret}\n")
    );
    let path = "/_sealock/v1/identity-header";
    assert_eq!(client.get(path).status, 401, "its owner has the token");

    emulator.restart();
    assert_eq!(fs::read_to_string(&file).unwrap(), secret, "it stays");
    assert!(!emulator.logged().contains(&secret));
}

#[test]
fn friendly_app_service_endpoint_accepts_any_header_and_has_no_secret() {
    let emulator = Emulator::start();
    let printed = emulator.cli(&["identity", "endpoint"]);
    assert!(printed.ends_with("\nIDENTITY_HEADER=any\n"), "{printed}");
    let client = emulator.client();
    for (path, header) in [
        (IMDS, ("metadata", "true")),
        (APP_SERVICE, ("x-identity-header", "any")),
        (APP_SERVICE, ("x-identity-header", "other")),
    ] {
        assert_eq!(client.send("GET", path, &[header], b"").status, 200);
    }
    for name in ["control.token", "identity.header"] {
        assert!(!emulator.data_dir().join(name).exists(), "{name}");
    }
}

#[test]
fn enforced_ephemeral_identity_header_is_in_the_control_api_or_a_named_file() {
    let dir = TempDir::new().unwrap();
    let place = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (token, header) = (place("token"), place("header"));
    let mut options = enforced();
    options.ephemeral = true;
    let variable = ("SEALOCK_CONTROL_TOKEN_FILE".to_owned(), token.clone());
    options.environment.push(variable);
    let shown = |options: Options| {
        let emulator = Emulator::start_with(options);
        let url = format!("http://{}", emulator.address());
        let arguments = ["identity", "endpoint", "--emulator", &url];
        let environment = [("SEALOCK_CONTROL_TOKEN_FILE", &*token)];
        let printed = run(&arguments, dir.path(), &environment).stdout;
        let secret = printed.trim().rsplit_once('=').unwrap().1.to_owned();
        let headers = [("x-identity-header", secret.as_str())];
        let answer = emulator.client().send("GET", APP_SERVICE, &headers, b"");
        assert_eq!(answer.status, 200, "{answer:?}");
        secret
    };
    let first = shown(options.clone());
    assert_ne!(shown(options.clone()), first, "it goes with the process");
    let variable = ("SEALOCK_IDENTITY_HEADER_FILE".to_owned(), header.clone());
    options.environment.push(variable);
    let named = shown(options);
    assert_eq!(fs::read_to_string(&header).unwrap(), named);
    let mode = fs::metadata(&header).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// Starts an emulator that other machines can reach, and returns it with a client at a non-loopback address, or
/// `None` if this machine has no such address.
fn reached_by_others(mut options: Options) -> Option<(Emulator, Client)> {
    let address = std::net::UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        // Sends no packet: this only asks for the address that would be used.
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    });
    let address = address.ok().filter(|address| !address.ip().is_loopback())?;
    options.listen = Some("0.0.0.0:0".into());
    let emulator = Emulator::start_with(options);
    let port = emulator.address().rsplit_once(':').unwrap().1;
    let outside = Client::new(&format!("http://{}:{port}", address.ip()));
    Some((emulator, outside))
}

#[test]
fn control_api_with_its_token_serves_other_machines_in_every_auth_mode() {
    let open = Options {
        environment: vec![("SEALOCK_SERVER__OPEN_TO_NETWORK".into(), "true".into())],
        ..Options::default()
    };
    for (options, is_open) in [(open, true), (enforced(), false)] {
        let Some((emulator, outside)) = reached_by_others(options) else {
            return;
        };
        let file = emulator.data_dir().join("control.token");
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let bearer = format!("Bearer {}", fs::read_to_string(&file).unwrap());
        let other = format!("Bearer {}", "0".repeat(64));
        for (method, path) in [
            ("GET", "/_sealock/v1/status"),
            ("GET", "/_sealock/v1/identity-header"),
            ("POST", "/_sealock/v1/verify"),
        ] {
            let ask = |client: &Client, shown: &str| {
                let headers = [("host", "localhost"), ("authorization", shown)];
                client.send(method, path, &headers, b"")
            };
            for shown in ["", "Bearer", &other, "Basic YTpi"] {
                let refused = ask(&outside, shown);
                assert_eq!(refused.status, 403, "{method} {path} with {shown:?}");
                let hint = refused.json()["hints"].to_string();
                assert!(hint.contains("SEALOCK_CONTROL_TOKEN_FILE"), "{hint}");
                let status = if is_open { 200 } else { 401 };
                assert_eq!(ask(&emulator.client(), shown).status, status);
            }
            assert_eq!(ask(&outside, &bearer).status, 200, "{method} {path}");
        }
    }
}

#[test]
fn control_api_without_a_token_file_refuses_other_machines() {
    let options = Options {
        ephemeral: true,
        environment: vec![("SEALOCK_SERVER__OPEN_TO_NETWORK".into(), "true".into())],
        ..Options::default()
    };
    let Some((emulator, outside)) = reached_by_others(options) else {
        return;
    };
    let path = "/_sealock/v1/status";
    let bearer = format!("Bearer {}", "0".repeat(64));
    for shown in ["", "Bearer ", &bearer] {
        let headers = [("host", "localhost"), ("authorization", shown)];
        assert_eq!(outside.send("GET", path, &headers, b"").status, 403);
    }
    assert_eq!(emulator.client().get(path).status, 200);
}
