mod audit;
mod changes;
mod errors;

use std::path::Path;

use sealock_tests::{Emulator, Image, Options, run};
use serde_json::{Value, json};

pub(crate) fn assert_contains(text: &str, parts: &[&str], what: &str) {
    for part in parts {
        assert!(text.contains(part), "{what}: {part:?} is not in:\n{text}");
    }
}

/// A command, the parts of its text, and values in its JSON by their pointers.
type Shown<'a> = (&'a [&'a str], Vec<&'a str>, Vec<(&'a str, Value)>);

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn queries_are_shown_as_text_and_as_json() {
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
    // An image without a tag means `latest`.
    assert_eq!(emulator.run(&["inspect", "hello"]).code, 1);
    assert_eq!(
        emulator.client().push("hello", "latest", &image).status,
        201
    );
    assert_eq!(emulator.json(&["inspect", "hello"])["reference"], "latest");
}

/// Checks that a command reports its success in one sentence.
fn assert_success(emulator: &Emulator, command: &[&str], sentence: &[&str]) {
    let text = emulator.cli(command);
    assert_contains(&text, sentence, &command.join(" "));
    // Each affected registry has its own line.
    let mut others = text.lines().skip(1);
    assert!(others.all(|line| line.starts_with("registry ")), "{text}");
}

/// Runs a command with `--json`, and checks one value of its output.
pub(crate) fn assert_json(emulator: &Emulator, command: &[&str], pointer: &str, value: &Value) {
    let json = emulator.json(command);
    assert_eq!(
        json.pointer(pointer),
        Some(value),
        "{}: {json:#}",
        command.join(" ")
    );
}

#[test]
fn colours_appear_on_terminals_unless_no_color_is_set() {
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

/// Checks that a command fails, and returns its standard error.
fn assert_failure(emulator: &Emulator, command: &[&str], code: i32) -> String {
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
