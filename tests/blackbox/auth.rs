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
fn enforced_the_registry_serves_nobody_without_a_login() {
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
fn enforced_the_control_api_wants_its_token() {
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
            let hint = answer.json()["error"]["hint"].to_string();
            assert!(hint.contains("SEALOCK_CONTROL_TOKEN_FILE"), "{hint}");
        }
        let answer = client.send(method, path, &[("authorization", &bearer)], b"");
        assert_eq!(answer.status, 200, "{method} {path}");
    }
    // What changes something does not, and what a client needs first is open.
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
fn the_command_line_finds_the_token() {
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
    // Where the quickstart would have put it.
    fs::create_dir(dir.path().join(".sealock")).unwrap();
    fs::copy(&elsewhere, dir.path().join(".sealock/control.token")).unwrap();
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
fn a_token_that_has_no_place_or_is_damaged_is_refused_at_the_start() {
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
}

#[test]
fn the_network_is_served_if_that_was_said_in_so_many_words() {
    let emulator = Emulator::start_with(Options {
        listen: Some("0.0.0.0:0".into()),
        environment: vec![("SEALOCK_SERVER__OPEN_TO_NETWORK".into(), "true".into())],
        ..Options::default()
    });
    let client = Client::new(&format!("http://{}", emulator.address()));
    assert_eq!(client.get("/v2/").status, 200);
}
