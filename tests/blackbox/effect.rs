//! The effect of changes on registries, as commands and answers report it.

use sealock_tests::{Emulator, Options};
use serde_json::{Value, json};

/// Checks that the command succeeds and reports exactly this about registries.
fn says(emulator: &Emulator, command: &[&str], of_registries: &[&str]) {
    let said = emulator.cli(command);
    let lines: Vec<_> = said
        .lines()
        .skip(1)
        .filter(|line| line.contains("registry sealock"))
        .collect();
    assert_eq!(lines, of_registries, "{command:?}: {said}");
}

const AVAILABLE: &str = "registry sealock is available";

#[test]
fn change_reports_the_registries_that_it_revokes_or_restores() {
    let emulator = Emulator::start();
    emulator.cli(&["registry", "create", "plain"]);
    for (revoke, cause, restore) in [
        (
            &["key", "disable"][..],
            "KeyDisabled",
            &["key", "enable"][..],
        ),
        (&["key", "delete"], "KeyDeleted", &["key", "recover"]),
        (
            &["key", "update", "--ops", "sign"],
            "KeyOperationForbidden",
            &["key", "update", "--ops", "wrapKey,unwrapKey"],
        ),
        (&["vault", "delete"], "VaultDeleted", &["vault", "recover"]),
        (
            &[
                "vault",
                "network",
                "update",
                "--public-access",
                "disabled",
                "--bypass",
                "none",
            ],
            "ForbiddenByConnection",
            &["vault", "network", "update", "--public-access", "enabled"],
        ),
        (
            &["vault", "update", "--rbac", "true"],
            "ForbiddenByRbac",
            &["vault", "update", "--rbac", "false"],
        ),
        (
            &["access", "revoke", "--permissions", "unwrapKey"],
            "ForbiddenByPolicy",
            &["access", "grant"],
        ),
    ] {
        let revoked = format!("registry sealock is revoked: {cause}");
        says(&emulator, revoke, &[&revoked]);
        // The registry is already revoked, and stays revoked.
        says(&emulator, &["identity", "create", "another"], &[]);
        says(&emulator, restore, &[AVAILABLE]);
    }
    says(
        &emulator,
        &["identity", "delete"],
        &["registry sealock is revoked: IdentityNotFound"],
    );
}

#[test]
fn answer_contains_the_effect_beside_the_changed_resource() {
    let emulator = Emulator::start();
    let disabled = emulator.json(&["key", "disable"]);
    assert_eq!(disabled["name"], "registry-key");
    assert_eq!(
        disabled["effect"],
        json!({
            "revoked": [{"registry": "sealock", "cause": "KeyDisabled", "from": null}],
            "restored": [], "behind": [], "is_complete": true
        })
    );
    let enabled = emulator.json(&["key", "enable"]);
    assert_eq!(enabled["effect"]["restored"], json!(["sealock"]));
    let nothing = emulator.json(&["key", "enable"]);
    assert_eq!(
        nothing["effect"],
        json!({"revoked": [], "restored": [], "behind": [], "is_complete": true})
    );
}

#[test]
fn role_change_reports_the_registries_that_need_it() {
    let emulator = Emulator::start();
    emulator.cli(&["vault", "update", "--rbac", "true"]);
    let role = "Key Vault Crypto Service Encryption User";
    let of = |verb| ["role", verb, "--role", role, "--vault", "sealock"];
    says(&emulator, &of("assign"), &[AVAILABLE]);
    says(
        &emulator,
        &of("remove"),
        &["registry sealock is revoked: ForbiddenByRbac"],
    );
}

#[test]
fn restored_key_restores_its_registry() {
    let emulator = Emulator::start();
    let file = emulator.data_dir().join("backup");
    let file = file.to_str().unwrap();
    emulator.cli(&["key", "backup", "--file", file]);
    emulator.cli(&["key", "delete"]);
    let revoked = "registry sealock is revoked: KeyNotFound; without a backup of the key, its content is lost";
    says(&emulator, &["key", "purge", "--yes"], &[revoked]);
    says(&emulator, &["key", "restore", "--file", file], &[AVAILABLE]);
}

/// Returns the emulator's time plus `hours`.
fn clock_after(emulator: &Emulator, hours: i64) -> String {
    let now = emulator.json(&["clock", "show"])["now"].clone();
    let now: jiff::Timestamp = now.as_str().unwrap().parse().unwrap();
    (now + jiff::SignedDuration::from_hours(hours)).to_string()
}

