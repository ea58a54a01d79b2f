//! Snapshots of every command's help, output and errors, for review. `cargo insta review` shows the changes.

use std::{fmt::Write as _, path::Path, slice};

use insta::{Settings, assert_snapshot};
use sealock_tests::{Emulator, Image, Options, Output, run};

const LAYOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/oci-layout/hello");

/// An emulator with a frozen clock and an image.
struct Session {
    emulator: Emulator,
}

impl Session {
    fn start() -> Self {
        let emulator = Emulator::start_with(Options::default());
        emulator.cli(&["clock", "freeze"]);
        let image = Image::from_layout(Path::new(LAYOUT));
        assert_eq!(emulator.client().push("hello", "v1", &image).status, 201);
        Self { emulator }
    }

    /// Runs each command, whose words are separated by blanks, and records its output.
    fn transcript(&self, commands: &[&str]) -> String {
        let mut transcript = String::new();
        for command in commands {
            let words: Vec<_> = command.split(' ').collect();
            let output = self.emulator.run(&words);
            write_down(&mut transcript, command, &output);
        }
        transcript
    }
}

fn write_down(transcript: &mut String, command: &str, output: &Output) {
    let Output {
        code,
        stdout,
        stderr,
    } = output;
    let _ = write!(transcript, "$ sealock {command}\n{stdout}{stderr}");
    if *code != 0 {
        let _ = writeln!(transcript, "(exit code {code})");
    }
    transcript.push('\n');
}

/// Replaces everything that differs between two runs with text of the same length.
fn settings() -> Settings {
    let mut settings = Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (pattern, replacement) in [
        (r":[1-9]\d{4}\b", ":50000"),
        (
            r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z",
            "2030-01-01T00:00:00Z",
        ),
        (
            r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}",
            "11111111-1111-4111-8111-111111111111",
        ),
        (r"\b[0-9a-f]{32}\b", "0123456789abcdef0123456789abcdef"),
        (r"(salt|binding)( +)[0-9a-f]{64}", "${1}${2}RANDOM"),
        (
            r"    [0-9a-f]{8}  [0-9a-f ]{47}  \|.{16}\|",
            "    00000030  CIPHERTEXT",
        ),
        (
            r"    [0-9a-f]{8}  [0-9a-f ]{1,47} +\|.{1,16}\|",
            "    00000030  CIPHERTEXT",
        ),
        (r"((?:plain|reader) +password[12]? +)\S+", "${1}SECRET"),
        (r"(secret +)[^ ]{40}", "${1}SECRET"),
        (r", up [0-9smh ]+", ", up 1s"),
        (r"\(\b[0-9a-f]{12}\)", "(0123456789ab)"),
        (r"/tmp/\.tmp[A-Za-z0-9]+", "/DIR"),
    ] {
        settings.add_filter(pattern, replacement);
    }
    settings
}

fn assert_transcript(name: &str, transcript: &str) {
    settings().bind(|| assert_snapshot!(name, transcript));
}

/// Returns the subcommands that a command's help lists.
fn subcommands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    let named = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = named.filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

fn write_down_help(words: &[String], transcript: &mut String) {
    let mut arguments: Vec<_> = words.iter().map(String::as_str).collect();
    arguments.push("--help");
    let mut output = run(&arguments, Path::new("."), &[]);
    assert_eq!(output.code, 0, "{arguments:?}: {output:?}");
    // Global options are in `sealock --help`.
    if let Some((own, rest)) = output.stdout.split_once("Global options:\n") {
        let (_, example) = rest.split_once("\nExample").unwrap_or_default();
        output.stdout = format!("{own}Example{example}");
    }
    for name in subcommands(&output.stdout) {
        let words = [words, &[name]].concat();
        write_down_help(&words, transcript);
    }
    write_down(transcript, &arguments.join(" "), &output);
}

#[test]
fn every_command_has_help() {
    let top = run(&["--help"], Path::new("."), &[]);
    write_once("help", &top);
    for name in subcommands(&top.stdout) {
        let mut transcript = String::new();
        write_down_help(slice::from_ref(&name), &mut transcript);
        assert_transcript(&format!("help-{name}"), &transcript);
    }
}

