use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, ValueEnum};
use sealock_api::Hint;

use crate::{banner, commands::Commands, error::Error, remedy};

/// Run the emulator until it is stopped
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealock serve
  sealock serve --ephemeral --listen 127.0.0.1:0 --ready-file ready.json")]
pub(crate) struct Serve {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The address to listen on; port 0 takes a free one (may be repeated)
    #[arg(long, value_name = "ADDR", value_parser = sealock_emulator::listen_address)]
    listen: Vec<SocketAddr>,
    /// Where the state is kept
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Keep the state in memory, gone with the process
    #[arg(long, conflicts_with = "data_dir")]
    ephemeral: bool,
    /// The file to write once the emulator answers
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// The name under which clients reach the emulator
    #[arg(long, value_name = "HOST[:PORT]")]
    public_name: Option<String>,
    /// How log lines look
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

impl Serve {
    pub(crate) fn run(self) -> Result<(), Error> {
        let flags = sealock_emulator::Flags {
            config: self.config,
            listen: self.listen,
            data_dir: self.data_dir,
            ephemeral: self.ephemeral,
            ready_file: self.ready_file,
            public_name: self.public_name,
            log_format: self.log_format.map(|format| match format {
                LogFormat::Text => sealock_emulator::LogFormat::Text,
                LogFormat::Json => sealock_emulator::LogFormat::Json,
            }),
        };
        let served = sealock_emulator::serve(flags, command, |ready| banner::print(&ready));
        served.map_err(|error| remedy::failed(&error))
    }
}

/// Writes the command of a hint, for the emulator at a port of this machine.
fn command(port: u16, hint: &Hint) -> Option<String> {
    Commands::default().for_port(port).of(hint)
}
