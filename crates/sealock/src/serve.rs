use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, ValueEnum};

use crate::{banner, error::Error, remedy};

/// Run the emulator
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealock serve
  sealock serve --ephemeral --listen 127.0.0.1:0 --ready-file ready.json")]
pub(crate) struct Serve {
    /// Configuration file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address to listen on; port 0 picks a free port (repeatable)
    #[arg(long, value_name = "ADDR", value_parser = sealock_emulator::listen_address)]
    listen: Vec<SocketAddr>,
    /// Data directory
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Keep all state in memory; it is lost when the process ends
    #[arg(long, conflicts_with = "data_dir")]
    ephemeral: bool,
    /// File to write once the emulator is ready
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Name by which clients reach the emulator
    #[arg(long, value_name = "HOST[:PORT]")]
    public_name: Option<String>,
    /// Log format
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
        let served = sealock_emulator::serve(flags, |ready| banner::print(&ready));
        served.map_err(|error| remedy::failed(&error))
    }
}
