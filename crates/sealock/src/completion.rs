use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::{cli::Cli, error::Error, output::Output};

/// Print the completion of commands for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  source <(sealock completion bash)
  sealock completion zsh > ~/.zfunc/_sealock
  sealock completion fish > ~/.config/fish/completions/sealock.fish")]
pub(crate) struct Completion {
    /// The shell
    shell: Shell,
}

impl Completion {
    pub(crate) fn run(&self, output: &mut Output) -> Result<(), Error> {
        let mut script = Vec::new();
        let mut command = Cli::command();
        clap_complete::generate(self.shell, &mut command, "sealock", &mut script);
        output.line(String::from_utf8_lossy(&script).trim_end())
    }
}
