use std::{io::IsTerminal as _, thread, time::Duration};

use clap::Args;
use jiff::SignedDuration;
use sealock_api::{self as api, Gate, PendingPurge, ShowStatus, Storage};
use serde_json::Value;

use crate::{
    client::Client,
    commands::Commands,
    error::Error,
    output::{BAD, Output, TITLE, record},
    quarantine, registry,
};

/// The interval at which `--watch` reads the state.
const INTERVAL: Duration = Duration::from_millis(500);

/// Clears a terminal and moves the cursor to its top.
const CLEAR: &str = "\u{1b}[2J\u{1b}[H";

/// Show which registries are available or revoked, and why
///
/// Exits with code 3 if a registry is revoked.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealock status
  sealock status --watch")]
pub(crate) struct Status {
    /// Keep running, and show the state again whenever it changes
    #[arg(long)]
    watch: bool,
}

impl Status {
    pub(crate) fn run(&self, client: &Client, output: &mut Output) -> Result<(), Error> {
        if self.watch {
            watch(client, output)
        } else {
            show(client, output)
        }
    }
}

fn show(client: &Client, output: &mut Output) -> Result<(), Error> {
    let answer = client.ask(&ShowStatus {})?;
    output.show(&answer, |status| render(status, client.commands()))?;
    let is_revoked = |registry: &api::Registry| matches!(registry.gate, Gate::Revoked { .. });
    if answer.parse()?.registries.iter().any(is_revoked) {
        return Err(Error::Revoked);
    }
    Ok(())
}

fn watch(client: &Client, output: &mut Output) -> Result<(), Error> {
    let clears_screen = std::io::stdout().is_terminal() && !output.is_json();
    let mut shown = None;
    loop {
        let answer = client.ask(&ShowStatus {})?;
        let state = without_countdown(answer.parse()?)?;
        if shown.as_ref() != Some(&state) {
            if clears_screen {
                output.line(CLEAR)?;
            } else if shown.is_some() {
                output.line("")?;
            }
            output.show(&answer, |status| render(status, client.commands()))?;
            shown = Some(state);
        }
        thread::sleep(INTERVAL);
    }
}

/// Returns the state without the seconds until each purge, which always change.
fn without_countdown(mut status: api::Status) -> Result<Value, Error> {
    for purge in &mut status.pending_purges {
        purge.purged_in_seconds = 0;
    }
    Ok(serde_json::to_value(status).map_err(std::io::Error::from)?)
}

fn render(status: &api::Status, commands: &Commands) -> String {
    let registries = status.registries.iter();
    let registries = registries.map(|registry| {
        record(
            registry::title(registry),
            registry::custody(registry, commands),
        )
    });
    let records = storage(&status.storage, commands)
        .into_iter()
        .chain(registries);
    let purges = status.pending_purges.iter();
    let records = records.chain(purges.map(|purge| pending(purge, commands)));
    let records = records.chain(quarantine::render(&status.quarantine, commands));
    records.collect::<Vec<_>>().join("\n\n")
}

/// Renders the problems of the store, or `None` if there are none.
fn storage(storage: &Storage, commands: &Commands) -> Option<String> {
    if storage.problems.is_empty() {
        return None;
    }
    let mut fields = Vec::new();
    for problem in &storage.problems {
        fields.push(("problem", problem.description.clone()));
        fields.extend(problem.detail.iter().map(|detail| ("", detail.clone())));
        fields.push(("remedy", commands.remedy(problem)));
    }
    for data in &storage.reclaimable {
        let (description, bytes) = (&data.description, data.bytes);
        let command = data.hint.as_ref().and_then(|hint| commands.for_hint(hint));
        let command = command.map_or_else(String::new, |command| format!(": {command}"));
        fields.push((
            "can free",
            format!("{bytes} bytes ({description}){command}"),
        ));
    }
    let title = format!("{TITLE}storage{TITLE:#}  {BAD}{}{BAD:#}", storage.status);
    Some(record(title, fields))
}

