use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use jiff::SignedDuration;
use sealock_api::{Encryption, Gate, PendingPurge, Registry, Storage};
use sealock_emulator::{Auth, Ready};

use crate::{commands::Commands, output::WARNING};

/// The last line of the banner. Programs wait for it, so it never changes.
const READY: &str = "Sealock is ready";

const NAME: Style = Style::new().bold();
const COMMAND: Style = AnsiColor::Cyan.on_default();

/// The number of pending purges that the banner lists. `sealock status` lists all of them.
const PURGES_SHOWN: usize = 8;

/// Prints the emulator's addresses and commands to try.
pub(crate) fn print(ready: &Ready) {
    // A closed standard output cannot be reported anywhere.
    let mut out = anstream::stdout().lock();
    let _ = writeln!(out, "{}\n{READY}", render(ready));
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
    let suggestions = match ready.auth {
        // No credentials exist yet to log in with.
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
    let suggestions: Vec<_> = suggestions
        .iter()
        .map(|command| format!("  {COMMAND}{command}{COMMAND:#}"))
        .collect();
    let purges = match &ready.pending_purges {
        Ok(purges) => pending(purges, &commands.command("status")),
        Err(problem) => {
            let why = &problem.detail;
            format!("{WARNING}Pending purges are unknown{WARNING:#}: {why}\n")
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
{purges}{problems}
Try, in another terminal:
{suggestions}

For a client that does not trust the CA:
  {COMMAND}{trust}{COMMAND:#}
For a client that cannot resolve {registry}.azurecr.localhost:
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
            None => "in memory, lost when this process ends".to_owned(),
        },
        problems = problems(&ready.storage, &commands),
        suggestions = suggestions.join("\n"),
        trust = commands.command("trust"),
        hosts = commands.command("hosts"),
    )
}

/// Describes the key version that encrypts the registry, and returns true if there is one.
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

/// Describes the problems of the store and the ways to free space.
fn problems(storage: &Storage, commands: &Commands) -> String {
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
            match data.hint.as_ref().and_then(|hint| commands.for_hint(hint)) {
                Some(command) => {
                    format!(
                        "  can free {bytes} bytes ({description}): {COMMAND}{command}{COMMAND:#}"
                    )
                }
                None => format!("  can free {bytes} bytes ({description})"),
            },
        );
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Describes the pending purges, and names the command that shows how to prevent them.
fn pending(purges: &[PendingPurge], status: &str) -> String {
    let Some(last) = purges.iter().map(|purge| purge.purged_in_seconds).max() else {
        return String::new();
    };
    let last = SignedDuration::from_secs(last);
    let mut lines: Vec<_> = purges
        .iter()
        .take(PURGES_SHOWN)
        .map(|purge| {
            let (vault, due) = (&purge.vault, purge.scheduled_purge);
            match &purge.key {
                Some(key) => format!("  key {vault}/{key}, due {due}"),
                None => format!("  vault {vault}, due {due}"),
            }
        })
        .collect();
    if purges.len() > PURGES_SHOWN {
        lines.push(format!("  and {} more", purges.len() - PURGES_SHOWN));
    }
    format!(
        "
{WARNING}To be purged after another {last:#} of uptime{WARNING:#}, unless recovered: their retention ended while the
emulator was stopped, or when the system clock jumped:
{lines}
To see how to recover them: {COMMAND}{status}{COMMAND:#}
",
        lines = lines.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use sealock_api::Hint;

    use super::*;

    fn text(purges: &[PendingPurge]) -> String {
        anstream::adapter::strip_str(&pending(purges, "sealock status")).to_string()
    }

    #[test]
    fn pending_purges_are_listed_with_their_time_and_recovery() {
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
        assert_eq!(text(&[]), "");
        assert_eq!(
            text(&[of_vault, of_key.clone()]),
            "
To be purged after another 1h of uptime, unless recovered: their retention ended while the
emulator was stopped, or when the system clock jumped:
  vault kv1, due 1970-01-01T00:00:00Z
  key kv1/k1, due 1970-01-01T00:00:00Z
To see how to recover them: sealock status
"
        );
        let text = text(&vec![of_key; PURGES_SHOWN + 2]);
        assert_eq!(text.matches("kv1/k1").count(), PURGES_SHOWN);
        assert!(text.contains("  and 2 more\n"), "{text}");
    }
}
