//! The reset and the public name of an emulator that runs.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use sealock_tests::{Client, Emulator, Image, Options};
use serde_json::{Value, json};

fn ephemeral() -> Emulator {
    Emulator::start_with(Options {
        ephemeral: true,
        ..Options::default()
    })
}

fn control(client: &Client, method: &str, path: &str, body: &Value) -> sealock_tests::Answer {
    let headers = [("content-type", "application/json")];
    let path = format!("/_sealock/v1{path}");
    client.send(method, &path, &headers, body.to_string().as_bytes())
}

/// Returns what `status` says, without what differs from moment to moment.
fn state(emulator: &Emulator) -> [Value; 4] {
    [
        emulator.json(&["registry", "list"]),
        emulator.json(&["key", "list"]),
        emulator.json(&["identity", "list"]),
        emulator.json(&["vault", "list"]),
    ]
}

#[test]
fn reset_restores_the_state_after_the_start() {
    let emulator = ephemeral();
    let client = emulator.client();
    let before = state(&emulator);
    for _ in 0..2 {
        let image = Image::random(&[10_000]);
        assert_eq!(client.push("app", "v1", &image).status, 201);
        emulator.cli(&["registry", "create", "another"]);
        emulator.cli(&["identity", "delete"]);
        emulator.cli(&["key", "delete"]);
        emulator.cli(&["key", "purge", "--yes"]);
        emulator.cli(&["clock", "advance", "48h", "--yes"]);
        assert_eq!(client.get("/v2/app/manifests/v1").status, 403);

        emulator.cli(&["reset", "--yes"]);
        assert_eq!(state(&emulator), before);
        assert_eq!(client.get("/v2/app/manifests/v1").status, 404);
        assert_eq!(emulator.json(&["clock", "show"])["ahead_seconds"], 0);
        assert_eq!(client.push("app", "v1", &image).status, 201);
        assert_eq!(client.pull("app", "v1", &image).status, 200);
        emulator.cli(&["reset", "--yes"]);
    }
    emulator.verify();
}

#[test]
fn reset_of_a_data_directory_is_refused_and_changes_nothing() {
    let emulator = Emulator::start();
    emulator.cli(&["identity", "create", "mine"]);
    let unconfirmed = emulator.run(&["reset"]);
    assert!(unconfirmed.stderr.contains("add --yes"), "{unconfirmed:?}");
    let refused = emulator.run(&["reset", "--yes"]);
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("start it with --ephemeral"),
        "{refused:?}"
    );
    emulator.cli(&["identity", "show", "mine"]);
}

#[test]
fn public_name_changes_every_url_while_the_emulator_runs() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[10_000]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    let renamed = control(
        &client,
        "PUT",
        "/public-name",
        &json!({"public_name": "localhost:32768"}),
    );
    assert_eq!(
        (renamed.status, renamed.json()),
        (200, json!({"public_name": "localhost:32768"}))
    );
    let registry = emulator.json(&["registry", "show"]);
    assert_eq!(registry["login_server"], "sealock.azurecr.localhost:32768");
    assert_eq!(
        registry["encryption"]["key_identifier"],
        "https://sealock.vault.localhost:32768/keys/registry-key"
    );
    assert_eq!(client.pull("app", "v1", &image).status, 200);

    for (name, code) in [
        ("", "BadRequest"),
        ("Host:1:2", "BadRequest"),
        ("evil.test:5000", "HostNotServed"),
    ] {
        let body = json!({"public_name": name});
        let refused = control(&client, "PUT", "/public-name", &body);
        assert_eq!(
            (refused.status, &refused.json()["code"]),
            (400, &code.into())
        );
    }
    assert_eq!(emulator.json(&["registry", "show"]), registry);
}

#[test]
fn every_answer_bears_the_version_and_an_id_that_the_log_has() {
    let emulator = Emulator::start();
    let client = emulator.client();
    for (host, path) in [
        ("localhost", "/"),
        ("localhost", "/v2/"),
        ("localhost", "/v2/none/manifests/v1"),
        ("localhost", "/nothing"),
        ("localhost", "/keys"),
        ("localhost", "/_sealock/v1/status"),
        ("evil.test", "/"),
        ("sealock.azurecr.localhost", "/v2/"),
        ("sealock.vault.localhost", "/keys"),
        ("management.localhost", "/subscriptions"),
        ("login.localhost", "/none"),
        ("graph.localhost", "/v1.0/me"),
    ] {
        let answer = client.send("GET", path, &[("host", host)], b"");
        assert_eq!(answer.header("x-sealock"), env!("CARGO_PKG_VERSION"));
        let ids = ["x-ms-request-id", "x-ms-correlation-request-id"];
        let ids: Vec<_> = ids
            .iter()
            .filter_map(|name| answer.headers.get(*name)?.to_str().ok())
            .collect();
        assert!(!ids.is_empty(), "{host}{path}");
        let log = emulator.logged();
        assert!(
            ids.iter().any(|id| log.contains(id)),
            "{host}{path}: {ids:?}"
        );
    }
}

#[test]
fn successful_health_checks_leave_the_log_to_other_requests() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let health = client.send("GET", "/_sealock/v1/health", &[], b"");
    assert_eq!(health.status, 200);
    client.send("GET", "/nothing", &[], b"");

    let log = emulator.logged();
    assert!(log.contains("path=/nothing"), "{log}");
    assert!(!log.contains("path=/_sealock/v1/health"), "{log}");
}

#[test]
fn last_line_of_the_banner_says_that_the_emulator_is_ready() {
    let mut process = Command::new(Emulator::binary())
        .args(["serve", "--ephemeral", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let output = BufReader::new(process.stdout.take().unwrap());
    let found = output
        .lines()
        .any(|line| line.unwrap() == "Sealock is ready");
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(found);
}
