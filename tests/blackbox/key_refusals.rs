//! The hints of the command line for a key that a registry cannot use.

use sealock_tests::Emulator;

/// Returns the cause in the control API's answer to a refused rotation, and the command line's hint.
fn refused(emulator: &Emulator, key: &str) -> (String, String) {
    let output = emulator.run(&["registry", "rotate-key", "--key", key]);
    assert_eq!(output.code, 1, "{output:?}");
    let (text, hint) = output.stderr.split_once("\nhint: ").expect("a hint");
    assert!(
        text.starts_with("error: Failed to access KeyId 'https://"),
        "{text}"
    );
    let body = format!(r#"{{"key":"{key}"}}"#);
    let path = "/_sealock/v1/registries/sealock/rotate-key";
    let answer = emulator.client().send("POST", path, &[], body.as_bytes());
    assert_eq!(answer.status, 409, "{answer:?}");
    let cause = answer.json()["cause"].as_str().unwrap().to_owned();
    (cause, hint.trim_end().to_owned())
}

/// Returns the version of a key in the vault `sealock`.
fn version(emulator: &Emulator, key: &str) -> String {
    let kid = emulator.json(&["key", "show", key])["kid"].clone();
    let (_, version) = kid.as_str().unwrap().rsplit_once('/').unwrap();
    version.to_owned()
}

#[test]
fn missing_or_unusable_key_is_refused_with_the_cause() {
    let emulator = Emulator::start();
    emulator.cli(&["key", "create", "next"]);
    let version = version(&emulator, "next");
    let named = format!("next --vault sealock --version {version}");
    let says = |key: &str, cause: &str, hint: &str| {
        let (found, said) = refused(&emulator, key);
        assert_eq!((found.as_str(), said.as_str()), (cause, hint), "{key}");
    };
    let change = |command: &[&str]| {
        emulator.cli(command);
    };
    says(
        "nope/k1",
        "VaultNotFound",
        "the vault does not exist; list the vaults, including deleted ones, with: sealock vault list",
    );
    says(
        "sealock/nope",
        "KeyNotFound",
        "the vault has no such key; list the vault's keys, including deleted ones, with: sealock key list --vault sealock; \
         or create it with: sealock key create nope --vault sealock",
    );
    let nought = "0".repeat(32);
    says(
        &format!("sealock/next/{nought}"),
        "KeyVersionNotFound",
        "the key has no such version; see it and its versions with: sealock key show next --vault sealock",
    );
    let (cause, _) = refused(&emulator, &format!("sealock/nope/{nought}"));
    assert_eq!(cause, "KeyNotFound");

    change(&["key", "disable", "next"]);
    let versioned = format!("sealock/next/{version}");
    for key in ["sealock/next", &versioned] {
        let hint =
            format!("the key version is disabled; enable it with: sealock key enable {named}");
        says(key, "KeyDisabled", &hint);
    }
    change(&["key", "enable", "next"]);

    change(&["key", "update", "next", "--ops", "sign,verify"]);
    let hint = format!(
        "the key version does not permit wrapKey and unwrapKey; permit the operation with: sealock key update {named} \
         --ops wrapKey,unwrapKey"
    );
    says("sealock/next", "KeyOperationForbidden", &hint);
    change(&["key", "update", "next", "--ops", "wrapKey,unwrapKey"]);

    let to = |option: &str, time: &str| {
        emulator.cli(&["key", "update", "next", option, time]);
    };
    to("--not-before", "2101-01-01T00:00:00Z");
    let hint = format!(
        "the key version is not valid yet; make it valid earlier with: sealock key update {named} --not-before TIME"
    );
    says("sealock/next", "KeyNotYetValid", &hint);
    to("--not-before", "2001-01-01T00:00:00Z");
    to("--expires", "2002-01-01T00:00:00Z");
    let hint = format!(
        "the key version has expired; postpone its expiry with: sealock key update {named} --expires TIME"
    );
    says("sealock/next", "KeyExpired", &hint);
    to("--expires", "2101-01-01T00:00:00Z");
    emulator.cli(&["registry", "rotate-key", "--key", "sealock/next"]);

    // The registry's current key, which no other key can replace.
    change(&["key", "disable", "next"]);
    let hint = format!("the key version is disabled; enable it with: sealock key enable {named}");
    says("sealock/registry-key", "KeyDisabled", &hint);
    change(&["key", "enable", "next"]);
    change(&["key", "delete", "next"]);
    let hint = "the key is deleted; recover it with: sealock key recover next --vault sealock";
    says("sealock/registry-key", "KeyDeleted", hint);
    change(&["key", "purge", "next", "--yes"]);
    let hint = "the vault has no such key; restore the key with: sealock key restore --vault sealock --file BACKUP, \
                where BACKUP is the backup file of next";
    says("sealock/registry-key", "KeyNotFound", hint);
}

#[test]
fn inaccessible_vault_is_refused_with_the_cause() {
    let emulator = Emulator::start();
    emulator.cli(&["vault", "create", "second"]);
    emulator.cli(&["key", "create", "k1", "--vault", "second"]);
    let says = |cause: &str, hint: &str| {
        let (found, said) = refused(&emulator, "second/k1");
        assert_eq!((found.as_str(), said.as_str()), (cause, hint));
    };
    says(
        "ForbiddenByPolicy",
        "no access policy lets the identity get the key, wrap and unwrap with it; grant it with: \
         sealock access grant --vault second --identity registry-identity",
    );
    emulator.cli(&["vault", "update", "second", "--rbac", "true"]);
    says(
        "ForbiddenByRbac",
        "the identity has no role that permits using the key; assign a role with: sealock role assign --role \
         \"Key Vault Crypto Service Encryption User\" --identity registry-identity --vault second",
    );
    let network = ["vault", "network", "update", "second", "--bypass", "none"];
    emulator.cli(&[&network[..], &["--default-action", "deny"]].concat());
    let bypass = "let trusted Azure services in with: sealock vault network update second --bypass azure-services";
    says(
        "ForbiddenByFirewall",
        &format!("the vault's firewall blocks registries; {bypass}"),
    );
    emulator.cli(&[
        "vault",
        "network",
        "update",
        "second",
        "--public-access",
        "disabled",
    ]);
    says(
        "ForbiddenByConnection",
        &format!("public network access to the vault is disabled; {bypass}"),
    );
    emulator.cli(&["vault", "delete", "second"]);
    says(
        "VaultDeleted",
        "the vault is deleted; recover it with: sealock vault recover second",
    );
}

#[test]
fn new_registry_with_an_unusable_key_is_refused_with_the_cause() {
    let emulator = Emulator::start();
    emulator.cli(&["key", "create", "next"]);
    emulator.cli(&["key", "disable", "next"]);
    let create = ["registry", "create", "locked", "--key", "sealock/next"];
    let create = [&create[..], &["--identity", "registry-identity"]].concat();
    let output = emulator.run(&create);
    assert_eq!(output.code, 1, "{output:?}");
    let version = version(&emulator, "next");
    let hint = format!(
        "\nhint: the key version is disabled; enable it with: sealock key enable next --vault sealock --version {version}\n"
    );
    assert!(output.stderr.ends_with(&hint), "{}", output.stderr);
    emulator.cli(&["key", "enable", "next"]);
    emulator.cli(&create);
}