fn write_once(name: &str, output: &Output) {
    let mut transcript = String::new();
    write_down(&mut transcript, "--help", output);
    assert_transcript(name, &transcript);
}

#[test]
fn key_commands() {
    let session = Session::start();
    let transcript = session.transcript(&[
        "key list",
        "key list --wide",
        "key show",
        "key show --wide",
        "key create mykey --size 3072 --ops sign,verify",
        "key create signer --kty EC --curve P-384",
        "key show sealock/signer",
        "key update mykey --expires 2031-01-01",
        "key rotate",
        "key disable",
        "key enable",
        "key disable mykey",
        "key rotation-policy show",
        "key delete",
        "key list",
        "key recover",
        "key delete signer",
        "key purge signer",
        "key purge signer --yes",
        "key show nope",
        "key show nope/nope",
        "key show kv1/k1 --vault kv2",
        "key rotate kv1/k1/0123456789abcdef0123456789abcdef",
        "key disable --version 0123456789abcdef0123456789abcdef",
        "key purge --yes",
        "key create k --kty DSA",
        "key create k --size 1",
        "key update --ops wrap",
        "key update",
        "key show no_key",
        "key show a/b/c/d",
        "key restore --file nowhere",
        "key show nope --json",
    ]);
    assert_transcript("keys", &transcript);
}

#[test]
fn vault_commands() {
    let session = Session::start();
    let transcript = session.transcript(&[
        "vault list",
        "vault list --wide",
        "vault create kv1 --retention-days 7 --purge-protection",
        "vault create kv2 --rbac --sku standard",
        "vault show kv1",
        "vault update kv2 --rbac false",
        "vault update kv1 --failed-over true",
        "vault network show",
        "vault network update kv2 --default-action deny --add-ip 203.0.113.0/24",
        "vault network update kv1 --bypass none",
        "vault update kv1 --failed-over false",
        "vault list",
        "vault delete",
        "vault recover",
        "vault delete kv2",
        "vault purge kv2",
        "vault purge kv2 --yes",
        "vault delete kv1",
        "vault purge kv1 --yes",
        "vault show nope",
        "vault create kv1",
        "vault create x",
        "vault create kv3 --retention-days 3",
        "vault network update --add-ip 10.0.0.0/8",
        "vault network update",
        "vault update",
        "vault create kv3 --sku Free",
        "vault purge sealock --yes",
    ]);
    assert_transcript("vaults", &transcript);
}

#[test]
fn access_commands() {
    let session = Session::start();
    let transcript = session.transcript(&[
        "access list",
        "access list --wide",
        "access revoke --permissions get",
        "access revoke",
        "access grant",
        "access grant --permissions all",
        "vault update --rbac true",
        "access list",
        "access grant --permissions sign",
        "access grant --identity nobody",
        "access grant --app nobody",
        "access revoke --app nobody",
        "access grant --permissions wrap",
        "access list --vault nope",
        "identity list",
        "identity list --wide",
        "identity show",
        "identity create myidentity",
        "identity create myidentity",
        "identity delete myidentity",
        "identity delete",
        "identity show",
        "identity create x",
        "app create deploy",
        "app list",
        "app list --wide",
        "app show deploy",
        "app renew deploy",
        "app delete deploy",
        "app show deploy",
        "app delete deploy",
    ]);
    assert_transcript("access", &transcript);
}

#[test]
fn role_commands() {
    let session = Session::start();
    let group = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/sealock";
    let in_group = format!("role assign --role AcrPush --scope {group}");
    let transcript = session.transcript(&[
        "role list",
        "role assign --role AcrPull",
        "role assign --role AcrPull",
        &in_group,
        "role assign --role Reader --vault sealock",
        "role list",
        "role list --wide",
        "role remove --role AcrPull",
        "role remove --role AcrPull",
        "role assign --role Nobody",
        "role assign --role AcrPull --registry nope",
        "role assign --role AcrPull --registry sealock --vault sealock",
    ]);
    assert_transcript("roles", &transcript);
}

