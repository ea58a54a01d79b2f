use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use sealock_tests::Emulator;
use serde_json::Value;

#[test]
fn audit_filters_by_every_option() {
    let emulator = Emulator::start();
    emulator.cli(&["vault", "create", "kv1"]);
    emulator.cli(&["key", "create", "k", "--vault", "kv1"]);
    emulator.cli(&["access", "revoke"]);
    assert_eq!(emulator.client().get("/v2/app/manifests/v1").status, 403);
    emulator.cli(&["access", "grant"]);
    let time = emulator.json(&["clock", "advance", "1d"])["now"].clone();
    assert_eq!(emulator.client().get("/v2/app/manifests/v1").status, 404);

    let events = |filter: &[&str]| -> Vec<String> {
        let shown = emulator.cli(&[&["audit", "--json"], filter].concat());
        let name = |line: &str| {
            let event: Value = serde_json::from_str(line).unwrap();
            event["operationName"].as_str().unwrap().to_owned()
        };
        shown.lines().map(name).collect()
    };
    let refused = ["--identity", "registry-identity", "--result", "refused"];
    assert_eq!(events(&refused), ["KeyUnwrap"]);
    assert_eq!(events(&["--result", "403"]), ["KeyUnwrap"]);
    assert_eq!(events(&["--vault", "kv1"]), ["VaultPut", "KeyCreate"]);
    assert_eq!(events(&["--key", "k"]), ["KeyCreate"]);
    let vault_of_another_key = ["--key", "registry-key", "--vault", "kv1"];
    assert!(events(&vault_of_another_key).is_empty());
    let id = emulator.json(&["identity", "list"])["identities"][0]["principal_id"].clone();
    let unwraps = ["--operation", "keyunwrap", "--result", "success"];
    let since = ["--since", time.as_str().unwrap()];
    let by_id = ["--identity", id.as_str().unwrap()];
    assert_eq!(
        events(&[&unwraps[..], &since, &by_id].concat()),
        ["KeyUnwrap"]
    );
    let (all, later) = (events(&[]), events(&since));
    let earlier = events(&["--until", time.as_str().unwrap()]);
    assert_eq!(all, [earlier, later].concat());
}

#[test]
fn audit_follow_prints_each_event_as_it_happens() {
    let emulator = Emulator::start();
    let url = format!("http://{}", emulator.address());
    let mut follow = Command::new(Emulator::binary())
        .args(["audit", "--follow", "--json", "--emulator", &url])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    // Earlier events come first. This event marks their end.
    emulator.cli(&["key", "create", "marker"]);
    let mut next = |name: &str, key: &str| {
        let found = lines
            .by_ref()
            .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
            .find(|event| {
                event["operationName"] == name
                    && event["properties"]["id"].as_str().unwrap().contains(key)
            });
        found.expect("the event")
    };
    next("KeyCreate", "/keys/marker");
    emulator.cli(&["key", "disable"]);
    next("KeyUpdate", "/keys/registry-key");
    assert_eq!(emulator.client().get("/v2/app/manifests/v1").status, 403);
    let refused = next("KeyUnwrap", "/keys/registry-key");
    assert_eq!(refused["properties"]["httpStatusCode"], 403);
    let identity = refused["identity"]["claim"]["xms_mirid"].as_str().unwrap();
    assert!(identity.ends_with("/registry-identity"), "{identity}");
    follow.kill().unwrap();
    follow.wait().unwrap();
    let events: Vec<Value> = emulator
        .cli(&["audit", "--json"])
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        events.contains(&refused),
        "without --follow it is the same journal"
    );
}
