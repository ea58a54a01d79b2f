//! Errors for unknown images, unusable data directories and inapplicable configurations: the mistake, its place and
//! the remedy.

use std::{fs, path::Path};

use sealock_tests::{Emulator, Image, Options, Output, run};
use tempfile::TempDir;

/// The hint for an image of an unknown repository.
const PUSHED: &str = "name a pushed image, such as hello:v1";

/// Starts an emulator that should be refused. If it starts, it ends by itself, because it cannot write its ready
/// file.
fn serve(dir: &Path, arguments: &[&str]) -> Output {
    let serve = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--ready-file",
        "nowhere/ready",
    ];
    run(&[&serve[..], arguments].concat(), dir, &[])
}

/// Checks that a command fails with exactly this error and hint.
fn refused(output: &Output, error: &str, hint: &str) {
    assert_eq!(output.code, 1, "{output:?}");
    let mut said = output
        .stderr
        .lines()
        .filter(|line| !line.contains(" INFO "));
    assert_eq!(said.next(), Some(&*format!("error: {error}")), "{output:?}");
    assert_eq!(said.next(), Some(&*format!("hint: {hint}")), "{output:?}");
}

#[test]
fn unknown_image_is_refused_naming_the_missing_part() {
    let emulator = Emulator::start();
    let image = Image::random(&[10]);
    let pushed = emulator.client().push("app", "v1", &image);
    assert_eq!(pushed.status, 201);
    let digest = format!("sha256:{}", "0".repeat(64));
    let of_digest = format!("app@{digest}");
    let no_manifest =
        format!("the repository app in the registry sealock has no manifest {digest}");
    for (name, code, error, hint) in [
        (
            "nope",
            "NAME_UNKNOWN",
            "the registry sealock has no repository nope",
            PUSHED,
        ),
        (
            "nope:v1",
            "NAME_UNKNOWN",
            "the registry sealock has no repository nope",
            PUSHED,
        ),
        (
            "app",
            "MANIFEST_UNKNOWN",
            "the repository app in the registry sealock has no tag latest",
            "name another tag or a digest",
        ),
        (
            &of_digest,
            "MANIFEST_UNKNOWN",
            &no_manifest,
            "name a tag or another digest",
        ),
    ] {
        refused(&emulator.run(&["inspect", name]), error, hint);
        let path = format!("/_sealock/v1/registries/sealock/inspect?name={name}");
        let answer = emulator.client().get(&path);
        assert_eq!(answer.status, 404, "{answer:?}");
        assert_eq!(answer.json()["code"], code);
    }
    emulator.cli(&["inspect", "app:v1"]);
}

#[test]
fn data_directory_that_is_a_file_is_refused() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let hint = "choose another directory with --data-dir or server.data_dir, or move the file away";
    for (data_dir, commands) in [
        ("file", &[&["verify", "--offline"][..], &["repair"]][..]),
        ("file/below", &[]),
    ] {
        let error =
            format!("the data directory {data_dir} cannot be used: file is not a directory");
        let named = ["--data-dir", data_dir];
        refused(&serve(dir.path(), &named), &error, hint);
        for command in commands {
            let command = [command, &named[..]].concat();
            refused(&run(&command, dir.path(), &[]), &error, hint);
        }
    }
}

#[test]
fn damaged_and_unknown_format_files_are_refused_differently() {
    let mut emulator = Emulator::start();
    emulator.stop();
    let data_dir = emulator.data_dir();
    let data_dir = data_dir.to_str().unwrap();
    let format = format!("{data_dir}/format");
    let whole = fs::read(&format).unwrap();
    let restore = format!(
        "see what is damaged with: sealock verify --offline --data-dir {data_dir}; restore what can be restored with: \
         sealock repair --data-dir {data_dir}"
    );
    let dir = TempDir::new().unwrap();
    let start = || serve(dir.path(), &["--data-dir", data_dir]);
    for damaged in ["", "garbage\n", "\u{1b}[31m 5"] {
        fs::write(&format, damaged).unwrap();
        let error = format!("{format} is damaged: it does not start with the number of a format");
        refused(&start(), &error, &restore);
    }
    let next = String::from_utf8(whole.clone()).unwrap();
    let (known, rest) = next.split_once(' ').unwrap();
    fs::write(&format, format!("99 {rest}")).unwrap();
    let error = format!(
        "the data directory {data_dir} has format 99, according to {format} (unless that file is damaged); this sealock reads \
         format {known}: use the sealock that wrote it, or another directory"
    );
    refused(&start(), &error, &restore);
    run(&["repair", "--data-dir", data_dir], dir.path(), &[]);
    assert_eq!(fs::read(&format).unwrap(), whole);
    emulator.start_again();
}

