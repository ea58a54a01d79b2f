//! What the command line says where something has no effect, is wrong, or has to wait.

use sealock_tests::Emulator;

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
