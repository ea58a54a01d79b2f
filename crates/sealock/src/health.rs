use std::iter;

use jiff::SignedDuration;
use sealock_api::{Health, ShowHealth};

use crate::{client::Client, error::Error, output::Output};

pub(crate) fn run(client: &Client, output: &mut Output) -> Result<(), Error> {
    output.show(&client.ask(&ShowHealth {})?, |health: &Health| {
        let uptime = SignedDuration::from_secs(health.uptime_seconds);
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
