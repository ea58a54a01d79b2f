use clap::{Args, Command};
use clap_complete::Shell;

use crate::{error::Error, output::Output};

/// Print the completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  source <(sealock completion bash)
  sealock completion zsh > ~/.zfunc/_sealock
  sealock completion fish > ~/.config/fish/completions/sealock.fish")]
pub(crate) struct Completion {
    /// Shell to complete in
    shell: Shell,
}

impl Completion {
    /// Prints the completion script for `command`.
    pub(crate) fn run(&self, command: &mut Command, output: &mut Output) -> Result<(), Error> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, command, "sealock", &mut script);
        output.line(String::from_utf8_lossy(&script).trim_end())
    }
}
