//! The log names registries by their names, which users know, and never by their ids.

use sealock_tests::{Emulator, eventually};

/// Returns the new line of the log with this message.
fn line(emulator: &Emulator, before: &str, message: &str) -> String {
    let mut found = None;
    eventually(message, || {
        let logged = emulator.logged();
        let mut lines = logged[before.len()..].lines();
        found = lines.find(|line| line.contains(message)).map(str::to_owned);
        found.is_some()
    });
    found.unwrap()
}

#[test]
fn log_names_the_registry_in_every_state_of_its_key() {
    let mut emulator = Emulator::start();
    let create = [
        "registry",
        "create",
        "second",
        "--key",
        "sealock/registry-key",
    ];
    emulator.cli(&[&create[..], &["--identity", "registry-identity"]].concat());
    let registries = emulator.json(&["registry", "list"])["registries"].clone();
    let ids = registries.as_array().unwrap().iter();
    let ids = ids.map(|registry| registry["id"].as_str().unwrap().to_owned());
    let ids: Vec<_> = ids.collect();
    assert_eq!(ids.len(), 2);

    let says = |emulator: &Emulator, commands: &[&[&str]], message: &str, rest: &str| {
        let before = emulator.logged();
        for command in commands {
            emulator.cli(command);
        }
        for name in ["sealock", "second"] {
            let named = format!("{message} registry={name}{rest}");
            line(emulator, &before, &named);
        }
    };
    let rotated = "the registry's key was rotated";
    says(&emulator, &[&["key", "rotate"]], rotated, " kid=sealock/");
    let status: &[&str] = &["status"];
    let revoked = "the registry is revoked";
    let disable = &["key", "disable"][..];
    says(
        &emulator,
        &[disable, status],
        revoked,
        " cause=KeyDisabled ",
    );
    emulator.restart();
    let enable = &["key", "enable"][..];
    says(
        &emulator,
        &[enable, status],
        "the registry is available again",
        "",
    );
    let get = ["access", "revoke", "--permissions", "wrapKey"];
    let commands = [&get[..], &["key", "rotate"]];
    let left_behind = "the registry cannot follow its key";
    says(
        &emulator,
        &commands,
        left_behind,
        " cause=ForbiddenByPolicy",
    );
    let logged = emulator.logged();
    for id in &ids {
        assert!(!logged.contains(id), "{id}:\n{logged}");
    }
}
