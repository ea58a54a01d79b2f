use sealock_tests::Emulator;

use super::assert_contains;

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn registry_creation_follows_azures_rules() {
    let emulator = Emulator::start();
    let cli = |command: &[&str]| drop(emulator.cli(command));
    cli(&["registry", "create", "plain"]);
    cli(&["key", "create", "off"]);
    cli(&["key", "disable", "off"]);
    cli(&["key", "create", "gone"]);
    cli(&["key", "delete", "gone"]);
    cli(&["key", "create", "other"]);
    cli(&["identity", "create", "other-identity"]);
    cli(&["access", "grant", "--identity", "other-identity"]);
    for (identity, permissions) in [
        ("no-get", "wrapKey,unwrapKey"),
        ("no-wrap", "get,unwrapKey"),
        ("no-unwrap", "get,wrapKey"),
        ("nothing", "list"),
    ] {
        cli(&["identity", "create", identity]);
        cli(&[
            "access",
            "grant",
            "--identity",
            identity,
            "--permissions",
            permissions,
        ]);
    }
    let before = emulator.json(&["registry", "list"]);

    let port = emulator.address().rsplit_once(':').unwrap().1;
    let clients = emulator.json(&["identity", "list"]);
    let client_id = |name: &str| {
        let mut identities = clients["identities"].as_array().unwrap().iter();
        let identity = identities
            .find(|identity| identity["name"] == name)
            .unwrap();
        identity["client_id"].as_str().unwrap().to_owned()
    };
    // Azure's own text.
    let inaccessible = |path: &str, identity: &str, cause: &str| {
        let (kid, identity) = (
            format!("https://{path}").replace("PORT", port),
            client_id(identity),
        );
        vec![
            format!("Failed to access KeyId '{kid}"),
            format!(
                "Verify that identity '{identity}' has 'Get, Wrap Key, Unwrap Key' permission on key '{kid}"
            ),
            "For more information on bring your own key, please visit 'https://aka.ms/acr/cmk'"
                .to_owned(),
            format!("hint: {cause}; "),
        ]
    };
    let no_policy = "no access policy lets the identity get the key, wrap and unwrap with it";
    let says = |text: &str| vec![text.to_owned()];
    let incomplete = || {
        says(
            "Invalid encryption key vault property specified for registry newone. Property Identity and KeyIdentifier \
             must be set when encryption is enabled.",
        )
    };
    let (key, identity) = ("sealock/registry-key", "registry-identity");
    let of_vault = "sealock.vault.localhost:PORT/keys";
    for (name, sku, key, identity, expected) in [
        (
            "newone",
            "Basic",
            Some(key),
            Some(identity),
            says("Encryption is not supported for the SKU Basic of the registry newone"),
        ),
        (
            "newone",
            "Standard",
            Some(key),
            Some(identity),
            says("Encryption is not supported for the SKU Standard"),
        ),
        ("newone", "Premium", Some(key), None, incomplete()),
        ("newone", "Premium", None, Some(identity), incomplete()),
        (
            "newone",
            "Premium",
            Some(key),
            Some("system"),
            says("The system-assigned identity cannot be used to create the registry newone"),
        ),
        (
            "newone",
            "Premium",
            Some(key),
            Some("nobody"),
            says("The managed identity 'nobody' was not found"),
        ),
        (
            "newone",
            "Premium",
            Some("k"),
            Some(identity),
            says("Failed to access KeyId 'https://sealock.vault.localhost:"),
        ),
        (
            "newone",
            "Premium",
            Some("sealock/nope"),
            Some(identity),
            inaccessible(
                &format!("{of_vault}/nope"),
                identity,
                "the vault has no such key",
            ),
        ),
        (
            "newone",
            "Premium",
            Some("novault/nope"),
            Some(identity),
            inaccessible(
                "novault.vault.localhost:PORT/keys/nope",
                identity,
                "the vault does not exist",
            ),
        ),
        (
            "newone",
            "Premium",
            Some("sealock/registry-key/00000000000000000000000000000000"),
            Some(identity),
            inaccessible(
                &format!("{of_vault}/registry-key/00000000000000000000000000000000"),
                identity,
                "the key has no such version",
            ),
        ),
        (
            "newone",
            "Premium",
            Some("sealock/off"),
            Some(identity),
            inaccessible(
                &format!("{of_vault}/off"),
                identity,
                "the key version is disabled",
            ),
        ),
        (
            "newone",
            "Premium",
            Some("sealock/gone"),
            Some(identity),
            inaccessible(&format!("{of_vault}/gone"), identity, "the key is deleted"),
        ),
        (
            "newone",
            "Premium",
            Some(key),
            Some("no-get"),
            inaccessible(&format!("{of_vault}/registry-key"), "no-get", no_policy),
        ),
        (
            "newone",
            "Premium",
            Some(key),
            Some("no-wrap"),
            inaccessible(&format!("{of_vault}/registry-key"), "no-wrap", no_policy),
        ),
        (
            "newone",
            "Premium",
            Some(key),
            Some("no-unwrap"),
            inaccessible(&format!("{of_vault}/registry-key"), "no-unwrap", no_policy),
        ),
        (
            "newone",
            "Premium",
            Some(key),
            Some("nothing"),
            inaccessible(&format!("{of_vault}/registry-key"), "nothing", no_policy),
        ),
        (
            "plain",
            "Premium",
            Some(key),
            Some(identity),
            says("Encryption cannot be enabled for the existing registry plain"),
        ),
        (
            "sealock",
            "Premium",
            None,
            None,
            says("Encryption cannot be disabled for the registry sealock"),
        ),
        (
            "sealock",
            "Standard",
            Some(key),
            Some(identity),
            says("The registry sealock cannot be changed to the SKU Standard"),
        ),
        (
            "sealock",
            "Basic",
            Some(key),
            Some(identity),
            says("The registry sealock cannot be changed to the SKU Basic"),
        ),
        (
            "sealock",
            "Premium",
            Some("sealock/other"),
            Some(identity),
            says("change it with: sealock registry rotate-key sealock"),
        ),
        (
            "sealock",
            "Premium",
            Some(key),
            Some("other-identity"),
            says("change it with: sealock registry rotate-key sealock"),
        ),
    ] {
        let mut command = vec!["registry", "create", name, "--sku", sku];
        command.extend(key.into_iter().flat_map(|key| ["--key", key]));
        command.extend(
            identity
                .into_iter()
                .flat_map(|identity| ["--identity", identity]),
        );
        let output = emulator.run(&command);
        let what = command.join(" ");
        assert_eq!(
            (output.code, output.stdout.as_str()),
            (1, ""),
            "{what}: {}",
            output.stderr
        );
        for text in expected {
            assert_contains(&output.stderr, &["error: ", &text], &what);
        }
        assert_eq!(
            emulator.json(&["registry", "list"]),
            before,
            "{what} changes nothing"
        );
    }
    // A repetition with the same settings is accepted.
    cli(&[
        "registry",
        "create",
        "sealock",
        "--key",
        key,
        "--identity",
        identity,
    ]);
    cli(&["registry", "create", "plain"]);
    assert_eq!(emulator.json(&["registry", "list"]), before);
}