#[test]
fn registry_commands() {
    let session = Session::start();
    let transcript = session.transcript(&[
        "registry list",
        "registry list --wide",
        "registry show",
        "registry create plain",
        "registry create plain",
        "registry create locked --key registry-key --identity registry-identity",
        "registry show -r locked",
        "registry list",
        "registry rotate-key locked",
        "registry update plain --admin-enabled true",
        "registry credential show plain",
        "registry credential renew plain --password-name password2",
        "registry show-usage",
        "registry gc",
        "registry gc --dry-run",
        "registry gc --orphans",
        "registry scope-map list",
        "registry scope-map list --wide",
        "registry scope-map show _repositories_pull",
        "registry scope-map create readers --repository hello content/read metadata/read",
        "registry token create reader --scope-map readers",
        "registry token list",
        "registry token show reader",
        "registry token update reader --status disabled",
        "registry token renew reader --password-name password1",
        "registry scope-map delete readers",
        "registry token delete reader",
        "registry scope-map delete readers",
        "registry delete plain",
        "registry delete plain --yes",
        "registry show plain",
        "registry show x",
        "registry credential show locked",
        "registry token show nobody",
        "registry scope-map show nothing",
        "registry create locked",
        "registry create small --sku Basic --key registry-key --identity registry-identity",
        "registry create fresh --key nope --identity registry-identity",
        "registry create fresh --key registry-key",
        "registry create fresh --sku Free",
        "registry create fresh --key nope/nope/nope/nope --identity registry-identity",
        "registry rotate-key plain",
        "registry rotate-key locked --identity nobody",
    ]);
    assert_transcript("registries", &transcript);
}

#[test]
fn repository_commands() {
    let session = Session::start();
    let transcript = session.transcript(&[
        "repository list",
        "repository list --wide",
        "repository show hello",
        "repository show hello --wide",
        "inspect hello:v1",
        "repository show nope",
        "repository show NOPE",
        "repository list nope",
        "inspect nope",
        "inspect hello",
        "repository delete hello",
        "repository delete hello --yes",
        "repository list",
    ]);
    assert_transcript("repositories", &transcript);
}

#[test]
fn state_commands() {
    let session = Session::start();
    let transcript = session.transcript(&[
        "health",
        "status",
        "verify",
        "wait --ready",
        "wait --available",
        "doctor",
        "key disable",
        "status",
        "registry list",
        "verify",
        "wait --available --timeout 1ms",
        "inspect hello:v1",
        "repository list",
        "key enable",
        "access revoke --permissions get,wrapKey",
        "key rotate",
        "status",
        "audit --operation KeyRotate",
        "audit --operation KeyUnwrap --result refused",
        "audit --operation KeyUnwrap --result refused --wide",
        "audit --result maybe",
        "wait",
        "wait --ready --timeout soon",
    ]);
    assert_transcript("state", &transcript);
}

#[test]
fn clock_commands() {
    let session = Session::start();
    let transcript = session.transcript(&[
        "clock show",
        "clock advance 90d",
        "clock set 2100-01-01",
        "key delete",
        "clock advance 90d",
        "clock advance 90d --json",
        "clock advance 90d --yes",
        "clock resume",
        "clock advance soon",
        "clock set never",
    ]);
    // The distance from the system's time differs each day.
    let transcript: Vec<_> = transcript
        .lines()
        .map(|line| line.split(" ahead of").next().unwrap_or_default())
        .map(|line| match line.rsplit_once(", running, ") {
            Some((now, _)) => format!("{now}, running, AHEAD"),
            None => line.to_owned(),
        })
        .collect();
    assert_transcript("clock", &transcript.join("\n"));
}

#[test]
fn hosts_and_trust_commands() {
    let session = Session::start();
    let transcript = session.transcript(&["hosts", "trust", "hosts --write --file /nowhere/hosts"]);
    assert_transcript("trust", &transcript);
}

#[test]
fn commands_without_an_emulator() {
    let mut transcript = String::new();
    for command in [
        "status --emulator http://127.0.0.1:1",
        "status --emulator http://127.0.0.1:1 --json",
        "status --emulator localhost",
        "version",
        "verify --offline --data-dir /nowhere",
        "repair --data-dir /nowhere",
        "nothing",
        "key",
    ] {
        let words: Vec<_> = command.split(' ').collect();
        write_down(&mut transcript, command, &run(&words, Path::new("."), &[]));
    }
    assert_transcript("without-an-emulator", &transcript);
}