/// A configuration with one registry, whose key and vault it creates.
const CONFIG: &str = r#"
[[identities]]
name = "registry-identity"

[[vaults]]
name = "kv1"
sku = "premium"

[[vaults.keys]]
name = "k1"
kty = "RSA"

[[vaults.access]]
identity = "registry-identity"
permissions = ["get", "wrapKey", "unwrapKey"]

[[registries]]
name = "sealock"
sku = "Premium"
key = "kv1/k1"
identity = "registry-identity"
"#;

#[test]
fn inapplicable_configuration_is_refused_with_file_and_field_until_fixed() {
    let dir = TempDir::new().unwrap();
    let of_type = "The key 'https://kv1.vault.";
    let inaccessible = "Failed to access KeyId 'https://kv";
    let rsa = "set the type of the key to RSA or RSA-HSM: kty in its section [[vaults.keys]]";
    let of_registry = |field: &str| format!("[[registries]] sealock{field}");
    let kty = "kty = \"RSA\"";
    for (from, to, field, error, hint) in [
        (kty, "kty = \"EC\"", of_registry(", key"), of_type, rsa),
        (kty, "kty = \"oct-HSM\"", of_registry(", key"), of_type, rsa),
        (
            kty,
            "key_size = 100",
            "[[vaults]] kv1, [[vaults.keys]] k1".to_owned(),
            "Unsupported key size (100)",
            "",
        ),
        (
            ", \"wrapKey\"",
            "",
            of_registry(", key"),
            inaccessible,
            "no access policy permits it; add one to the vault: [[vaults.access]] with the identity and the permissions get, \
             wrapKey and unwrapKey",
        ),
        (
            "\"kv1/k1\"",
            "\"kv1/k2\"",
            of_registry(", key"),
            inaccessible,
            "the vault has no such key; add it to the vault: [[vaults.keys]] with its name, and omit the version",
        ),
        (
            "\"kv1/k1\"",
            "\"kv2/k1\"",
            of_registry(", key"),
            inaccessible,
            "the vault does not exist; add it to the configuration: [[vaults]] with its name",
        ),
        (
            "sku = \"Premium\"",
            "sku = \"Basic\"",
            of_registry(", sku"),
            "Encryption is not supported for the SKU Basic",
            "set sku = \"Premium\", or omit key and identity",
        ),
        (
            "key = \"kv1/k1\"",
            "",
            of_registry(", key and identity"),
            "Invalid encryption key vault property specified for registry sealock.",
            "name both, or neither",
        ),
        (
            "k1\"\nidentity = \"registry-identity\"",
            "k1\"\nidentity = \"nobody\"",
            of_registry(", identity"),
            "The managed identity 'nobody' was not found",
            "add it to the configuration: [[identities]] with its name",
        ),
    ] {
        assert!(CONFIG.contains(from), "{from}");
        let config = CONFIG.replacen(from, to, 1);
        fs::write(dir.path().join("c.toml"), config).unwrap();
        let output = serve(dir.path(), &["--config", "c.toml", "--data-dir", "data"]);
        assert_eq!(output.code, 1, "{to}: {output:?}");
        let said = &output.stderr;
        let begin = format!("error: c.toml: {field}: {error}");
        assert!(said.contains(&begin), "{begin}: {said}");
        let end = format!("hint: {hint}\n");
        assert!(said.ends_with(&end) || hint.is_empty(), "{end}: {said}");
    }
    let emulator = Emulator::start_with(Options {
        config: Some(CONFIG.to_owned()),
        data_dir: Some(dir.path().join("data")),
        ..Options::default()
    });
    let image = Image::random(&[10]);
    assert_eq!(emulator.client().push("app", "v1", &image).status, 201);
}
