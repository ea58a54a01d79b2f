use std::iter;

use jiff::SignedDuration;
use serde::Deserialize;

use crate::{client::Client, error::Error, output::Output};

#[derive(Debug, Deserialize)]
struct Health {
    status: String,
    problems: Vec<String>,
    version: String,
    uptime_seconds: u32,
}

pub(crate) fn run(client: &Client, output: &mut Output) -> Result<(), Error> {
    output.show(&client.get("health")?, |health: &Health| {
        let uptime = SignedDuration::from_secs(health.uptime_seconds.into());
        let state = format!(
            "{}, version {}, up {uptime:#}",
            health.status, health.version
        );
        let problems = health.problems.iter().cloned();
        iter::once(state)
            .chain(problems)
            .collect::<Vec<_>>()
            .join("\n")
    })
}
