use jiff::SignedDuration;
use serde::Deserialize;

use crate::{client::Client, error::Error, output::Output};

#[derive(Debug, Deserialize)]
struct Health {
    status: String,
    version: String,
    uptime_seconds: u32,
}

pub(crate) fn run(client: &Client, output: &mut Output) -> Result<(), Error> {
    output.show(&client.get("health")?, |health: &Health| {
        let uptime = SignedDuration::from_secs(health.uptime_seconds.into());
        format!(
            "{}, version {}, up {uptime:#}",
            health.status, health.version
        )
    })
}
