//! The notes and hints of the command line for changes without effect, invalid input and operations that must wait.

use sealock_tests::{Emulator, Image, Options};

use crate::exchange::role_assignments;

/// Returns the standard error of a refused command.
fn refused(emulator: &Emulator, command: &[&str]) -> String {
    let output = emulator.run(command);
    assert_ne!(output.code, 0, "{command:?}: {output:?}");
    output.stderr
}

#[test]
fn access_policy_notes_that_it_has_no_effect_under_rbac() {
    let emulator = Emulator::start();
    let note = "note: vault sealock authorizes by roles";
    let grant = ["access", "grant", "--permissions", "list"];
    assert!(!emulator.cli(&grant).contains("note"));
    emulator.cli(&["vault", "update", "--rbac", "true"]);
    let revoke = ["access", "revoke", "--permissions", "list"];
    for command in [&grant[..], &revoke, &["access", "list"]] {
        let said = emulator.cli(command);
        assert!(said.contains(note), "{command:?}: {said}");
        assert!(said.contains("registry-identity"), "{command:?}: {said}");
    }
    assert_eq!(emulator.json(&grant)["in_effect"], false);
    emulator.cli(&["vault", "update", "--rbac", "false"]);
    assert_eq!(emulator.json(&revoke)["in_effect"], true);
}

#[test]
fn vault_role_notes_that_it_has_no_effect_under_access_policies() {
    let emulator = Emulator::start();
    let role = ["role", "assign", "--role", "Key Vault Crypto User"];
    assert_eq!(
        refused(&emulator, &role),
        "error: the role Key Vault Crypto User is for vaults and permits nothing in a registry\n\
         hint: assign it in a vault with: sealock role assign --role \"Key Vault Crypto User\" \
         --identity registry-identity --vault NAME\n"
    );
    let in_vault = [&role[..], &["--vault", "sealock"]].concat();
    let said = emulator.cli(&in_vault);
    let note = "/vaults/sealock\nnote: vault sealock authorizes by access policies, so roles have no effect on its keys; \
                switch to roles with: sealock vault update sealock --rbac true\n";
    assert!(said.ends_with(note), "{said}");
    assert_eq!(emulator.json(&in_vault)["in_effect"], false);
    emulator.cli(&["vault", "update", "sealock", "--rbac", "true"]);
    assert!(!emulator.cli(&in_vault).contains("note"));
    assert_eq!(role_assignments(&emulator)[0]["in_effect"], true);
    for vault in ["nope", "sealock"] {
        let mut command = in_vault.clone();
        command[5] = vault;
        let output = emulator.run(&command);
        assert_eq!(output.code == 0, vault == "sealock", "{output:?}");
    }
    let remove = ["role", "remove", "--role", "Key Vault Crypto User"];
    emulator.cli(&[&remove[..], &["--vault", "sealock"]].concat());
    assert_eq!(role_assignments(&emulator), serde_json::json!([]));
    let both = [&in_vault[..], &["--registry", "sealock"]].concat();
    assert!(refused(&emulator, &both).contains("cannot be used with"));
}

#[test]
fn key_being_deleted_or_recovered_is_refused_with_a_hint_to_wait() {
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
    let wait = "wait until fidelity.keyvault_delete_delay has passed, or advance the clock";
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
    says(
        &["key", "purge", "--yes"],
        "Key is currently being deleted",
        wait,
    );

    emulator.cli(&["clock", "advance", "15s"]);
    says(&["key", "disable"], "was not found", recover);
    emulator.cli(&["key", "recover"]);
    says(&["key", "disable"], "was not found", wait);
    says(
        &["key", "recover"],
        "Key is currently being recovered",
        wait,
    );
    says(
        &["key", "purge", "--yes"],
        "Key is currently being recovered",
        wait,
    );

    emulator.cli(&["clock", "advance", "15s"]);
    emulator.cli(&["key", "disable"]);
}

