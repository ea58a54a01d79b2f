use std::fmt::Display;

use clap::Subcommand;
use sealock_api::{
    AdminCredentials, AdminPasswordName, RegenerateCredential, Secret, ShowCredentials,
};
use sealock_core::RegistryName;

use crate::{
    arguments::word,
    client::Client,
    error::Error,
    output::{Column, Output, Screen},
    target::TargetArgs,
};

#[derive(Debug, Subcommand)]
pub(crate) enum CredentialCommand {
    /// Show the admin user's name and passwords
    #[command(after_help = "Example:\n  sealock registry credential show")]
    Show(TargetArgs<RegistryName>),
    /// Renew one of the admin user's passwords; the old one stops working
    #[command(
        after_help = "Example:\n  sealock registry credential renew --password-name password2"
    )]
    Renew {
        #[command(flatten)]
        registry: TargetArgs<RegistryName>,
        /// Password to renew
        #[arg(long, ignore_case = true, value_parser = word::<AdminPasswordName>(AdminPasswordName::WORDS))]
        password_name: AdminPasswordName,
    },
}

impl CredentialCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let answer = match self {
            Self::Show(TargetArgs { name: registry }) => {
                client.ask(&ShowCredentials { registry })?
            }
            Self::Renew {
                registry: TargetArgs { name: registry },
                password_name: password,
            } => client.ask(&RegenerateCredential { registry, password })?,
        };
        let screen = output.screen();
        output.show(&answer, |credentials: &AdminCredentials| {
            let shown = credentials.passwords.iter();
            let shown = shown.map(|password| (password.name, &password.value));
            passwords(credentials.username.as_str(), shown, screen)
        })
    }
}

/// Renders a user's passwords as a table.
pub(super) fn passwords<'a>(
    username: &str,
    passwords: impl IntoIterator<Item = (impl Display, &'a Secret)>,
    screen: Screen,
) -> String {
    let rows = passwords
        .into_iter()
        .map(|(name, value)| [username.to_owned(), name.to_string(), value.0.to_string()]);
    let columns = ["USERNAME", "PASSWORD NAME", "PASSWORD"].map(Column::Always);
    screen.table(columns, rows)
}