#[test]
fn registry_with_a_cached_key_reports_when_it_will_be_revoked() {
    let emulator = Emulator::start_with(Options {
        environment: vec![("SEALOCK_CMK__PROPAGATION".to_owned(), "azure".to_owned())],
        ..Options::default()
    });
    emulator.cli(&["clock", "freeze"]);
    let gate = || emulator.json(&["registry", "show"])["gate"].clone();
    // The hour starts here.
    emulator.cli(&["clock", "advance", "1h"]);
    assert_eq!(
        gate(),
        json!({"state": "available", "pending_revocation": null})
    );
    let audited = emulator.cli(&["audit"]).lines().count();
    let at = clock_after(&emulator, 1);

    let will_be = format!("registry sealock will be revoked at {at}: KeyDisabled");
    says(&emulator, &["key", "disable"], &[&will_be]);
    assert_eq!(gate()["state"], "available");
    assert_eq!(gate()["pending_revocation"]["at"], at.as_str());
    assert_eq!(gate()["pending_revocation"]["cause"], "KeyDisabled");
    let status = emulator.cli(&["status"]);
    let until =
        format!("sealock  available until {at}: KeyDisabled\n  restore      sealock key enable");
    assert!(status.starts_with(&until), "{status}");
    let uses = emulator.cli(&["audit"]).lines().count() - audited;
    assert_eq!(
        uses,
        1,
        "a look at the state uses no key: {}",
        emulator.cli(&["audit"])
    );

    says(
        &emulator,
        &["clock", "advance", "1h"],
        &["registry sealock is revoked: KeyDisabled"],
    );
    assert_eq!(gate()["state"], "revoked");
}

#[test]
fn registry_that_cannot_follow_its_key_reports_cause_and_time() {
    let mut emulator = Emulator::start();
    emulator.cli(&["clock", "freeze"]);
    let behind =
        |emulator: &Emulator| emulator.json(&["registry", "show"])["encryption"]["behind"].clone();
    assert_eq!(behind(&emulator), Value::Null);
    let warning = "warning: registry sealock cannot follow its key: ForbiddenByPolicy; \
                   grant it with: sealock access grant --vault sealock --identity registry-identity";
    says(
        &emulator,
        &["access", "revoke", "--permissions", "get"],
        &[warning],
    );
    let since = clock_after(&emulator, 0);
    assert_eq!(behind(&emulator)["cause"], "ForbiddenByPolicy");
    assert_eq!(behind(&emulator)["since"], since.as_str());

    emulator.cli(&["clock", "advance", "1h"]);
    says(&emulator, &["key", "rotate"], &[warning]);
    emulator.restart();
    for command in [&["status"][..], &["registry", "show"]] {
        let shown = emulator.cli(command);
        for part in [
            "sealock  available\n".to_owned(),
            format!("cannot follow its key: ForbiddenByPolicy since {since}\n"),
            "sealock access grant --vault sealock --identity registry-identity\n".to_owned(),
        ] {
            assert!(shown.contains(&part), "{command:?}: {shown}");
        }
    }
    let old =
        emulator.json(&["registry", "show"])["encryption"]["versioned_key_identifier"].clone();
    emulator.cli(&["access", "grant"]);
    let encryption = emulator.json(&["registry", "show"])["encryption"].clone();
    assert_eq!(encryption["behind"], Value::Null);
    assert_ne!(encryption["versioned_key_identifier"], old);
}

#[test]
fn registry_is_behind_if_the_newest_key_version_is_disabled() {
    let emulator = Emulator::start();
    emulator.cli(&["access", "revoke", "--permissions", "get"]);
    emulator.cli(&["key", "rotate"]);
    emulator.cli(&["key", "disable"]);
    emulator.cli(&["access", "grant"]);
    let encryption = emulator.json(&["registry", "show"])["encryption"].clone();
    assert_eq!(encryption["behind"]["cause"], "KeyDisabled");
    let newest = emulator.json(&["key", "show"])["versions"][0]["version"].clone();
    assert_eq!(encryption["behind"]["remedy"]["version"], newest);
    emulator.cli(&["key", "enable"]);
    let encryption = emulator.json(&["registry", "show"])["encryption"].clone();
    assert_eq!(encryption["behind"], Value::Null);
}