#[test]
fn invalid_value_is_refused_without_unrelated_advice() {
    let emulator = Emulator::start();
    emulator.cli(&["vault", "network", "update", "--add-ip", "203.0.113.7"]);
    for (command, said) in [
        (
            &["vault", "network", "update", "--add-ip", "x"][..],
            "'x' is not an IPv4 address or range; expected one such as 203.0.113.7 or 203.0.113.0/24",
        ),
        (
            &["vault", "network", "update", "--add-ip", "10.1.0.0/16"],
            "'10.1.0.0/16' is private; a vault's firewall takes public addresses only",
        ),
        (
            &["vault", "network", "update", "--add-ip", "0.0.0.0/0"],
            "'0.0.0.0/0' contains private addresses; a vault's firewall takes public addresses only",
        ),
        (
            &["vault", "network", "update", "--add-ip", "172.0.0.0/8"],
            "'172.0.0.0/8' contains private addresses; a vault's firewall takes public addresses only",
        ),
        (
            &[
                "vault",
                "network",
                "update",
                "--add-ip",
                "203.0.113.9",
                "--remove-ip",
                "203.0.113.9",
            ],
            "The rule '203.0.113.9/32' cannot be both added and removed",
        ),
        (
            &["vault", "network", "update", "--remove-ip", "203.0.113.8"],
            "The vault's firewall has no rule '203.0.113.8/32'",
        ),
        (
            &["vault", "create", "kv1", "--retention-days", "70000"],
            "The soft delete retention of 70000 days is not valid; it can be 7 to 90 days",
        ),
        (
            &["key", "create", "k", "--kty", "DSA"],
            "'DSA' is not a key type; expected one of RSA, RSA-HSM, EC, EC-HSM, oct, oct-HSM",
        ),
        (
            &["key", "update", "--ops", "wrap"],
            "'wrap' is not a key operation; expected one of \
             encrypt, decrypt, sign, verify, wrapKey, unwrapKey, import, export",
        ),
    ] {
        assert_eq!(
            refused(&emulator, command),
            format!("error: {said}\n"),
            "{command:?}"
        );
    }
    let said = refused(
        &emulator,
        &["access", "grant", "--permissions", "list, wrap"],
    );
    assert!(
        said.starts_with("error: 'wrap' is not a key permission; expected one of all, get, "),
        "{said}"
    );
    let kept = emulator.json(&["vault", "show"]);
    assert_eq!(kept["ip_rules"], serde_json::json!(["203.0.113.7/32"]));
}

#[test]
fn blanks_between_list_values_are_accepted() {
    let emulator = Emulator::start();
    let granted = emulator.json(&["access", "grant", "--permissions", "list, create"]);
    assert_eq!(granted["permissions"].as_array().map(Vec::len), Some(5));
    let made = emulator.json(&["key", "create", "k", "--ops", "sign, verify"]);
    assert_eq!(
        made["versions"][0]["key_ops"],
        serde_json::json!(["sign", "verify"])
    );
}

#[test]
fn key_outside_its_validity_is_not_reported_as_a_vault_failure() {
    let emulator = Emulator::start();
    for (key, time) in [("old", "--expires"), ("young", "--not-before")] {
        emulator.cli(&["key", "create", key]);
        let year = if key == "old" { "2001" } else { "2101" };
        emulator.cli(&[
            "key",
            "update",
            key,
            time,
            &format!("{year}-01-01T00:00:00Z"),
        ]);
        let key = format!("sealock/{key}");
        let create = [
            "registry",
            "create",
            "locked",
            "--identity",
            "registry-identity",
        ];
        let said = refused(&emulator, &[&create[..], &["--key", &key]].concat());
        assert!(said.contains("Failed to access KeyId"), "{said}");
    }
    let expire = ["key", "update", "--expires", "2001-01-01T00:00:00Z"];
    emulator.cli(&expire);
    assert_eq!(
        emulator.json(&["status"])["registries"][0]["gate"]["state"],
        "available"
    );
    assert!(
        !emulator.logged().contains("the vault failed"),
        "{}",
        emulator.logged()
    );
}

#[test]
fn dates_are_accepted_and_invalid_times_are_refused_with_an_example() {
    let emulator = Emulator::start();
    for command in [
        &["clock", "set", "tomorrow"][..],
        &["audit", "--since", "tomorrow"],
        &["key", "update", "--expires", "never"],
        &["key", "update", "--expires", "2030-01-01T12:00:00"],
    ] {
        let said = refused(&emulator, command);
        let expected = "expected a time such as 2030-01-01T00:00:00Z, or a date";
        assert!(said.contains(expected), "{said}");
    }
    let key = emulator.json(&["key", "update", "--expires", "2030-01-02"]);
    assert_eq!(key["versions"][0]["expires"], "2030-01-02T00:00:00Z");
    emulator.cli(&["clock", "freeze"]);
    let set = emulator.json(&["clock", "set", "2029-12-31"]);
    assert_eq!(set["now"], "2029-12-31T00:00:00Z");
}

#[test]
fn audit_prints_a_table_with_a_heading() {
    let emulator = Emulator::start();
    emulator.cli(&["key", "rotate"]);
    let said = emulator.cli(&["audit"]);
    let mut lines = said.lines();
    let heading = lines.next().unwrap();
    assert_eq!(
        heading.split_whitespace().collect::<Vec<_>>(),
        ["TIME", "OPERATION", "HTTP", "IDENTITY", "KEY"]
    );
    let key = heading.find("KEY").unwrap();
    for line in lines {
        let (before, at) = (&line[key - 2..key], &line[key..=key]);
        assert!(before == "  " && at != " ", "{said}");
    }
}

