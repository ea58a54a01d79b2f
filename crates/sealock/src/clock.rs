use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};
use sealock_api::{
    AdvanceClock, Clock, ClockStep, ClockTime, FreezeClock, ResumeClock, SetClock, ShowClock,
};

use crate::{
    cli::time,
    client::{Answer, Client},
    error::Error,
    output::Output,
};

#[derive(Debug, Subcommand)]
pub(crate) enum ClockCommand {
    /// Show the emulator's time
    #[command(after_help = "Example:\n  sealock clock show")]
    Show,
    /// Move the emulator's time on
    #[command(after_help = "\
Examples:
  sealock clock advance 1h
  sealock clock advance 90d
  sealock clock advance -1h
  sealock clock set $(date -u +%FT%TZ)    # the system's time again")]
    Advance {
        /// How far: 90s, 1h, '1h 30m', 90d; negative to go back
        #[arg(allow_hyphen_values = true)]
        by: String,
    },
    /// Stop the emulator's time
    #[command(after_help = "Example:\n  sealock clock freeze")]
    Freeze,
    /// Let the emulator's time run on from where it stands
    #[command(after_help = "Example:\n  sealock clock resume")]
    Resume,
    /// Set the emulator's time
    #[command(after_help = "\
Examples:
  sealock clock set 2030-01-01T00:00:00Z
  sealock clock set $(date -u +%FT%TZ)    # the system's time again")]
    Set {
        /// The time, as in RFC 3339
        #[arg(value_parser = time)]
        now: Timestamp,
    },
}

impl ClockCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        output.show(&self.ask(client)?, render)
    }

    fn ask(self, client: &Client) -> Result<Answer<Clock>, Error> {
        match self {
            Self::Show => client.ask(&ShowClock {}),
            Self::Advance { by } => client.ask_with(&AdvanceClock {}, &ClockStep { by }),
            Self::Freeze => client.ask(&FreezeClock {}),
            Self::Resume => client.ask(&ResumeClock {}),
            Self::Set { now } => client.ask_with(&SetClock {}, &ClockTime { now: now.into() }),
        }
    }
}

fn render(clock: &Clock) -> String {
    let distance = match clock.ahead_seconds {
        None | Some(0) => String::new(),
        Some(ahead) => {
            let side = if ahead > 0 { "ahead of" } else { "behind" };
            let distance = SignedDuration::from_secs(ahead).abs();
            format!(", {distance:#} {side} the system's")
        }
    };
    format!("{}, {}{distance}", clock.now, clock.state)
}