fn pending(purge: &PendingPurge, commands: &Commands) -> String {
    let name = match &purge.key {
        Some(key) => format!("key {}/{key}", purge.vault),
        None => format!("vault {}", purge.vault),
    };
    let left = SignedDuration::from_secs(purge.purged_in_seconds);
    let why = "its retention ended while the emulator was stopped, or when the system clock jumped";
    let mut fields = vec![
        ("message", why.to_owned()),
        ("scheduled purge", purge.scheduled_purge.to_string()),
    ];
    let recover = commands.for_hint(&purge.recover);
    fields.extend(recover.map(|recover| ("recover", recover)));
    record(
        format!(
            "{TITLE}{name}{TITLE:#}  {BAD}to be purged{BAD:#} after another {left:#} of uptime"
        ),
        fields,
    )
}

#[cfg(test)]
mod tests {
    use clap::parser::ValueSource;
    use serde_json::json;

    use super::*;

    fn shown(status: Value) -> String {
        let status: api::Status = serde_json::from_value(status).unwrap();
        let commands = Commands::new("http://localhost:1", ValueSource::CommandLine);
        anstream::adapter::strip_str(&render(&status, &commands)).to_string()
    }

    fn storage_without_problems() -> Value {
        json!({"status": "ok", "problems": [], "held_events": 0, "lost_events": 0, "damage": [],
            "reclaimable": []})
    }

    #[test]
    fn pending_purge_is_shown_with_its_time_cause_and_recovery() {
        let shown = shown(json!({
            "storage": storage_without_problems(),
            "registries": [],
            "quarantine": {"files": 0, "bytes": 0, "since": null}, "pending_purges": [
            {"vault": "kv1", "key": null, "scheduled_purge": "2027-01-01T00:00:00Z",
                "purged_in_seconds": 3600, "recover": {"action": "recover_vault", "vault": "kv1"}},
            {"vault": "kv1", "key": "k1", "scheduled_purge": "2027-01-01T00:00:00Z",
                "purged_in_seconds": 3540,
                "recover": {"action": "recover_vault_and_key", "vault": "kv1", "key": "k1"}},
        ]}));
        assert_eq!(
            shown,
            "\
vault kv1  to be purged after another 1h of uptime
  message          its retention ended while the emulator was stopped, or when the system clock jumped
  scheduled purge  2027-01-01T00:00:00Z
  recover          sealock vault recover kv1 --emulator http://localhost:1

key kv1/k1  to be purged after another 59m of uptime
  message          its retention ended while the emulator was stopped, or when the system clock jumped
  scheduled purge  2027-01-01T00:00:00Z
  recover          sealock vault recover kv1 --emulator http://localhost:1 && sealock key recover k1 --vault kv1 --emulator http://localhost:1"
        );
    }

    #[test]
    fn storage_problems_come_first_with_ways_to_free_space() {
        let mut storage = storage_without_problems();
        storage["status"] = "degraded".into();
        storage["problems"] = json!([{"description": "no space is left", "remedy": "make room",
            "hints": [{"action": "collect_garbage", "registry": null}],
            "detail": "cannot write `/data/x`"}]);
        storage["reclaimable"] = json!([
            {"description": "blobs", "bytes": 5, "hint": {"action": "collect_garbage", "registry": "myregistry"}},
            {"description": "uploads", "bytes": 7, "hint": null},
        ]);
        let shown = shown(json!({
            "storage": storage, "registries": [], "pending_purges": [],
            "quarantine": {"files": 0, "bytes": 0, "since": null},
        }));
        assert_eq!(
            shown,
            "\
storage  degraded
  problem   no space is left
            cannot write `/data/x`
  remedy    make room; or remove unreferenced blobs with: sealock registry gc --emulator http://localhost:1
  can free  5 bytes (blobs): sealock registry gc myregistry --emulator http://localhost:1
  can free  7 bytes (uploads)"
        );
    }
}
