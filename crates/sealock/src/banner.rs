use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use jiff::SignedDuration;
use sealock_api::{Encryption, Gate, PendingPurge, Registry, Storage};
use sealock_emulator::{Auth, Ready};

use crate::commands::Commands;

const NAME: Style = Style::new().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const COMMAND: Style = AnsiColor::Cyan.on_default();

/// The number of pending purges that the banner names. `sealock status` names all of them.
const PURGES_NAMED: usize = 8;

/// Tells a person where everything is and what to try.
pub(crate) fn print(ready: &Ready) {
    // With standard output closed there is nobody to tell.
    let mut out = anstream::stdout().lock();
    let _ = writeln!(out, "{}", render(ready));
    let _ = out.flush();
}

fn render(ready: &Ready) -> String {
    let port = ready.address.port();
    let at = format!("localhost:{port}");
    let program = std::env::args().next();
    let commands = program.map_or_else(Commands::default, Commands::of_program);
    let commands = commands.for_port(port);
    let (key, is_encrypted) = match &ready.registry {
        Ok(registry) => key(registry),
        Err(problem) => (problem.detail.clone(), false),
    };
    let tries = match ready.auth {
        // There is nothing yet to log in with.
        Auth::Enforced => ["status", "key show", "audit"]
            .map(|words| commands.command(words))
            .to_vec(),
        Auth::Friendly => vec![
            format!("{} | docker load", commands.command("demo image")),
            format!("docker push {at}/hello:v1"),
            commands.command(if is_encrypted {
                "key disable"
            } else {
                "inspect hello:v1"
            }),
            format!("docker pull {at}/hello:v1"),
        ],
    };
    let tries: Vec<_> = tries
        .iter()
        .map(|command| format!("  {COMMAND}{command}{COMMAND:#}"))
        .collect();
    let purges = match &ready.pending_purges {
        Ok(purges) => pending(purges, &commands.command("status")),
        Err(problem) => {
            let why = &problem.detail;
            format!("{WARNING}What is to be purged is unknown{WARNING:#}: {why}\n")
        }
    };
    format!(
        "{NAME}sealock{NAME:#} {version}
  registry  http://{at}   ({registry})
  TLS       https://{at}, with the CA {ca}
            {fingerprint}
  control   http://{at}{control}
  key       {key}
  data      {data_dir}
{purges}{wrong}
Try, in another terminal:
{tries}

For a client that does not trust the CA:
  {COMMAND}{trust}{COMMAND:#}
For one that does not find {registry}.azurecr.localhost:
  {COMMAND}{hosts}{COMMAND:#}
",
        version = env!("CARGO_PKG_VERSION"),
        registry = ready.default_registry,
        control = sealock_api::BASE,
        ca = match &ready.ca_file {
            Some(file) => file.display().to_string(),
            None => format!("http://{at}{}/ca.pem", sealock_api::BASE),
        },
        fingerprint = ready.ca_fingerprint,
        data_dir = match &ready.data_dir {
            Some(dir) => dir.display().to_string(),
            None => "in memory, gone with this process".to_owned(),
        },
        wrong = wrong(&ready.storage, &commands),
        tries = tries.join("\n"),
        trust = commands.command("trust"),
        hosts = commands.command("hosts"),
    )
}

/// Shows the key version that encrypts the registry, and whether there is one.
fn key(registry: &Registry) -> (String, bool) {
    let Encryption::Enabled {
        versioned_key_identifier: kid,
        ..
    } = &registry.encryption
    else {
        let none = "none: this registry has no customer-managed key".to_owned();
        return (none, false);
    };
    let shown = match &registry.gate {
        Gate::Available { .. } => kid.clone(),
        Gate::Revoked { cause, .. } => format!("{kid} (revoked: {cause})"),
        Gate::Unknown { message } => format!("{kid} (unknown: {message})"),
    };
    (shown, true)
}

/// Describes the problems of the disk and the ways to free room.
fn wrong(storage: &Storage, commands: &Commands) -> String {
    if storage.problems.is_empty() {
        return String::new();
    }
    let mut lines = Vec::new();
    for problem in &storage.problems {
        lines.push(format!("\n{WARNING}{}{WARNING:#}", problem.description));
        lines.push(format!("  {}", commands.remedy(problem)));
    }
    for data in &storage.reclaimable {
        let (description, bytes) = (&data.description, data.bytes);
        lines.push(
            match data.hint.as_ref().and_then(|hint| commands.of(hint)) {
                Some(command) => {
                    format!("  {bytes} bytes: {description}: {COMMAND}{command}{COMMAND:#}")
                }
                None => format!("  {bytes} bytes: {description}"),
            },
        );
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Describes the purges that come soon, and names the command that shows how to prevent them.
fn pending(purges: &[PendingPurge], status: &str) -> String {
    let Some(last) = purges.iter().map(|purge| purge.purged_in_seconds).max() else {
        return String::new();
    };
    let last = SignedDuration::from_secs(last);
    let mut lines: Vec<_> = purges
        .iter()
        .take(PURGES_NAMED)
        .map(|purge| {
            let (vault, due) = (&purge.vault, purge.scheduled_purge);
            match &purge.key {
                Some(key) => format!("  key {vault}/{key}, due {due}"),
                None => format!("  vault {vault}, due {due}"),
            }
        })
        .collect();
    if purges.len() > PURGES_NAMED {
        lines.push(format!("  and {} more", purges.len() - PURGES_NAMED));
    }
    format!(
        "
{WARNING}Purged in {last:#} of running{WARNING:#}, unless recovered; fell due while the emulator was stopped, or in a
step of the system's clock:
{lines}
For the commands that recover it: {COMMAND}{status}{COMMAND:#}
",
        lines = lines.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use sealock_api::Hint;

    use super::*;

    fn told(purges: &[PendingPurge]) -> String {
        anstream::adapter::strip_str(&pending(purges, "sealock status")).to_string()
    }

    #[test]
    fn pending_purges_are_told_with_when_and_what_to_do() {
        let of_vault = PendingPurge {
            vault: "kv1".parse().unwrap(),
            key: None,
            scheduled_purge: Timestamp::UNIX_EPOCH.into(),
            purged_in_seconds: 3600,
            recover: Hint::ShowStatus,
        };
        let of_key = PendingPurge {
            key: Some("k1".parse().unwrap()),
            ..of_vault.clone()
        };
        assert_eq!(told(&[]), "");
        assert_eq!(
            told(&[of_vault, of_key.clone()]),
            "
Purged in 1h of running, unless recovered; fell due while the emulator was stopped, or in a
step of the system's clock:
  vault kv1, due 1970-01-01T00:00:00Z
  key kv1/k1, due 1970-01-01T00:00:00Z
For the commands that recover it: sealock status
"
        );
        let told = told(&vec![of_key; PURGES_NAMED + 2]);
        assert_eq!(told.matches("kv1/k1").count(), PURGES_NAMED);
        assert!(told.contains("  and 2 more\n"), "{told}");
    }
}
