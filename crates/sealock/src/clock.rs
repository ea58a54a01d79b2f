use std::iter;

use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};
use sealock_api::{
    AdvanceClock, Clock, ClockMove, ClockStep, ClockTime, FreezeClock, Purge, ResumeClock,
    SetClock, ShowClock,
};

use crate::{arguments::time, client::Client, effect::show_change, error::Error, output::Output};

#[derive(Debug, Subcommand)]
pub(crate) enum ClockCommand {
    /// Show the emulator's clock
    #[command(after_help = "Example:\n  sealock clock show")]
    Show,
    /// Advance the clock; with --yes even past the end of a retention, which purges
    #[command(after_help = "\
Examples:
  sealock clock advance 1h
  sealock clock advance 90d --yes
  sealock clock advance -1h
  sealock clock set $(date -u +%FT%TZ)    # back to the system's time")]
    Advance {
        /// Duration: 90s, 1h, '1h 30m', 90d; negative to go back
        #[arg(allow_hyphen_values = true)]
        by: String,
    },
    /// Stop the clock
    #[command(after_help = "Example:\n  sealock clock freeze")]
    Freeze,
    /// Let the clock run on from its current time
    #[command(after_help = "Example:\n  sealock clock resume")]
    Resume,
    /// Set the clock; with --yes even past the end of a retention, which purges
    #[command(after_help = "\
Examples:
  sealock clock set 2030-01-01T00:00:00Z
  sealock clock set $(date -u +%FT%TZ)    # back to the system's time")]
    Set {
        /// Time (RFC 3339)
        #[arg(value_parser = time)]
        now: Timestamp,
    },
}

impl ClockCommand {
    pub(crate) fn run(
        self,
        client: &Client,
        output: &mut Output,
        allow_purge: bool,
    ) -> Result<(), Error> {
        let moved = match self {
            Self::Show => return output.show(&client.ask(&ShowClock {})?, render),
            Self::Freeze => return output.show(&client.ask(&FreezeClock {})?, render),
            Self::Resume => return output.show(&client.ask(&ResumeClock {})?, render),
            Self::Advance { by } => {
                client.ask_with_body(&AdvanceClock {}, &ClockStep { by, allow_purge })?
            }
            Self::Set { now } => {
                let now = now.into();
                client.ask_with_body(&SetClock {}, &ClockTime { now, allow_purge })?
            }
        };
        show_change(&moved, render_move, client, output)
    }
}

/// Renders the clock, and the rotations and purges that its move caused.
fn render_move(moved: &ClockMove) -> String {
    let rotated = moved.rotated.iter().map(|kid| format!("rotated to {kid}"));
    let purged = moved.purged.iter().map(|Purge { vault, key }| match key {
        Some(key) => format!("purged key {key} of vault {vault}"),
        None => format!("purged vault {vault}"),
    });
    let lines = iter::once(render(&moved.clock))
        .chain(rotated)
        .chain(purged);
    lines.collect::<Vec<_>>().join("\n")
}

fn render(clock: &Clock) -> String {
    let distance = match clock.ahead_seconds {
        None | Some(0) => String::new(),
        Some(ahead) => {
            let side = if ahead > 0 { "ahead of" } else { "behind" };
            let distance = SignedDuration::from_secs(ahead).abs();
            format!(", {distance:#} {side} the system clock")
        }
    };
    format!("{}, {}{distance}", clock.now, clock.state)
}
