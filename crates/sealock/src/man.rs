use std::path::PathBuf;

use clap::{Args, Command};
use fs_err as fs;

use crate::{error::Error, output::Output};

/// Print the manual page, or write the pages of all commands
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealock man | man -l -
  sealock man --dir ~/.local/share/man/man1")]
pub(crate) struct Man {
    /// Directory to write the pages of all commands to
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Man {
    /// Prints the page of `command`, or writes the pages of all subcommands.
    pub(crate) fn run(&self, command: Command, output: &mut Output) -> Result<(), Error> {
        let Some(dir) = &self.dir else {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            return output.line(String::from_utf8_lossy(&page).trim_end());
        };
        let written = fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(command, dir));
        written.map_err(|error| Error::system(&error))?;
        output.done(format!("wrote the manual pages to {}", dir.display()))
    }
}