#[test]
fn clock_step_reports_the_rotations_and_purges_that_it_caused() {
    let emulator = Emulator::start();
    emulator.cli(&["clock", "freeze"]);
    let policy = emulator.data_dir().join("policy.json");
    let rotate = r#"{"lifetimeActions": [{"trigger": {"timeAfterCreate": "P15D"}, "action": {"type": "Rotate"}}]}"#;
    std::fs::write(&policy, rotate).unwrap();
    let policy = policy.to_str().unwrap();
    emulator.cli(&["key", "rotation-policy", "update", "--file", policy]);
    let advanced = emulator.json(&["clock", "advance", "20d"]);
    let current = emulator.json(&["key", "show"])["kid"].clone();
    assert_eq!(advanced["rotated"], json!([current]));
    assert_eq!(advanced["purged"], json!([]));
    let said = emulator.cli(&["clock", "advance", "20d"]);
    let current = emulator.json(&["key", "show"])["kid"].clone();
    assert!(
        said.contains(&format!("rotated to {}", current.as_str().unwrap())),
        "{said}"
    );
}

#[test]
fn clock_step_that_purges_requires_confirmation() {
    let emulator = Emulator::start();
    emulator.cli(&["clock", "freeze"]);
    emulator.cli(&["vault", "create", "kv1", "--retention-days", "7"]);
    emulator.cli(&["key", "create", "k1", "--vault", "kv1"]);
    emulator.cli(&["key", "delete", "k1", "--vault", "kv1"]);
    emulator.cli(&["vault", "create", "kv2", "--retention-days", "8"]);
    emulator.cli(&["vault", "delete", "kv2"]);
    emulator.cli(&["key", "delete"]);
    let before = emulator.json(&["clock", "show"]);
    emulator.cli(&["clock", "advance", "6d"]);
    emulator.cli(&["clock", "advance", "-6d"]);

    for (step, named) in [
        ("7d", "key kv1/k1"),
        ("8d", "key kv1/k1, vault kv2 with its keys"),
        (
            "90d",
            "key kv1/k1, vault kv2 with its keys, key sealock/registry-key",
        ),
    ] {
        let refused = emulator.run(&["clock", "advance", step]);
        assert_eq!(refused.code, 1, "{refused:?}");
        assert_eq!(
            refused.stderr,
            format!(
                "error: the retention of {named} would end, and the purge that follows cannot be undone\n\
                 hint: to confirm, add --yes\n"
            )
        );
    }
    let set = ["clock", "set", "2100-01-01"];
    assert_eq!(emulator.run(&set).code, 1);
    assert_eq!(
        emulator.json(&["clock", "show"]),
        before,
        "nothing has changed"
    );
    emulator.cli(&["key", "recover"]);

    let said = emulator.cli(&["clock", "advance", "8d", "--yes"]);
    assert!(
        said.ends_with("purged key k1 of vault kv1\npurged vault kv2\n"),
        "{said}"
    );
    assert_eq!(emulator.json(&["key", "list", "kv1"])["keys"], json!([]));
    // A step that purges nothing needs no confirmation.
    emulator.cli(&["clock", "set", "2100-01-01"]);
}

#[test]
fn restore_that_is_insufficient_reports_the_remaining_cause() {
    let emulator = Emulator::start();
    emulator.cli(&["key", "delete"]);
    emulator.cli(&["access", "revoke"]);
    // The permission is judged first, so recovering the key changes nothing.
    says(&emulator, &["key", "recover"], &[]);
    emulator.cli(&["key", "delete"]);
    says(
        &emulator,
        &["access", "grant"],
        &["registry sealock is revoked: KeyDeleted"],
    );
    says(&emulator, &["key", "recover"], &[AVAILABLE]);
}

#[test]
fn rotation_that_restores_a_registry_reports_it() {
    let emulator = Emulator::start();
    emulator.cli(&["identity", "create", "another"]);
    emulator.cli(&["access", "grant", "--identity", "another"]);
    emulator.cli(&["identity", "delete"]);
    let rotate = ["registry", "rotate-key", "--identity", "another"];
    says(&emulator, &rotate, &[AVAILABLE]);
}

#[test]
fn cached_hour_restarts_if_the_clock_moves_back_before_it() {
    let emulator = Emulator::start_with(Options {
        environment: vec![("SEALOCK_CMK__PROPAGATION".to_owned(), "azure".to_owned())],
        ..Options::default()
    });
    emulator.cli(&["clock", "freeze"]);
    for _ in 0..2 {
        emulator.cli(&["registry", "show"]);
        emulator.cli(&["key", "disable"]);
        says(
            &emulator,
            &["clock", "advance", "1h"],
            &["registry sealock is revoked: KeyDisabled"],
        );
        says(&emulator, &["key", "enable"], &[AVAILABLE]);
        emulator.cli(&["clock", "advance", "-1h"]);
    }
}
