//! What the command line says where something has no effect, is wrong, or has to wait.

use sealock_tests::{Emulator, Options};

/// What a command that is refused says.
fn refused(emulator: &Emulator, command: &[&str]) -> String {
    let output = emulator.run(command);
    assert_ne!(output.code, 0, "{command:?}: {output:?}");
    output.stderr
}

#[test]
fn an_access_policy_says_that_roles_decide_while_they_do() {
    let emulator = Emulator::start();
    let note = "note: roles decide in vault sealock";
    let grant = ["access", "grant", "--permissions", "list"];
    assert!(!emulator.cli(&grant).contains("note"));
    emulator.cli(&["vault", "update", "--rbac", "true"]);
    let revoke = ["access", "revoke", "--permissions", "list"];
    for command in [&grant[..], &revoke, &["access", "show"]] {
        let said = emulator.cli(command);
        assert!(said.contains(note), "{command:?}: {said}");
        assert!(said.contains("registry-identity"), "{command:?}: {said}");
    }
    assert_eq!(emulator.json(&grant)["in_effect"], false);
    emulator.cli(&["vault", "update", "--rbac", "false"]);
    assert_eq!(emulator.json(&revoke)["in_effect"], true);
}

#[test]
fn who_meets_a_key_on_its_way_is_told_to_wait() {
    let emulator = Emulator::start_with(Options {
        environment: vec![(
            "SEALOCK_FIDELITY__KEYVAULT_DELETE_DELAY".to_owned(),
            "15s".to_owned(),
        )],
        ..Options::default()
    });
    emulator.cli(&["clock", "freeze"]);
    let says = |command: &[&str], message: &str, hint: &str| {
        let said = refused(&emulator, command);
        assert!(said.contains(message), "{command:?}: {said}");
        let hint = format!("hint: {hint}\n");
        assert!(said.ends_with(&hint), "{command:?}: {said}");
    };
    let wait = "wait for the time of fidelity.keyvault_delete_delay, or advance the clock";
    let recover = "recover it with: sealock key recover registry-key --vault sealock";

    emulator.cli(&["key", "delete"]);
    for command in [["key", "disable"], ["key", "delete"], ["key", "rotate"]] {
        says(
            &command,
            "was not found",
            &format!("{wait}; then {recover}"),
        );
    }
    says(&["key", "create", "registry-key"], "being deleted", wait);
    says(&["key", "recover"], "Key is currently being deleted", wait);
    says(&["key", "purge"], "Key is currently being deleted", wait);

    emulator.cli(&["clock", "advance", "15s"]);
    says(&["key", "disable"], "was not found", recover);
    emulator.cli(&["key", "recover"]);
    says(&["key", "disable"], "was not found", wait);
    says(
        &["key", "recover"],
        "Key is currently being recovered",
        wait,
    );
    says(&["key", "purge"], "Key is currently being recovered", wait);

    emulator.cli(&["clock", "advance", "15s"]);
    emulator.cli(&["key", "disable"]);
}
