use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use sealock_cmk::Standing;
use sealock_vault::PendingPurge;

use crate::{
    Auth,
    services::Services,
    storage::{self, Relief, Storage},
    tls::Trust,
};

const NAME: Style = Style::new().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const COMMAND: Style = AnsiColor::Cyan.on_default();

/// The port that the command line expects an emulator at.
const DEFAULT_PORT: u16 = 5000;

/// The number of pending purges that the banner names. `sealock status` names all of them.
const PURGES_NAMED: usize = 8;

/// Tells a person where everything is and what to try.
pub(crate) async fn print(
    services: &Services,
    storage: &Storage,
    port: u16,
    data_dir: &str,
    trust: &Trust,
    auth: Auth,
) {
    let registry = &services.default_registry;
    let (key, encrypted) = match services.registries.get(registry).await {
        Ok(registry) if registry.record.encrypted => (key(services, &registry).await, true),
        Ok(_) => (
            "none: this registry has no customer-managed key".to_owned(),
            false,
        ),
        Err(error) => (error.to_string(), false),
    };
    let at = format!("localhost:{port}");
    let sealock = std::env::args()
        .next()
        .unwrap_or_else(|| "sealock".to_owned());
    let emulator = match port {
        DEFAULT_PORT => String::new(),
        _ => format!(" --emulator http://{at}"),
    };
    let command = |words: &str| format!("{sealock} {words}{emulator}");
    let commands = match auth {
        // There is nothing yet to log in with.
        Auth::Enforced => ["status", "key show", "audit"].map(command).to_vec(),
        Auth::Friendly => vec![
            format!("docker tag busybox {at}/hello:v1    # or any other image that you have"),
            format!("docker push {at}/hello:v1"),
            command(if encrypted {
                "key disable"
            } else {
                "inspect hello:v1"
            }),
            format!("docker pull {at}/hello:v1"),
        ],
    };
    let ca = match &trust.files {
        Some(files) => files.ca.display().to_string(),
        None => format!("http://{at}/_sealock/v1/ca.pem"),
    };

    let purges = match services.vault.pending_purges().await {
        Ok(purges) => pending(&purges, &command("status")),
        Err(error) => format!("{WARNING}What is to be purged is unknown{WARNING:#}: {error}\n"),
    };

    let reliefs = if storage.is_full {
        storage::reliefs(services).await
    } else {
        Vec::new()
    };
    let wrong = wrong(storage, &reliefs);

    let mut out = anstream::stdout().lock();
    let commands: Vec<_> = commands
        .iter()
        .map(|command| format!("  {COMMAND}{command}{COMMAND:#}"))
        .collect();
    // With standard output closed there is nobody to tell.
    let _ = writeln!(
        out,
        "{NAME}sealock{NAME:#} {version}
  registry  http://{at}   ({registry})
  TLS       https://{at}, with the CA {ca}
            {fingerprint}
  control   http://{at}/_sealock/v1
  key       {key}
  data      {data_dir}
{purges}{wrong}
Try, in another terminal:
{commands}

For a client that does not trust the CA:
  {COMMAND}{trust}{COMMAND:#}
For one that does not find {registry}.azurecr.localhost:
  {COMMAND}{hosts}{COMMAND:#}
",
        commands = commands.join("\n"),
        fingerprint = trust.ca_fingerprint,
        trust = command("trust"),
        hosts = command("hosts"),
        version = env!("CARGO_PKG_VERSION"),
    );
    let _ = out.flush();
}

async fn key(services: &Services, registry: &sealock_registry::Registry) -> String {
    match services.custodian.status(registry.record.id).await {
        Ok((status, standing)) => {
            let kid = services.names.key_uri(&status.kid.identifier());
            match standing {
                Standing::Available => kid,
                Standing::Revoked(revocation) => format!("{kid} (revoked: {})", revocation.cause),
                Standing::Unknown(error) => format!("{kid} (unknown: {error})"),
            }
        }
        Err(error) => format!("unknown: {error}"),
    }
}

/// Describes the problems of the disk and the ways to free room.
fn wrong(storage: &Storage, reliefs: &[Relief]) -> String {
    if storage.problems.is_empty() {
        return String::new();
    }
    let mut lines = Vec::new();
    for problem in &storage.problems {
        lines.push(format!("\n{WARNING}{}{WARNING:#}", problem.what));
        lines.push(format!("  {}", problem.remedy));
    }
    for relief in reliefs {
        let (what, bytes) = (&relief.what, relief.bytes);
        lines.push(match &relief.command {
            Some(command) => format!("  {bytes} bytes: {what}: {COMMAND}{command}{COMMAND:#}"),
            None => format!("  {bytes} bytes: {what}"),
        });
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Describes the purges that come soon, and names the command that shows how to prevent them.
fn pending(purges: &[PendingPurge], status: &str) -> String {
    let Some(last) = purges.iter().map(|purge| purge.purged_in).max() else {
        return String::new();
    };
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
    use jiff::{SignedDuration, Timestamp};

    use super::*;

    fn told(purges: &[PendingPurge]) -> String {
        anstream::adapter::strip_str(&pending(purges, "sealock status")).to_string()
    }

    #[test]
    fn pending_purges_are_told_with_when_and_what_to_do() {
        let of_vault = PendingPurge {
            vault: "kv1".parse().unwrap(),
            key: None,
            scheduled_purge: Timestamp::UNIX_EPOCH,
            purged_in: SignedDuration::from_hours(1),
            vault_is_deleted: true,
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