#[test]
fn inspect_accepts_the_name_that_docker_prints() {
    let emulator = Emulator::start();
    let image = Image::random(&[100]);
    assert_eq!(emulator.client().push("a/b", "v1", &image).status, 201);
    let port = emulator.address().rsplit_once(':').unwrap().1;
    for host in [
        String::new(),
        format!("localhost:{port}/"),
        format!("127.0.0.1:{port}/"),
        format!("sealock.azurecr.localhost:{port}/"),
    ] {
        let shown = emulator.json(&["inspect", &format!("{host}a/b:v1")]);
        assert_eq!(shown["repository"], "a/b", "{host}");
    }
    for other in ["localhost:1/a/b:v1", "plain.azurecr.localhost:1/a/b:v1"] {
        assert!(refused(&emulator, &["inspect", other]).contains("is not a repository name"));
    }
}

#[test]
fn values_in_azures_case_and_names_as_arguments_are_accepted() {
    let emulator = Emulator::start();
    let network = |option: &str, value: &str| {
        emulator.json(&["vault", "network", "update", option, value])["network"].clone()
    };
    assert_eq!(network("--bypass", "None")["bypass"], "None");
    assert_eq!(
        network("--bypass", "AzureServices")["bypass"],
        "AzureServices"
    );
    assert_eq!(
        network("--default-action", "Deny")["default_action"],
        "Deny"
    );
    assert_eq!(
        network("--public-access", "Disabled")["public_network_access"],
        false
    );

    emulator.cli(&["vault", "create", "kv1", "--sku", "Standard"]);
    emulator.cli(&["key", "create", "k1", "--vault", "kv1"]);
    assert_eq!(
        emulator.json(&["key", "list", "kv1"])["keys"][0]["name"],
        "k1"
    );
    for command in [["access", "list", "kv1"], ["access", "list", "kv1"]] {
        assert_eq!(emulator.json(&command)["policies"], serde_json::json!([]));
    }
    let both = ["key", "list", "kv1", "--vault", "kv1"];
    assert!(refused(&emulator, &both).contains("cannot be used with"));
}

#[test]
fn permission_all_is_shown_without_the_others() {
    let emulator = Emulator::start();
    let grant = ["access", "grant", "--permissions", "all"];
    assert_eq!(
        emulator.cli(&grant),
        "registry-identity now has all in vault sealock\n"
    );
    assert!(emulator.cli(&["access", "list"]).ends_with("  all\n"));
}

#[test]
fn removing_host_lines_twice_reports_that_there_were_none() {
    let emulator = Emulator::start();
    let file = ["--file", "hosts"];
    std::fs::write(emulator.data_dir().with_file_name("hosts"), "").unwrap();
    emulator.cli(&[&["hosts", "--write"], &file[..]].concat());
    let remove = [&["hosts", "--remove"], &file[..]].concat();
    assert_eq!(emulator.cli(&remove), "removed the lines from hosts\n");
    assert_eq!(
        emulator.cli(&remove),
        "there were no lines to remove from hosts\n"
    );
}

#[test]
fn backup_that_cannot_be_written_is_reported_with_its_file() {
    let emulator = Emulator::start();
    let said = refused(&emulator, &["key", "backup", "--file", "/nonexistent/x"]);
    assert_eq!(
        said,
        "error: failed to open file `/nonexistent/x`: No such file or directory (os error 2)\n"
    );
}

#[test]
fn new_version_reports_the_remedy_for_registries_left_behind() {
    let emulator = Emulator::start();
    let warning = "warning: registry sealock cannot follow its key: ";
    emulator.cli(&["key", "disable"]);
    let key = emulator.json(&["key", "show"]);
    let version = key["versions"][0]["version"].as_str().unwrap();
    let said = emulator.cli(&["key", "rotate"]);
    let next = format!(
        "{warning}KeyDisabled; enable it with: sealock key enable registry-key --vault sealock --version {version}\n"
    );
    assert!(said.ends_with(&next), "{said}");

    emulator.cli(&["key", "delete"]);
    emulator.cli(&["key", "purge", "--yes"]);
    let said = emulator.cli(&["key", "create", "registry-key"]);
    let next = format!(
        "{warning}KeyNotFound; restore the key with: sealock key restore --vault sealock --file BACKUP, \
         where BACKUP is the backup file of registry-key\n"
    );
    assert!(said.ends_with(&next), "{said}");
}
