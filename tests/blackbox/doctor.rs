//! The checkup of a registry's customer-managed key, and its remedies.

use std::process::Command;

use sealock_tests::{Emulator, Options};
use serde_json::{Value, json};

/// A registry that follows every practice.
const SOUND: &str = r#"
[[identities]]
name = "registry-identity"

[[vaults]]
name = "kv1"
purge_protection = true

[[vaults.keys]]
name = "k1"

[[vaults.access]]
identity = "registry-identity"
permissions = ["get", "wrapKey", "unwrapKey"]

[[registries]]
name = "sealock"
sku = "Premium"
key = "kv1/k1"
identity = "registry-identity"
"#;

/// The vault's opposite of every practice.
const BAD: &str = r#"
[[identities]]
name = "registry-identity"

[[vaults]]
name = "kv1"
location = "italynorth"
soft_delete_retention_days = 7

[[vaults.keys]]
name = "k1"

[[vaults.access]]
identity = "registry-identity"
permissions = ["all"]

[[registries]]
name = "plain"
sku = "Basic"
"#;

fn start(config: &str) -> Emulator {
    let emulator = Emulator::start_with(Options {
        config: Some(config.to_owned()),
        ..Options::default()
    });
    emulator.cli(&["clock", "freeze"]);
    emulator
}

/// Starts a registry that follows every practice.
fn start_sound() -> Emulator {
    let emulator = start(SOUND);
    rotate_by_policy(&emulator);
    assert_sound(&emulator);
    emulator
}

fn rotate_by_policy(emulator: &Emulator) {
    let check = check(emulator, "RotationPolicy");
    follow(emulator, &remedies(emulator, &check)[0]);
}

/// Returns the checkup, and whether the exit code says that it is sound.
fn checkup(emulator: &Emulator) -> (Value, bool) {
    let output = emulator.run(&["doctor", "--json"]);
    assert!([0, 3].contains(&output.code), "{output:?}");
    let checkup: Value = serde_json::from_str(&output.stdout).unwrap();
    let is_sound = output.code == 0;
    assert_eq!(checkup["sound"], is_sound);
    (checkup, is_sound)
}

fn assert_sound(emulator: &Emulator) {
    let (checkup, is_sound) = checkup(emulator);
    assert!(is_sound, "{checkup:#}");
}

fn check(emulator: &Emulator, practice: &str) -> Value {
    let (checkup, _) = checkup(emulator);
    let mut checks = checkup["checks"].as_array().unwrap().iter();
    checks
        .find(|check| check["practice"] == practice)
        .unwrap()
        .clone()
}

/// Returns the practices of the checks with this outcome.
fn with_outcome(checkup: &Value, outcome: &str) -> Vec<String> {
    let checks = checkup["checks"].as_array().unwrap().iter();
    checks
        .filter(|check| check["outcome"] == outcome)
        .map(|check| check["practice"].as_str().unwrap().to_owned())
        .collect()
}

/// Returns the printed remedies of a check.
fn remedies(emulator: &Emulator, check: &Value) -> Vec<String> {
    let printed = emulator.run(&["doctor"]).stdout;
    let heading = format!(
        "{}  {}\n",
        check["outcome"].as_str().unwrap(),
        check["practice"].as_str().unwrap()
    );
    let (_, rest) = printed.split_once(&heading).unwrap();
    let record = rest.split("\n\n").next().unwrap();
    assert!(
        record.contains(check["reason"].as_str().unwrap()),
        "{record}"
    );
    assert!(
        record.contains(check["source"].as_str().unwrap()),
        "{record}"
    );
    let lines = record.lines().map(str::trim);
    let remedies = lines.filter_map(|line| line.strip_prefix("remedy "));
    remedies.map(|remedy| remedy.trim().to_owned()).collect()
}

