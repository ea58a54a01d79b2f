use std::{
    thread,
    time::{Duration, Instant},
};

use clap::{ArgGroup, Args};
use jiff::SignedDuration;
use sealock_api::{Gate, Registry, ShowHealth, ShowRegistry};
use sealock_core::RegistryName;

use crate::{client::Client, error::Error, output::Output, progress, target::ParentArgs};

/// The interval between two requests.
const INTERVAL: Duration = Duration::from_millis(100);

/// Wait until the emulator is up, or a registry is revoked or available
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("state").required(true),
    after_help = "\
Examples:
  sealock serve & sealock wait --ready
  sealock wait --revoked --registry myregistry --timeout 10s"
)]
pub(crate) struct Wait {
    /// Wait until the emulator answers
    #[arg(long, group = "state")]
    ready: bool,
    /// Wait until the registry is revoked
    #[arg(long, group = "state")]
    revoked: bool,
    /// Wait until the registry is available
    #[arg(long, group = "state")]
    available: bool,
    #[command(flatten)]
    registry: ParentArgs<RegistryName>,
    /// Maximum time to wait, in real time: 500ms, 30s, 5m
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    timeout: Duration,
}

impl Wait {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        progress::during("waiting", || self.wait(client))?;
        let state = if self.ready {
            format!("the emulator at {} is ready", client.emulator())
        } else {
            format!("registry {} is {}", self.registry.name, self.state())
        };
        output.done(state)
    }

    fn wait(&self, client: &Client) -> Result<(), Error> {
        // A deadline that the clock cannot represent never comes.
        let deadline = Instant::now().checked_add(self.timeout);
        loop {
            let why_not = match self.is_reached(client) {
                Ok(true) => return Ok(()),
                Ok(false) => format!("registry {} is not {}", self.registry.name, self.state()),
                // The emulator may still be starting.
                Err(error @ (Error::NoEmulator(_) | Error::Incomplete { .. })) => error.to_string(),
                Err(error) => return Err(error),
            };
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                let waited = SignedDuration::try_from(self.timeout).unwrap_or_default();
                return Err(Error::failed(format_args!("{why_not} after {waited:#}")));
            }
            thread::sleep(INTERVAL);
        }
    }

    fn is_reached(&self, client: &Client) -> Result<bool, Error> {
        if self.ready {
            return client.ask(&ShowHealth {}).map(|_| true);
        }
        let registry = self.registry.name.clone();
        let Registry { gate, .. } = client.ask(&ShowRegistry { registry })?.parse()?;
        Ok(match gate {
            Gate::Available { .. } => self.available,
            Gate::Revoked { .. } => self.revoked,
            Gate::Unknown { .. } => false,
        })
    }

    fn state(&self) -> &'static str {
        if self.revoked { "revoked" } else { "available" }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let expected = "expected a duration such as 500ms, 30s or 5m";
    let duration: SignedDuration = text.parse().map_err(|_| expected.to_owned())?;
    Duration::try_from(duration).map_err(|_| expected.to_owned())
}
