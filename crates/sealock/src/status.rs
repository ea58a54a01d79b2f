use jiff::SignedDuration;
use serde::Deserialize;

use crate::{
    client::Client,
    error::Error,
    output::{BAD, Output, TITLE, record},
    quarantine::Quarantine,
    registry::Registry,
};

/// The control API's view of everything.
#[derive(Debug, Deserialize)]
struct Status {
    storage: Storage,
    registries: Vec<Registry>,
    pending_purges: Vec<PendingPurge>,
    quarantine: Quarantine,
}

/// The control API's view of the store's state.
#[derive(Debug, Deserialize)]
struct Storage {
    status: String,
    problems: Vec<Problem>,
    reliefs: Vec<Relief>,
}

/// The control API's view of a problem.
#[derive(Debug, Deserialize)]
struct Problem {
    what: String,
    remedy: String,
    detail: Option<String>,
}

/// The control API's view of data that could be removed to free room.
#[derive(Debug, Deserialize)]
struct Relief {
    what: String,
    bytes: u64,
    command: Option<String>,
}

/// The control API's view of a vault or key that is purged before long, unless it is recovered.
#[derive(Debug, Deserialize)]
struct PendingPurge {
    vault: String,
    key: Option<String>,
    scheduled_purge: String,
    purged_in_seconds: i64,
    recover: String,
}

pub(crate) fn run(client: &Client, output: &mut Output) -> Result<(), Error> {
    output.show(&client.get("status")?, |status: &Status| {
        status.render(client)
    })
}

impl Status {
    fn render(&self, client: &Client) -> String {
        let registries = self.registries.iter();
        let registries =
            registries.map(|registry| record(registry.title(), registry.custody(client)));
        let records = self.storage.render(client).into_iter().chain(registries);
        let purges = self.pending_purges.iter();
        let records = records.chain(purges.map(|purge| purge.render(client)));
        let records = records.chain(self.quarantine.render(client));
        records.collect::<Vec<_>>().join("\n\n")
    }
}

impl Storage {
    /// Renders the problems. `None` if there are none.
    fn render(&self, client: &Client) -> Option<String> {
        if self.problems.is_empty() {
            return None;
        }
        let mut fields = Vec::new();
        for problem in &self.problems {
            fields.push(("problem", problem.what.clone()));
            fields.extend(problem.detail.iter().map(|detail| ("", detail.clone())));
            fields.push(("remedy", client.commands(&problem.remedy)));
        }
        for relief in &self.reliefs {
            let (what, bytes) = (&relief.what, relief.bytes);
            let frees = match &relief.command {
                Some(command) => format!("{bytes} bytes: {}", client.commands(command)),
                None => format!("{bytes} bytes"),
            };
            fields.push(("room", format!("{what}: {frees}")));
        }
        let title = format!("{TITLE}storage{TITLE:#}  {BAD}{}{BAD:#}", self.status);
        Some(record(title, fields))
    }
}

impl PendingPurge {
    fn render(&self, client: &Client) -> String {
        let name = match &self.key {
            Some(key) => format!("key {}/{key}", self.vault),
            None => format!("vault {}", self.vault),
        };
        let left = SignedDuration::from_secs(self.purged_in_seconds);
        let why = "its retention passed while the emulator was stopped, or in a step of the system's clock";
        record(
            format!("{TITLE}{name}{TITLE:#}  {BAD}to be purged{BAD:#}: in {left:#} of running"),
            [
                ("message", why.to_owned()),
                ("scheduled purge", self.scheduled_purge.clone()),
                ("recover", client.commands(&self.recover)),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use clap::parser::ValueSource;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pending_purge_is_shown_with_when_why_and_the_way_back() {
        let status: Status = serde_json::from_value(json!({
            "storage": {"status": "ok", "problems": [], "reliefs": []},
            "registries": [],
            "quarantine": {"files": 0, "bytes": 0, "since": null}, "pending_purges": [
            {"vault": "kv1", "key": null, "scheduled_purge": "2027-01-01T00:00:00Z",
                "purged_in_seconds": 3600, "recover": "sealock vault recover kv1"},
            {"vault": "kv1", "key": "k1", "scheduled_purge": "2027-01-01T00:00:00Z",
                "purged_in_seconds": 3540,
                "recover": "sealock vault recover kv1; then: sealock key recover k1 --vault kv1"},
        ]}))
        .unwrap();
        let client = Client::new(
            &"http://localhost:1".parse().unwrap(),
            ValueSource::CommandLine,
        );
        let shown = anstream::adapter::strip_str(&status.render(&client)).to_string();
        assert_eq!(
            shown,
            "\
vault kv1  to be purged: in 1h of running
  message          its retention passed while the emulator was stopped, or in a step of the system's clock
  scheduled purge  2027-01-01T00:00:00Z
  recover          sealock vault recover kv1 --emulator http://localhost:1

key kv1/k1  to be purged: in 59m of running
  message          its retention passed while the emulator was stopped, or in a step of the system's clock
  scheduled purge  2027-01-01T00:00:00Z
  recover          sealock vault recover kv1 --emulator http://localhost:1; then: sealock key recover k1 --vault kv1 --emulator http://localhost:1"
        );
    }

    #[test]
    fn what_is_wrong_with_the_disk_comes_first_with_what_frees_room() {
        let status: Status = serde_json::from_value(json!({
            "storage": {
                "status": "degraded",
                "problems": [{"what": "no space is left", "remedy": "run: sealock registry gc",
                    "detail": "cannot write `/data/x`"}],
                "reliefs": [
                    {"what": "blobs", "bytes": 5, "command": "sealock registry gc r"},
                    {"what": "uploads", "bytes": 7, "command": null},
                ],
            },
            "registries": [], "pending_purges": [],
            "quarantine": {"files": 0, "bytes": 0, "since": null},
        }))
        .unwrap();
        let client = Client::new(
            &"http://localhost:1".parse().unwrap(),
            ValueSource::CommandLine,
        );
        let shown = anstream::adapter::strip_str(&status.render(&client)).to_string();
        assert_eq!(
            shown,
            "\
storage  degraded
  problem  no space is left
           cannot write `/data/x`
  remedy   run: sealock registry gc --emulator http://localhost:1
  room     blobs: 5 bytes: sealock registry gc r --emulator http://localhost:1
  room     uploads: 7 bytes"
        );
    }
}