/// Runs a remedy as it is printed, in a shell. `NAME` is a vault or an identity to choose.
fn follow(emulator: &Emulator, remedy: &str) {
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", Emulator::binary().parent().unwrap().display());
    let remedy = remedy
        .replace("identity assign NAME", "identity assign other-identity")
        .replace("NAME", "kv-new");
    let output = Command::new("sh")
        .args(["-c", &remedy])
        .env("PATH", path)
        .env("SEALOCK_EMULATOR", format!("http://{}", emulator.address()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{remedy}: {output:?}");
}

/// Follows the remedies of the first check that needs attention until there is none. Returns the checks in this order.
fn follow_all(emulator: &Emulator) -> Vec<String> {
    let mut followed = Vec::new();
    loop {
        let (checkup, is_sound) = checkup(emulator);
        if is_sound {
            return followed;
        }
        let mut checks = checkup["checks"].as_array().unwrap().iter();
        let needs_attention = |check: &&Value| {
            ["problem", "advice"]
                .iter()
                .any(|it| check["outcome"] == *it)
        };
        let check = checks.find(needs_attention).unwrap();
        let practice = check["practice"].as_str().unwrap().to_owned();
        assert!(!followed.contains(&practice), "{practice} again: {check:#}");
        let remedies = remedies(emulator, check);
        assert!(!remedies.is_empty(), "{check:#}");
        for remedy in remedies {
            follow(emulator, &remedy);
        }
        followed.push(practice);
    }
}

#[test]
fn sound_registry_passes_every_check_but_the_unjudged() {
    let emulator = start_sound();
    let (checkup, _) = checkup(&emulator);
    assert_eq!(checkup["registry"], "sealock");
    assert_eq!(with_outcome(&checkup, "unjudged"), ["GeoReplication"]);
    assert_eq!(with_outcome(&checkup, "pass").len(), 13);
    for check in checkup["checks"].as_array().unwrap() {
        let source = check["source"].as_str().unwrap();
        assert!(
            source.starts_with("https://learn.microsoft.com/"),
            "{source}"
        );
        assert_eq!(check["remedies"], json!([]), "{check}");
    }
    let printed = emulator.cli(&["doctor"]);
    let title = "sealock  0 problems, 0 advice, 13 passed, 1 unjudged\n";
    assert!(printed.starts_with(title), "{printed}");
}

/// Starts a registry that is pinned to an old key version, which expires in a week.
fn start_bad(config: &str) -> Emulator {
    let emulator = start(config);
    let pinned = current(&emulator);
    let create = ["registry", "create", "sealock", "--key", &pinned];
    emulator.cli(&[&create[..], &["--identity", "registry-identity"]].concat());
    emulator.cli(&["clock", "advance", "731d"]);
    expire_in_days(&emulator, 7);
    emulator.cli(&["vault", "network", "update", "kv1", "--bypass", "none"]);
    emulator
}

/// Lets the current version of the key expire.
fn expire_in_days(emulator: &Emulator, days: i64) {
    let now = emulator.json(&["clock", "show"])["now"].clone();
    let now: jiff::Timestamp = now.as_str().unwrap().parse().unwrap();
    let expires = now + jiff::SignedDuration::from_hours(24 * days);
    let update = ["key", "update", "k1", "--vault", "kv1", "--expires"];
    emulator.cli(&[&update[..], &[&expires.to_string()]].concat());
}

/// Returns the current version of the key as a reference.
fn current(emulator: &Emulator) -> String {
    let key = emulator.json(&["key", "show", "k1", "--vault", "kv1"]);
    let mut versions = key["versions"].as_array().unwrap().iter();
    let current = versions.find(|version| version["current"] == true).unwrap();
    format!("kv1/k1/{}", current["version"].as_str().unwrap())
}

#[test]
fn bad_registry_is_sound_once_it_moves_to_a_new_vault() {
    let emulator = start_bad(BAD);
    let (found, _) = checkup(&emulator);
    assert_eq!(with_outcome(&found, "problem"), ["PurgeProtection"]);
    let advice = [
        "SecondRegion",
        "SoftDeleteRetention",
        "LeastPrivilege",
        "TrustedServices",
        "RotationPolicy",
        "KeyExpiry",
        "RecentRotation",
        "UnversionedKey",
    ];
    assert_eq!(with_outcome(&found, "advice"), advice);

    // A new vault remedies most of it at once.
    assert_eq!(follow_all(&emulator), ["SecondRegion", "RotationPolicy"]);
}

#[test]
fn each_remedy_within_a_vault_makes_its_check_pass() {
    let replicated = BAD.replace("italynorth", "eastus").replace("= 7", "= 90");
    let emulator = start_bad(&replicated);
    // The rotation of an expiring key moves the registry to the new version, too.
    assert_eq!(
        follow_all(&emulator),
        [
            "LeastPrivilege",
            "TrustedServices",
            "PurgeProtection",
            "RotationPolicy",
            "KeyExpiry"
        ]
    );
    let policy = emulator.json(&["access", "list", "--vault", "kv1"]);
    let permissions = json!(["get", "unwrapKey", "wrapKey"]);
    let mut held = policy["policies"][0]["permissions"]
        .as_array()
        .unwrap()
        .clone();
    held.sort_by_key(ToString::to_string);
    assert_eq!(json!(held), permissions);
}

#[test]
fn each_cause_of_a_revocation_is_a_problem_with_its_remedy() {
    for (cause, practices) in [
        (
            "access revoke --vault kv1 --permissions unwrapKey",
            &["KeyAccess", "NeededPermissions"][..],
        ),
        ("key disable k1 --vault kv1", &["KeyAccess"]),
        ("key delete k1 --vault kv1", &["KeyAccess"]),
        (
            "vault network update kv1 --default-action deny --bypass none",
            &["KeyAccess", "TrustedServices"],
        ),
        (
            "vault update kv1 --rbac true",
            &["KeyAccess", "NeededPermissions"],
        ),
        ("vault delete kv1", &["KeyAccess"]),
        (
            "registry identity remove registry-identity",
            &["KeyAccess", "AssignedIdentity"],
        ),
    ] {
        let emulator = start_sound();
        emulator.cli(&cause.split(' ').collect::<Vec<_>>());
        let (found, _) = checkup(&emulator);
        assert_eq!(with_outcome(&found, "problem"), practices, "{cause}");
        let followed = follow_all(&emulator);
        assert_eq!(followed, ["KeyAccess"], "{cause}");
    }
}

#[test]
fn deleted_identity_is_a_problem_that_another_identity_remedies() {
    let emulator = start_sound();
    emulator.cli(&["identity", "delete", "registry-identity"]);
    let (found, _) = checkup(&emulator);
    assert_eq!(
        with_outcome(&found, "problem"),
        ["KeyAccess", "AssignedIdentity"]
    );
    assert_eq!(
        with_outcome(&found, "unjudged"),
        ["NeededPermissions", "LeastPrivilege", "GeoReplication"]
    );
    emulator.cli(&["identity", "create", "other-identity"]);
    let grant = ["access", "grant", "--vault", "kv1", "--identity"];
    emulator.cli(&[&grant[..], &["other-identity"]].concat());
    assert_eq!(follow_all(&emulator), ["KeyAccess"]);
}

#[test]
fn role_with_more_than_a_registry_needs_is_advised_against() {
    let emulator = start_sound();
    let roles = [
        "Key Vault Crypto Officer",
        "Key Vault Crypto Service Encryption User",
    ];
    for role in roles {
        let scope = "/subscriptions/00000000-0000-0000-0000-000000000000";
        let identity = ["--identity", "registry-identity"];
        let assign = ["role", "assign", "--role", role, "--scope", scope];
        emulator.cli(&[&assign[..], &identity].concat());
    }
    // Roles have no effect while access policies decide.
    assert_sound(&emulator);
    emulator.cli(&["vault", "update", "kv1", "--rbac", "true"]);
    let found = check(&emulator, "LeastPrivilege");
    assert_eq!(found["outcome"], "advice");
    for role in roles {
        assert!(found["reason"].as_str().unwrap().contains(role), "{found}");
    }
    assert_eq!(follow_all(&emulator), ["LeastPrivilege"]);
    let needed = check(&emulator, "NeededPermissions");
    let source = needed["reason"].as_str().unwrap();
    assert!(
        source.contains(roles[1]) && source.ends_with("/vaults/kv1"),
        "{source}"
    );
}

#[test]
fn failed_over_vault_is_advised_to_fail_back() {
    let emulator = start_sound();
    emulator.cli(&["vault", "update", "kv1", "--failed-over", "true"]);
    let (found, _) = checkup(&emulator);
    assert_eq!(with_outcome(&found, "advice"), ["SecondRegion"]);
    assert_eq!(follow_all(&emulator), ["SecondRegion"]);
}

#[test]
fn expired_key_is_a_problem_and_one_that_its_policy_replaces_is_none() {
    let emulator = start_sound();
    expire_in_days(&emulator, 31);
    assert_sound(&emulator);
    expire_in_days(&emulator, 29);
    assert_eq!(check(&emulator, "KeyExpiry")["outcome"], "advice");
    emulator.cli(&["clock", "advance", "29d"]);
    assert_eq!(check(&emulator, "KeyExpiry")["outcome"], "problem");
    assert_eq!(follow_all(&emulator), ["KeyExpiry"]);

    // The policy rotates the key after 18 months.
    emulator.cli(&["clock", "advance", "540d"]);
    expire_in_days(&emulator, 29);
    assert_sound(&emulator);
}

#[test]
fn pinned_and_old_versions_are_advised_against() {
    let emulator = start_sound();
    emulator.cli(&["registry", "rotate-key", "--key", &current(&emulator)]);
    let (found, _) = checkup(&emulator);
    assert_eq!(with_outcome(&found, "advice"), ["UnversionedKey"]);
    emulator.cli(&["clock", "advance", "731d"]);
    let (found, _) = checkup(&emulator);
    let advice = ["RecentRotation", "UnversionedKey"];
    assert_eq!(with_outcome(&found, "advice"), advice);
    assert_eq!(follow_all(&emulator), ["RecentRotation"]);

    emulator.cli(&["registry", "rotate-key", "--key", &current(&emulator)]);
    assert_eq!(follow_all(&emulator), ["UnversionedKey"]);
}

#[test]
fn registry_without_a_customer_managed_key_has_nothing_to_check() {
    let emulator = start(BAD);
    let output = emulator.run(&["doctor", "plain"]);
    assert_eq!(output.code, 1);
    assert_eq!(
        output.stderr,
        "error: the registry plain has no customer-managed key, so there is nothing to check\n\
         hint: a registry gets its customer-managed key when it is created\n"
    );
    let refused = emulator
        .client()
        .send("GET", "/_sealock/v1/registries/plain/checkup", &[], b"");
    assert_eq!(refused.status, 409);
    assert_eq!(refused.json()["code"], "NotEncrypted");
    assert_eq!(emulator.run(&["doctor", "nosuch"]).code, 1);
}
