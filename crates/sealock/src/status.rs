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
    registries: Vec<Registry>,
    pending_purges: Vec<PendingPurge>,
    quarantine: Quarantine,
}

/// The control API's view of what is purged before long, unless it is recovered.
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
        let records = registries.map(|registry| record(registry.title(), registry.custody(client)));
        let purges = self.pending_purges.iter();
        let records = records.chain(purges.map(|purge| purge.render(client)));
        let records = records.chain(self.quarantine.render(client));
        records.collect::<Vec<_>>().join("\n\n")
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
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pending_purge_is_shown_with_when_why_and_the_way_back() {
        let status: Status = serde_json::from_value(json!({"registries": [],
            "quarantine": {"files": 0, "bytes": 0, "since": null}, "pending_purges": [
            {"vault": "kv1", "key": null, "scheduled_purge": "2027-01-01T00:00:00Z",
                "purged_in_seconds": 3600, "recover": "sealock vault recover kv1"},
            {"vault": "kv1", "key": "k1", "scheduled_purge": "2027-01-01T00:00:00Z",
                "purged_in_seconds": 3540,
                "recover": "sealock vault recover kv1; then: sealock key recover k1 --vault kv1"},
        ]}))
        .unwrap();
        let client = Client::new(&"http://localhost:1".parse().unwrap(), true);
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
}
