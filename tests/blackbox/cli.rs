use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sealock_tests::{Emulator, Image, Options, Output, digest_of, eventually, run};
use serde_json::{Value, json};

fn assert_contains(text: &str, parts: &[&str], what: &str) {
    for part in parts {
        assert!(text.contains(part), "{what}: {part:?} is not in:\n{text}");
    }
}

/// A command, what people read, and where in the JSON there is what.
type Shown<'a> = (&'a [&'a str], Vec<&'a str>, Vec<(&'a str, Value)>);

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_is_read_is_shown_for_people_and_as_json() {
    let emulator = Emulator::start();
    let image = Image::random(&[1000]);
    assert_eq!(emulator.client().push("hello", "v1", &image).status, 201);
    let port = emulator.address().rsplit_once(':').unwrap().1;
    let vault = format!("https://sealock.vault.localhost:{port}/");
    let vault_id = "  id                /subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/sealock/\
                    providers/Microsoft.KeyVault/vaults/sealock"
        .to_owned();
    let key = format!("{vault}keys/registry-key");
    let login_server = format!("sealock.azurecr.localhost:{port}");
    let digest = image.digest();

    let shown: [Shown<'_>; 16] = [
        (
            &["health"],
            vec!["ok, version 0.1.0, up "],
            vec![("/status", "ok".into()), ("/version", "0.1.0".into())],
        ),
        (
            &["status"],
            vec![
                "sealock  available\n",
                "  key          ",
                &key,
                "registry-identity",
            ],
            vec![
                ("/registries/0/gate/state", "available".into()),
                ("/registries/0/name", "sealock".into()),
                ("/pending_purges", json!([])),
            ],
        ),
        (
            &["key", "list"],
            vec![
                "NAME          STATE    TYPE      VERSIONS  CURRENT VERSION\n",
                "registry-key  enabled  RSA 2048  1         ",
            ],
            vec![
                ("/keys/0/name", "registry-key".into()),
                ("/keys/0/key_size", 2048.into()),
            ],
        ),
        (
            &["key", "show"],
            vec![
                "registry-key  enabled\n",
                "  operations  encrypt, decrypt, sign, verify, wrapKey, unwrapKey\n",
                "VERSION",
                "CURRENT",
                "yes",
                &key,
            ],
            vec![
                ("/versions/0/current", true.into()),
                ("/state", "active".into()),
                ("/kty", "RSA".into()),
            ],
        ),
        (
            &["vault", "list"],
            vec![
                "NAME     STATE   SKU      ACCESS    NETWORK  RETENTION  PROTECTION\n",
                "sealock  active  premium  policies  open     90 days    off\n",
            ],
            vec![("/vaults/0/vault_uri", vault.as_str().into())],
        ),
        (
            &["vault", "show"],
            vec![
                "sealock  active\n",
                "  sku               premium\n",
                "  access            policies\n",
                "  purge protection  off\n",
                "  failed over       no\n",
                "  public access     enabled\n",
                &vault,
                &vault_id,
            ],
            vec![
                (
                    "/id",
                    vault_id.trim_start_matches("  id                ").into(),
                ),
                ("/purge_protection", false.into()),
                ("/soft_delete_retention_days", 90.into()),
                ("/sku", "premium".into()),
                ("/rbac", false.into()),
                ("/failed_over", false.into()),
            ],
        ),
        (
            &["vault", "network", "show"],
            vec![
                "sealock\n",
                "  public access   enabled\n",
                "  default action  Allow\n",
                "  bypass          AzureServices\n",
                "  ip rules        none\n",
            ],
            vec![
                ("/network/default_action", "Allow".into()),
                ("/ip_rules", json!([])),
            ],
        ),
        (
            &["key", "rotation-policy", "show"],
            vec![
                "registry-key\n",
                "  Notify               P30D before expiry\n",
                "  new versions expire  never\n",
            ],
            vec![("/lifetimeActions/0/trigger/timeBeforeExpiry", "P30D".into())],
        ),
        (
            &["registry", "list"],
            vec!["Premium", "available", "sealock/registry-key"],
            vec![("/registries/0/login_server", login_server.as_str().into())],
        ),
        (
            &["registry", "show"],
            vec![
                "sealock  available\n",
                "follows the key, last: never",
                &login_server,
                "Premium",
            ],
            vec![
                ("/encryption/status", "enabled".into()),
                ("/encryption/key_identifier", key.as_str().into()),
                ("/encryption/identity/name", "registry-identity".into()),
                ("/encryption/key_rotation_enabled", true.into()),
            ],
        ),
        (
            &["access", "list"],
            vec!["IDENTITY", "registry-identity", "get, wrapKey, unwrapKey"],
            vec![(
                "/policies/0/permissions",
                json!(["get", "wrapKey", "unwrapKey"]),
            )],
        ),
        (
            &["identity", "list"],
            vec!["NAME               CLIENT", "registry-identity  "],
            vec![("/identities/0/name", "registry-identity".into())],
        ),
        (
            &["inspect", "hello:v1"],
            vec![
                "hello:v1 in registry sealock\n",
                "service, then cmk",
                &key,
                "(RSA-OAEP-256)",
                "manifest",
                "config",
                "layer",
                &digest,
                "binding",
                "00000030  ",
            ],
            vec![
                ("/digest", digest.as_str().into()),
                ("/layers", json!(["service", "cmk"])),
                ("/objects/2/kind", "layer".into()),
            ],
        ),
        (
            &["inspect", &format!("hello@{digest}")],
            vec!["hello@sha256:", "2^16 bytes"],
            vec![
                ("/reference", digest.as_str().into()),
                ("/objects/0/segment_size", 65_536.into()),
            ],
        ),
        (
            &["verify"],
            vec![
                "REGISTRY  STATE     OBJECTS  BYTES",
                "sealock   verified  3        ",
            ],
            vec![
                ("/whole", true.into()),
                ("/registries/0/objects", 3.into()),
                ("/problems", json!([])),
            ],
        ),
        (
            &["audit"],
            vec![
                "KeyUnwrap        200   registry-identity  registry-key",
                "VaultPut",
                "KeyCreate",
            ],
            vec![],
        ),
    ];
    for (command, people, pointers) in shown {
        let what = command.join(" ");
        let text = emulator.cli(command);
        assert_contains(&text, &people, &what);
        assert!(
            !text.contains('\u{1b}') && text.ends_with('\n'),
            "{what}: {text:?}"
        );
        assert!(
            text.lines().all(|line| line == line.trim_end()),
            "{what}: trailing blanks in {text:?}"
        );
        if command != ["audit"] {
            let json = emulator.json(command);
            for (pointer, value) in pointers {
                assert_eq!(
                    json.pointer(pointer),
                    Some(&value),
                    "{what} --json at {pointer}: {json:#}"
                );
            }
        }
    }
    // An image without a tag means the latest.
    assert_eq!(emulator.run(&["inspect", "hello"]).code, 1);
    assert_eq!(
        emulator.client().push("hello", "latest", &image).status,
        201
    );
    assert_eq!(emulator.json(&["inspect", "hello"])["reference"], "latest");
}

/// Runs a command that says what it did in one sentence.
fn done(emulator: &Emulator, command: &[&str], sentence: &[&str]) {
    let text = emulator.cli(command);
    assert_contains(&text, sentence, &command.join(" "));
    // Registries that it reaches have a line each.
    let mut others = text.lines().skip(1);
    assert!(others.all(|line| line.starts_with("registry ")), "{text}");
}

/// Runs a command with `--json`, and looks at one value of what it prints.
fn json(emulator: &Emulator, command: &[&str], pointer: &str, value: &Value) {
    let json = emulator.json(command);
    assert_eq!(
        json.pointer(pointer),
        Some(value),
        "{}: {json:#}",
        command.join(" ")
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a list of commands")]
fn what_is_done_to_keys_and_vaults_is_said_in_a_sentence_and_as_json() {
    let emulator = Emulator::start();
    let done = |command: &[&str], sentence: &[&str]| done(&emulator, command, sentence);
    let json =
        |command: &[&str], pointer: &str, value: Value| json(&emulator, command, pointer, &value);

    done(
        &["vault", "create", "kv1", "--retention-days", "7"],
        &["created vault kv1 at https://kv1.vault.localhost:"],
    );
    json(
        &["vault", "create", "kv3", "--rbac", "--sku", "standard"],
        "/sku",
        "standard".into(),
    );
    json(&["vault", "show", "kv3"], "/rbac", true.into());
    done(
        &["vault", "update", "kv3", "--rbac", "false"],
        &["updated vault kv3: access by policies, purge protection off, not failed over"],
    );
    json(
        &["vault", "update", "kv3", "--purge-protection", "true"],
        "/purge_protection",
        true.into(),
    );
    done(
        &["vault", "update", "kv3", "--failed-over", "true"],
        &["updated vault kv3: access by policies, purge protection on, failed over"],
    );
    json(
        &["vault", "create", "kv2", "--purge-protection"],
        "/purge_protection",
        true.into(),
    );
    done(
        &["key", "create", "k", "--vault", "kv1"],
        &["created https://kv1.vault.localhost:", "/keys/k/"],
    );
    json(
        &["key", "create", "k", "--vault", "kv1", "--kty", "RSA-HSM"],
        "/versions/0/current",
        true.into(),
    );
    let versions = emulator.json(&["key", "show", "k", "--vault", "kv1"])["versions"].clone();
    let version = |current: bool| {
        let mut versions = versions.as_array().unwrap().iter();
        let version = versions
            .find(|version| version["current"] == current)
            .unwrap();
        version["version"].as_str().unwrap().to_owned()
    };
    let (old, current) = (version(false), version(true));
    done(
        &["key", "disable", "k", "--vault", "kv1", "--version", &old],
        &["disabled https://kv1.", &old],
    );
    done(
        &["key", "disable", "k", "--vault", "kv1"],
        &["disabled https://kv1.", &current],
    );
    json(
        &["key", "show", "k", "--vault", "kv1"],
        "/enabled",
        false.into(),
    );
    done(
        &["key", "enable", "k", "--vault", "kv1"],
        &["enabled https://kv1.", &current],
    );
    json(
        &["key", "enable", "k", "--vault", "kv1", "--version", &old],
        "/enabled",
        true.into(),
    );
    done(
        &["key", "rotate", "k", "--vault", "kv1"],
        &["rotated to https://kv1.", "/keys/k/"],
    );
    done(
        &["key", "delete", "k", "--vault", "kv1"],
        &["deleted https://kv1.", "; it can be recovered until "],
    );
    json(
        &["key", "list", "--vault", "kv1"],
        "/keys/0/state",
        "deleted".into(),
    );
    done(
        &["key", "recover", "k", "--vault", "kv1"],
        &["recovered https://kv1."],
    );
    json(
        &["key", "delete", "k", "--vault", "kv1"],
        "/state",
        "deleted".into(),
    );
    done(
        &["key", "purge", "k", "--vault", "kv1", "--yes"],
        &["purged key k of vault kv1"],
    );
    json(&["key", "list", "--vault", "kv1"], "/keys", json!([]));

    done(
        &["vault", "delete", "kv1"],
        &["deleted vault kv1; it can be recovered until "],
    );
    done(
        &["vault", "recover", "kv1"],
        &["recovered vault kv1 at https://kv1."],
    );
    json(&["vault", "delete", "kv1"], "/state", "deleted".into());
    done(&["vault", "purge", "kv1", "--yes"], &["purged vault kv1"]);
}

#[test]
fn what_a_key_is_for_and_when_is_said_and_shown() {
    let emulator = Emulator::start();
    let curve = ["--kty", "EC", "--curve", "P-521", "--ops", "sign"];
    done(
        &emulator,
        &[&["key", "create", "signer"], &curve[..]].concat(),
        &["created https://sealock.", "/keys/signer/"],
    );
    done(
        &emulator,
        &["key", "update", "signer", "--ops", "verify,sign"],
        &["updated https://sealock.", "/keys/signer/"],
    );
    let times = [
        "--not-before",
        "2020-01-01T00:00:00Z",
        "--expires",
        "2030-01-01T01:00:00+01:00",
    ];
    let update = [&["key", "update", "signer"], &times[..]].concat();
    json(
        &emulator,
        &update,
        "/versions/0/not_before",
        &"2020-01-01T00:00:00Z".into(),
    );
    let shown = emulator.cli(&["key", "show", "signer"]);
    for said in [
        "  type        EC P-521\n",
        "  operations  verify, sign\n",
        "  not before  2020-01-01T00:00:00Z\n",
        "  expires     2030-01-01T00:00:00Z\n",
    ] {
        assert_contains(&shown, &[said], "key show");
    }
    // An older version has what it had.
    let old = emulator.json(&["key", "show", "signer"])["versions"][0]["version"].clone();
    emulator.cli(&["key", "create", "signer", "--kty", "EC-HSM"]);
    let by_version = ["--version", old.as_str().unwrap(), "--ops", "verify"];
    done(
        &emulator,
        &[&["key", "update", "signer"], &by_version[..]].concat(),
        &["updated ", old.as_str().unwrap()],
    );
    let versions = emulator.json(&["key", "show", "signer"])["versions"].clone();
    let operations = versions
        .as_array()
        .unwrap()
        .iter()
        .map(|version| &version["key_ops"]);
    assert_eq!(
        operations.collect::<Vec<_>>(),
        [&json!(["sign", "verify"]), &json!(["verify"])]
    );
}

#[test]
fn a_backup_is_a_file_for_its_owner_that_brings_back_all_versions() {
    let emulator = Emulator::start();
    emulator.cli(&["key", "rotate"]);
    let before = emulator.json(&["key", "show"]);
    let file = emulator.data_dir().parent().unwrap().join("key.backup");
    fs::write(&file, "an older backup").unwrap();
    done(
        &emulator,
        &["key", "backup", "--file", "key.backup"],
        &["backed up registry-key of vault sealock to key.backup"],
    );
    let backup = fs::read(&file).unwrap();
    assert!(backup.starts_with(b"&AzureKeyVaultKeyBackupV1.microsoft.com."));
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    failed(
        &emulator,
        &["key", "backup", "nope", "--file", "key.backup"],
        1,
    );
    assert_eq!(
        fs::read(&file).unwrap(),
        backup,
        "what fails replaces nothing"
    );
    failed(
        &emulator,
        &["key", "backup", "--file", "nowhere/key.backup"],
        1,
    );

    let restore = ["key", "restore", "--file", "key.backup"];
    let conflict = failed(&emulator, &restore, 1);
    assert_contains(
        &conflict,
        &[
            "There was a conflict restoring the key",
            "sealock key delete registry-key",
        ],
        "a key that is there",
    );
    emulator.cli(&["key", "delete"]);
    failed(&emulator, &restore, 1);
    emulator.cli(&["key", "purge", "--yes"]);
    done(
        &emulator,
        &restore,
        &["restored https://sealock.", "/keys/registry-key/"],
    );
    assert_eq!(
        emulator.json(&["key", "show"])["versions"],
        before["versions"]
    );

    // Another emulator cannot read it.
    let another = Emulator::start();
    another.cli(&["key", "delete"]);
    another.cli(&["key", "purge", "--yes"]);
    let foreign = [&restore[..3], &[file.to_str().unwrap()]].concat();
    failed(&another, &foreign, 1);
}

#[test]
fn the_audit_shows_what_is_asked_for() {
    let emulator = Emulator::start();
    emulator.cli(&["vault", "create", "kv1"]);
    emulator.cli(&["key", "create", "k", "--vault", "kv1"]);
    emulator.cli(&["access", "revoke"]);
    assert_eq!(emulator.client().get("/v2/app/manifests/v1").status, 403);
    emulator.cli(&["access", "grant"]);
    let time = emulator.json(&["clock", "advance", "1d"])["now"].clone();
    assert_eq!(emulator.client().get("/v2/app/manifests/v1").status, 404);

    let events = |filter: &[&str]| -> Vec<String> {
        let shown = emulator.cli(&[&["audit", "--json"], filter].concat());
        let name = |line: &str| {
            let event: Value = serde_json::from_str(line).unwrap();
            event["operationName"].as_str().unwrap().to_owned()
        };
        shown.lines().map(name).collect()
    };
    let refused = ["--identity", "registry-identity", "--result", "refused"];
    assert_eq!(events(&refused), ["KeyUnwrap"]);
    assert_eq!(events(&["--result", "403"]), ["KeyUnwrap"]);
    assert_eq!(events(&["--vault", "kv1"]), ["VaultPut", "KeyCreate"]);
    assert_eq!(events(&["--key", "k"]), ["KeyCreate"]);
    let vault_of_another_key = ["--key", "registry-key", "--vault", "kv1"];
    assert!(events(&vault_of_another_key).is_empty());
    let id = emulator.json(&["identity", "list"])["identities"][0]["principal_id"].clone();
    let unwraps = ["--operation", "keyunwrap", "--result", "success"];
    let since = ["--since", time.as_str().unwrap()];
    let by_id = ["--identity", id.as_str().unwrap()];
    assert_eq!(
        events(&[&unwraps[..], &since, &by_id].concat()),
        ["KeyUnwrap"]
    );
    let (all, later) = (events(&[]), events(&since));
    let earlier = events(&["--until", time.as_str().unwrap()]);
    assert_eq!(all, [earlier, later].concat());
}

#[test]
#[expect(clippy::too_many_lines, reason = "a list of commands")]
fn what_is_done_to_identities_and_registries_is_said_in_a_sentence_and_as_json() {
    let emulator = Emulator::start();
    let done = |command: &[&str], sentence: &[&str]| done(&emulator, command, sentence);
    let json =
        |command: &[&str], pointer: &str, value: Value| json(&emulator, command, pointer, &value);

    done(
        &["identity", "create", "another"],
        &["created identity another, client "],
    );
    done(
        &["identity", "create", "another"],
        &["identity another was there already, client "],
    );
    done(
        &[
            "access",
            "grant",
            "--identity",
            "another",
            "--permissions",
            "get,wrapKey",
        ],
        &["another now has get, wrapKey in vault sealock"],
    );
    done(
        &["access", "revoke", "--identity", "another"],
        &["another now has no permission in vault sealock"],
    );
    json(
        &["access", "grant", "--identity", "another"],
        "/permissions",
        json!(["get", "wrapKey", "unwrapKey"]),
    );

    let create = [
        "registry",
        "create",
        "second",
        "--key",
        "sealock/registry-key",
        "--identity",
        "another",
    ];
    done(
        &create,
        &["created registry second at second.azurecr.localhost:"],
    );
    let created = emulator.json(&["registry", "show", "second"]);
    done(
        &create,
        &["registry second is as asked, at second.azurecr.localhost:"],
    );
    assert_eq!(
        emulator.json(&create),
        created,
        "asking twice changes nothing"
    );
    done(
        &["registry", "create", "plain", "--sku", "basic"],
        &["created registry plain at plain.azurecr.localhost:"],
    );
    done(
        &["registry", "create", "plain", "--sku", "Standard"],
        &["registry plain is as asked"],
    );
    json(&["registry", "show", "plain"], "/sku", "Standard".into());
    json(
        &["registry", "show", "plain"],
        "/encryption/status",
        "disabled".into(),
    );
    done(
        &["registry", "rotate-key", "second"],
        &[
            "rotated registry second to https://sealock.vault.localhost:",
            "/keys/registry-key/",
        ],
    );

    let deleted = emulator.json(&["identity", "delete", "another"]);
    assert_eq!(deleted["effect"]["revoked"][0]["registry"], "second");
    assert_contains(
        &emulator.cli(&["access", "list"]),
        &["(gone: "],
        "the policy of an identity that is gone",
    );
    assert_contains(
        &emulator.cli(&["registry", "show", "second"]),
        &["revoked: IdentityNotFound since "],
        "revoked",
    );
    assert_contains(
        &emulator.cli(&["registry", "list"]),
        &["revoked (IdentityNotFound)"],
        "revoked",
    );
    emulator.cli(&["key", "disable"]);
    let status = emulator.cli(&["status"]);
    assert_contains(
        &status,
        &[
            "sealock  revoked: KeyDisabled since ",
            "message",
            "https://aka.ms/acr/cmk",
        ],
        "status",
    );
    assert_contains(&status, &["plain  available"], "status");
}

#[test]
fn the_audit_goes_on_with_each_event_as_it_happens() {
    let emulator = Emulator::start();
    let url = format!("http://{}", emulator.address());
    let mut follow = Command::new(Emulator::binary())
        .args(["audit", "--follow", "--json", "--emulator", &url])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    // What happened before comes first; this shows that it has been read to its end.
    emulator.cli(&["key", "create", "marker"]);
    let mut next = |name: &str, key: &str| {
        let found = lines
            .by_ref()
            .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
            .find(|event| {
                event["operationName"] == name
                    && event["properties"]["id"].as_str().unwrap().contains(key)
            });
        found.expect("the event")
    };
    next("KeyCreate", "/keys/marker");
    emulator.cli(&["key", "disable"]);
    next("KeyUpdate", "/keys/registry-key");
    assert_eq!(emulator.client().get("/v2/app/manifests/v1").status, 403);
    let refused = next("KeyUnwrap", "/keys/registry-key");
    assert_eq!(refused["properties"]["httpStatusCode"], 403);
    let identity = refused["identity"]["claim"]["xms_mirid"].as_str().unwrap();
    assert!(identity.ends_with("/registry-identity"), "{identity}");
    follow.kill().unwrap();
    follow.wait().unwrap();
    let events: Vec<Value> = emulator
        .cli(&["audit", "--json"])
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        events.contains(&refused),
        "without --follow it is the same journal"
    );
}

/// Runs a command that must fail, and says what it printed on standard error.
fn failed(emulator: &Emulator, command: &[&str], code: i32) -> String {
    let output = emulator.run(command);
    let what = command.join(" ");
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (code, ""),
        "{what}: {output:?}"
    );
    assert!(
        output.stderr.starts_with("error: ") && !output.stderr.contains('\u{1b}'),
        "{what}: {}",
        output.stderr
    );
    output.stderr
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn errors_say_what_to_do_next() {
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
            "purge protection is enabled",
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
        let said = failed(&emulator, command, 1);
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
        assert_contains(&failed(&emulator, command, 1), &[error], &command.join(" "));
    }
    // What the command line sees by itself, without asking.
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
        assert_contains(&failed(&emulator, command, 2), &[error], &command.join(" "));
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
fn without_an_emulator_it_says_how_to_start_one() {
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
            let hint =
                "start one with: sealock serve; or name it with --emulator http://localhost:PORT";
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

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_registry_is_created_only_as_azure_allows() {
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
    let no_policy =
        "no access policy of the vault permits the identity to get, wrap and unwrap with the key";
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
                "there is no such vault",
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
    // What is not Azure's to refuse: the same again.
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

/// The files of the objects, with their content.
fn objects(emulator: &Emulator) -> Vec<(PathBuf, Vec<u8>)> {
    let blobs = emulator.data_dir().join("blobs");
    emulator
        .files()
        .into_iter()
        .filter(|(path, _)| path.parent() == Some(&blobs))
        .collect()
}

/// Verifies for people and as JSON; something must be wrong.
fn verify(emulator: &Emulator) -> (Output, Value) {
    let (text, json) = (
        emulator.run(&["verify"]),
        emulator.run(&["verify", "--json"]),
    );
    assert_eq!((text.code, json.code), (1, 1), "{text:?}");
    let problem: Value = serde_json::from_str(&json.stderr).unwrap();
    let error = format!("error: {}\n", problem["detail"].as_str().unwrap());
    assert!(text.stderr.starts_with(&error), "{}", text.stderr);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["whole"], false);
    (text, json)
}

#[test]
fn verify_finds_damaged_and_missing_objects() {
    let emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[150_000]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    let of_size = |least: usize| move |(_, content): &&(PathBuf, Vec<u8>)| content.len() >= least;
    let objects = objects(&emulator);
    assert_eq!(objects.len(), 3);
    let (file, content) = objects.iter().find(of_size(150_000)).unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    let layer = digest_of(image.blobs().next().unwrap());
    let path = format!("/v2/app/blobs/{layer}");

    // The header's magic, version and salt; the first, second and last segment; the binding; both lengths.
    let (last_segment, binding) = (content.len() - 33, content.len() - 1);
    let flipped = [0, 8, 20, 48, 70_000, last_segment, binding].map(|at| {
        let mut flipped = content.clone();
        flipped[at] ^= 1;
        (format!("byte {at} flipped"), flipped)
    });
    let shorter = content[..content.len() - 1].to_vec();
    let longer = [&content[..], b"x"].concat();
    let another = objects
        .iter()
        .find(|(_, other)| other.len() < 150_000)
        .unwrap()
        .1
        .clone();
    for (what, damaged) in flipped.into_iter().chain([
        ("cut".to_owned(), shorter),
        ("extended".to_owned(), longer),
        ("empty".to_owned(), Vec::new()),
        ("another's".to_owned(), another),
    ]) {
        fs::write(file, damaged).unwrap();
        let (text, json) = verify(&emulator);
        assert_contains(&text.stdout, &["sealock: ObjectDamaged: ", &layer], &what);
        assert_contains(
            &text.stderr,
            &["error: 1 problem in the stored content"],
            &what,
        );
        assert_eq!(
            json["registries"][0]["problems"][0]["kind"], "ObjectDamaged",
            "{what}"
        );
        // Refused, or cut short.
        let served = client
            .try_send("GET", &path, &[], ureq::SendBody::none(), None)
            .and_then(|answer| answer.into_body().read_to_vec());
        assert!(
            !served.is_ok_and(|body| body == image.blobs().next().unwrap()),
            "{what}: it is served as if nothing had happened"
        );
    }

    fs::remove_file(file).unwrap();
    let (text, json) = verify(&emulator);
    assert_contains(
        &text.stdout,
        &["sealock: ObjectMissing: ", &layer, name],
        "missing",
    );
    assert_eq!(
        json["registries"][0]["problems"][0]["kind"],
        "ObjectMissing"
    );
    let answer = client.get(&path);
    assert_eq!((answer.status, answer.code().as_str()), (500, "UNKNOWN"));
    assert_contains(
        &String::from_utf8(answer.body).unwrap(),
        &["damaged"],
        "missing",
    );

    let (manifest, _) = objects
        .iter()
        .find(|(_, content)| content.len() > 80 + image.manifest().len() && content.len() < 2000)
        .unwrap();
    fs::remove_file(manifest).unwrap();
    let (text, _) = verify(&emulator);
    assert_contains(
        &text.stderr,
        &["error: 2 problems in the stored content"],
        "two missing",
    );

    for (path, content) in &objects {
        fs::write(path, content).unwrap();
    }
    emulator.verify();
    assert_eq!(client.pull("app", "v1", &image).status, 200);
}

#[test]
fn verify_finds_an_orphaned_object_and_the_next_start_sweeps_it() {
    let mut emulator = Emulator::start();
    let image = Image::random(&[100]);
    assert_eq!(emulator.client().push("app", "v1", &image).status, 201);
    let name = "0123456789abcdef0123456789abcdef";
    let orphan = emulator.data_dir().join("blobs").join(name);
    fs::write(&orphan, b"left behind").unwrap();
    let (text, json) = verify(&emulator);
    assert_eq!(json["problems"][0]["kind"], "ObjectOrphaned");
    assert_contains(
        json["problems"][0]["description"].as_str().unwrap(),
        &[name],
        "orphan",
    );
    assert_contains(
        &text.stdout,
        &["ObjectOrphaned", name],
        "people are told, too",
    );
    assert_contains(
        &text.stderr,
        &["error: 1 problem in the stored content"],
        "orphan",
    );

    emulator.restart();
    eventually("the sweep", || !orphan.exists());
    emulator.verify();
    assert_eq!(emulator.client().pull("app", "v1", &image).status, 200);
}

#[test]
fn verify_cannot_say_that_a_revoked_registry_is_whole() {
    let emulator = Emulator::start();
    assert_eq!(
        emulator
            .client()
            .push("app", "v1", &Image::random(&[100]))
            .status,
        201
    );
    emulator.cli(&["key", "disable"]);
    let (text, json) = verify(&emulator);
    assert_contains(
        &text.stdout,
        &["\nsealock   revoked (KeyDisabled)  0 "],
        "revoked",
    );
    assert_contains(
        &text.stderr,
        &[
            "error: registry sealock is revoked (KeyDisabled), so its content could not be read",
            "hint: enable the key with: sealock key enable registry-key --vault sealock --version ",
            "; then verify again\n",
        ],
        "revoked",
    );
    assert_eq!(
        (
            &json["registries"][0]["state"],
            &json["registries"][0]["cause"]
        ),
        (&"revoked".into(), &"KeyDisabled".into())
    );
    let shown = emulator.cli(&["inspect", "app:v1"]);
    assert_contains(
        &shown,
        &["the registry is revoked (KeyDisabled)", "manifest"],
        "inspect",
    );
    emulator.cli(&["key", "enable"]);
    emulator.verify();

    emulator.cli(&["key", "backup", "--file", "BACKUP"]);
    emulator.cli(&["key", "delete"]);
    emulator.cli(&["key", "purge", "--yes"]);
    let (text, _) = verify(&emulator);
    let hint = "hint: bring the key back with: sealock key restore --vault sealock --file BACKUP; \
                without a backup, the content is gone\n";
    assert_contains(&text.stderr, &[hint], "purged");
    emulator.cli(&["key", "restore", "--file", "BACKUP"]);
    emulator.verify();

    emulator.cli(&["vault", "delete"]);
    emulator.cli(&["vault", "purge", "--yes"]);
    let (text, _) = verify(&emulator);
    let hint = "hint: bring the key back with: sealock vault create sealock && \
                sealock key restore --vault sealock --file BACKUP; without a backup, the content is gone\n";
    assert_contains(&text.stderr, &[hint], "a vault that was purged");
    emulator.cli(&["vault", "create", "sealock"]);
    emulator.cli(&["key", "restore", "--file", "BACKUP"]);
    let (text, _) = verify(&emulator);
    let hint =
        "hint: give the identity access to the key with: sealock access grant --vault sealock";
    assert_contains(&text.stderr, &[hint], "a new vault");
    emulator.cli(&["access", "grant"]);
    emulator.verify();
}

#[test]
fn colours_are_for_terminals_and_no_color_forbids_them() {
    let emulator = Emulator::start_with(Options {
        ephemeral: true,
        ..Options::default()
    });
    let url = format!("http://{}", emulator.address());
    let run = |command: &[&str], environment: &[(&str, &str)]| {
        let command = [command, &["--emulator", &url]].concat();
        let output = run(
            &command,
            Path::new("."),
            &[&[("NO_COLOR", "")], environment].concat(),
        );
        output.stdout + &output.stderr
    };
    for command in [
        &["status"][..],
        &["registry", "show"],
        &["audit"],
        &["key", "show"],
        &["key", "show", "nope"],
        &["--help"],
    ] {
        let piped = run(command, &[]);
        assert!(
            !piped.is_empty() && !piped.contains('\u{1b}'),
            "{command:?}: {piped:?}"
        );
        let forced = run(command, &[("CLICOLOR_FORCE", "1")]);
        assert!(
            forced.contains('\u{1b}'),
            "{command:?} has colours on a terminal: {forced:?}"
        );
        let forbidden = run(command, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]);
        assert_eq!(forbidden, piped, "{command:?}");
        let json = run(&[command, &["--json"]].concat(), &[("CLICOLOR_FORCE", "1")]);
        assert!(
            command[0] == "--help" || command.len() == 3 || !json.contains('\u{1b}'),
            "{command:?}: {json:?}"
        );
    }
}
