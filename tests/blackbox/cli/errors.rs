use std::{net::TcpListener, path::Path};

use sealock_tests::{Emulator, run};
use serde_json::{Value, json};

use super::{assert_contains, assert_failure};

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn errors_suggest_the_next_step() {
    let emulator = Emulator::start();
    emulator.cli(&["key", "create", "gone"]);
    emulator.cli(&["key", "delete", "gone"]);
    emulator.cli(&["vault", "create", "safe", "--purge-protection"]);
    emulator.cli(&["vault", "delete", "safe"]);
    emulator.cli(&["registry", "create", "plain"]);
    for (command, error, hint) in [
        (
            &["key", "show", "nope"][..],
            "nope was not found in this key vault",
            "sealock key list --vault sealock",
        ),
        (
            &["key", "disable", "nope"],
            "nope was not found",
            "sealock key list",
        ),
        (
            &["key", "rotate", "gone"],
            "gone was not found",
            "sealock key recover gone --vault sealock",
        ),
        (
            &["key", "create", "gone"],
            "currently in a deleted but recoverable state",
            "sealock key recover gone",
        ),
        (
            &["key", "recover"],
            "Deleted Key not found: registry-key",
            "it is not deleted; to purge it, delete it first with: sealock key delete registry-key --vault sealock",
        ),
        (
            &["key", "purge", "nope", "--yes"],
            "A key with (name/id) nope was not found",
            "sealock key list",
        ),
        (
            &[
                "key",
                "disable",
                "--version",
                "00000000000000000000000000000000",
            ],
            "registry-key/00000000000000000000000000000000 was not found",
            "sealock key show registry-key",
        ),
        (
            &["key", "list", "--vault", "nope"],
            "Azure Key Vault 'nope' does not exist",
            "sealock vault list",
        ),
        (
            &["key", "list", "--vault", "safe"],
            "deleted but recoverable",
            "sealock vault recover safe",
        ),
        (
            &["vault", "purge", "safe", "--yes"],
            "'DeletedVaultPurge' is not allowed",
            "sealock vault recover safe",
        ),
        (
            &["vault", "create", "safe"],
            "already exists in deleted state",
            "sealock vault recover safe",
        ),
        (
            &["vault", "create", "sealock"],
            "'sealock' is already in use",
            "sealock vault show sealock",
        ),
        (
            &["vault", "recover"],
            "deleted vault 'sealock' does not exist",
            "it is not deleted; to purge it, delete it first with: sealock vault delete sealock",
        ),
        (
            &["vault", "purge", "nope", "--yes"],
            "deleted vault 'nope' does not exist",
            "sealock vault list",
        ),
        (
            &["access", "grant", "--identity", "nobody"],
            "'nobody' was not found",
            "sealock identity create nobody",
        ),
        (
            &["identity", "delete", "nobody"],
            "'nobody' was not found",
            "sealock identity list",
        ),
        (
            &["inspect", "hello"],
            "the registry sealock has no repository hello",
            "hello:v1",
        ),
    ] {
        let said = assert_failure(&emulator, command, 1);
        assert_contains(&said, &[error, "hint: ", hint], &command.join(" "));
    }
    for (command, error) in [
        (
            &["registry", "show", "nowhere"][..],
            "there is no registry nowhere",
        ),
        (
            &["vault", "network", "update", "--add-ip", "10.0.0.0/8"],
            "'10.0.0.0/8' is private; a vault's firewall takes public addresses only",
        ),
        (
            &["key", "create", "k", "--kty", "EC", "--ops", "sign,wrapKey"],
            r#"Unsupported key operation(s): "wrapKey". Supported values are "sign", "verify""#,
        ),
        (
            &["key", "create", "k", "--ops", "fly"],
            "'fly' is not a key operation; expected one of encrypt, decrypt",
        ),
        (&["key", "restore", "--file", "config.toml"], "config.toml"),
        (
            &["key", "rotation-policy", "update", "--file", "log"],
            "log is not a JSON object",
        ),
        (
            &["audit", "--result", "ok"],
            "'ok' is not a result; expected success, refused or a status such as 403",
        ),
        (
            &["audit", "--identity", "x"],
            "'x' is not a managed identity name; expected 3 to 128",
        ),
        (
            &["audit", "--operation", "Key Unwrap"],
            "'Key Unwrap' is not the name of an operation; expected a name such as KeyUnwrap",
        ),
        (
            &[
                "audit",
                "--since",
                "2026-01-02T00:00:00Z",
                "--until",
                "2026-01-01T00:00:00Z",
            ],
            "the period from 2026-01-02T00:00:00Z to 2026-01-01T00:00:00Z is empty; set since to a time before until",
        ),
        (
            &["key", "create", "k", "--kty", "oct"],
            "Invalid kty value: oct\nhint: use RSA, RSA-HSM, EC, EC-HSM or oct-HSM",
        ),
        (
            &["key", "create", "k", "--kty", "DSA"],
            "'DSA' is not a key type",
        ),
        (
            &["key", "create", "k", "--size", "1024"],
            "Unsupported key size (1024). Supported sizes are [2048, 3072, 4096]",
        ),
        (
            &["key", "create", "k", "--curve", "P-384"],
            "curve P-384 is not valid for RSA keys",
        ),
        (
            &["vault", "create", "kv1", "--retention-days", "6"],
            "retention",
        ),
        (
            &["access", "grant", "--permissions", "everything"],
            "everything",
        ),
        (
            &["registry", "create", "abcde", "--sku", "Gold"],
            "'Gold' is not a SKU of a registry; expected one of Basic, Standard, Premium",
        ),
        (
            &["registry", "rotate-key", "plain"],
            "key rotation is only applicable to registries with CMK enabled",
        ),
        (
            &["registry", "rotate-key", "--key", "k"],
            "Failed to access KeyId 'https://sealock.vault.localhost:",
        ),
        (&["inspect", "A"], "'A' is not a repository name"),
    ] {
        assert_contains(
            &assert_failure(&emulator, command, 1),
            &[error],
            &command.join(" "),
        );
    }
    // Errors that the command line finds without the emulator.
    for (command, error) in [
        (
            &["key", "show", "a_b"][..],
            "'a_b' is not a key name; expected 1 to 127 letters",
        ),
        (
            &["key", "list", "--vault", "A"],
            "'A' is not a vault name; expected 3 to 24",
        ),
        (
            &["key", "disable", "--version", "v1"],
            "'v1' is not a key version name; expected 32",
        ),
        (&["vault", "create", "1ab"], "'1ab' is not a vault name"),
        (
            &["registry", "create", "My-Registry"],
            "'My-Registry' is not a registry name; expected 5 to 50",
        ),
        (&["identity", "create", "-x"], "unexpected argument"),
        (
            &["identity", "create", "x"],
            "'x' is not a managed identity name; expected 3 to 128",
        ),
        (&["key", "explode"], "unrecognized subcommand 'explode'"),
        (&["verify", "--fast"], "unexpected argument '--fast'"),
        (&["vault", "update"], "required arguments were not provided"),
        (&["key", "update"], "required arguments were not provided"),
        (
            &["key", "update", "--expires", "tomorrow"],
            "invalid value 'tomorrow' for '--expires <TIME>'",
        ),
        (
            &["vault", "network", "update", "--bypass", "everybody"],
            "[possible values: azure-services, none]",
        ),
        (
            &["audit", "--vault", "A"],
            "'A' is not a vault name; expected 3 to 24",
        ),
    ] {
        assert_contains(
            &assert_failure(&emulator, command, 2),
            &[error],
            &command.join(" "),
        );
    }
    assert_eq!(
        emulator.json(&["key", "list"])["keys"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        emulator.json(&["vault", "list"])["vaults"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn unreachable_emulator_is_reported_with_a_hint_to_start_one() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let run = |arguments: &[&str], environment: &[(&str, &str)]| {
        run(arguments, Path::new("."), environment)
    };
    for command in [
        &["health"][..],
        &["status", "--json"],
        &["key", "disable"],
        &["audit", "--follow"],
        &["verify"],
    ] {
        for output in [
            run(&[command, &["--emulator", &url]].concat(), &[]),
            run(command, &[("SEALOCK_EMULATOR", &url)]),
        ] {
            assert_eq!(
                (output.code, output.stdout.as_str()),
                (1, ""),
                "{command:?}"
            );
            let message = format!("no emulator answers at {url}");
            let hint = "start one with: sealock serve; or choose another with --emulator http://localhost:PORT";
            if command.contains(&"--json") {
                let problem: Value = serde_json::from_str(&output.stderr).unwrap();
                assert_eq!(problem["detail"], message);
                assert_eq!(
                    problem["hints"],
                    json!([{"action": "advice", "text": hint}])
                );
            } else {
                assert_eq!(output.stderr, format!("error: {message}\nhint: {hint}\n"));
            }
        }
    }
    for bad in [
        "localhost",
        "https://localhost:5000",
        "http://localhost:5000/x",
        "ftp://localhost",
    ] {
        let output = run(&["health", "--emulator", bad], &[]);
        assert_eq!(output.code, 2, "{bad}");
        assert_contains(&output.stderr, &["error: invalid value", "http://"], bad);
    }
    let output = run(&[], &[]);
    assert_eq!(output.code, 2);
    assert_contains(
        &output.stderr,
        &["Usage: sealock", "serve", "Example:"],
        "no command",
    );
}
