use sealock_tests::{Emulator, Image, Options};

/// An emulator with a frozen clock, and a registry that notices changes within an hour, as in Azure.
fn as_in_azure() -> Emulator {
    let emulator = Emulator::start_with(Options {
        environment: vec![("SEALOCK_CMK__PROPAGATION".into(), "azure".into())],
        ..Options::default()
    });
    emulator.cli(&["clock", "freeze"]);
    emulator
}

fn current_version(emulator: &Emulator) -> String {
    let key = emulator.json(&["key", "show"]);
    key["versions"][0]["version"].as_str().unwrap().to_owned()
}

fn uses(emulator: &Emulator, version: &str) -> bool {
    let registry = emulator.json(&["registry", "show"]);
    let kid = &registry["encryption"]["versioned_key_identifier"];
    kid.as_str().unwrap().ends_with(version)
}

#[test]
fn azure_propagation_follows_a_rotated_key_within_an_hour() {
    let emulator = as_in_azure();
    let old = current_version(&emulator);
    let rotated = emulator.cli(&["key", "rotate"]);
    assert!(
        !rotated.contains("warning"),
        "nobody is left behind: {rotated}"
    );
    let new = current_version(&emulator);
    assert!(uses(&emulator, &old));
    emulator.cli(&["clock", "advance", "59m"]);
    assert!(uses(&emulator, &old));
    emulator.cli(&["clock", "advance", "1m"]);
    assert!(uses(&emulator, &new));
}

#[test]
fn clock_moves_freezes_and_survives_a_restart() {
    let mut emulator = Emulator::start();
    emulator.cli(&["clock", "set", "2030-01-01T00:00:00Z"]);
    let now = |emulator: &Emulator| emulator.json(&["clock", "show"])["now"].clone();
    assert!(
        now(&emulator)
            .as_str()
            .unwrap()
            .starts_with("2030-01-01T00:0")
    );
    emulator.cli(&["clock", "freeze"]);
    emulator.cli(&["clock", "set", "2030-01-01T00:00:00Z"]);
    emulator.cli(&["clock", "advance", "1h 30m"]);
    assert_eq!(now(&emulator), "2030-01-01T01:30:00Z");
    emulator.restart();
    assert_eq!(
        now(&emulator),
        "2030-01-01T01:30:00Z",
        "a frozen clock stands across a restart"
    );
    emulator.cli(&["clock", "advance", "-30m"]);
    assert_eq!(now(&emulator), "2030-01-01T01:00:00Z");
    emulator.cli(&["identity", "create", "of-the-future"]);
    let identities = emulator.json(&["identity", "list"]);
    assert_eq!(
        identities["identities"][0]["created"],
        "2030-01-01T01:00:00Z"
    );
    emulator.cli(&["clock", "resume"]);
    let shown = emulator.cli(&["clock", "show"]);
    assert!(
        shown.contains("running") && shown.contains("ahead of the system clock"),
        "{shown}"
    );
    for bad in ["1 fortnight", "", "h"] {
        let refused = emulator.run(&["clock", "advance", bad]);
        assert_eq!(refused.code, 1, "{bad}: {refused:?}");
        assert!(
            refused.stderr.contains("is not a duration"),
            "{bad}: {refused:?}"
        );
    }
    let refused = emulator.run(&["clock", "advance", "9000y"]);
    assert_eq!(refused.code, 1, "{refused:?}");
}

#[test]
fn setting_the_clock_past_a_retention_purges_at_once() {
    let mut emulator = Emulator::start();
    emulator.cli(&["key", "create", "other"]);
    let pending = |emulator: &Emulator| emulator.json(&["status"])["pending_purges"].clone();
    for (key, time) in [
        ("registry-key", "2099-01-01T00:00:00Z"),
        ("other", "2199-01-01T00:00:00Z"),
    ] {
        emulator.cli(&["key", "delete", key]);
        emulator.restart();
        assert_eq!(emulator.json(&["key", "show", key])["state"], "deleted");
        emulator.cli(&["clock", "set", time, "--yes"]);
        assert_eq!(emulator.run(&["key", "show", key]).code, 1, "{key}");
        assert_eq!(pending(&emulator), serde_json::json!([]));
    }
}

#[test]
fn deleted_keys_and_vaults_are_purged_after_their_retention() {
    let emulator = Emulator::start();
    let client = emulator.client();
    assert_eq!(client.push("app", "v1", &Image::random(&[10])).status, 201);
    emulator.cli(&["key", "delete"]);
    let cause =
        || client.get("/v2/app/manifests/v1").json()["errors"][0]["detail"]["cause"].clone();
    emulator.cli(&["clock", "advance", "89d"]);
    assert_eq!(cause(), "KeyDeleted");
    let sealed = || {
        std::fs::read_dir(emulator.data_dir().join("vault-keys"))
            .unwrap()
            .count()
    };
    let before = sealed();
    emulator.cli(&["clock", "advance", "1d", "--yes"]);
    assert_eq!(cause(), "KeyNotFound");
    assert_eq!(
        sealed(),
        before - 2,
        "the private key and what sealed it are gone"
    );
    assert_eq!(emulator.run(&["key", "recover"]).code, 1);
}
