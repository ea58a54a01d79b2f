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
    which::Which,
};

#[derive(Debug, Subcommand)]
pub(crate) enum CredentialCommand {
    /// Show the admin user's name and passwords
    #[command(after_help = "Example:\n  sealock registry credential show")]
    Show(Which<RegistryName>),
    /// Make one of the admin user's passwords anew; the old one ends
    #[command(
        after_help = "Example:\n  sealock registry credential renew --password-name password2"
    )]
    Renew {
        #[command(flatten)]
        registry: Which<RegistryName>,
        /// The password
        #[arg(long, ignore_case = true, value_parser = word::<AdminPasswordName>(AdminPasswordName::WORDS))]
        password_name: AdminPasswordName,
    },
}

impl CredentialCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let answer = match self {
            Self::Show(Which { name: registry }) => client.ask(&ShowCredentials { registry })?,
            Self::Renew {
                registry: Which { name: registry },
                password_name: password,
            } => client.ask(&RegenerateCredential { registry, password })?,
        };
        let screen = output.screen();
        output.show(&answer, |credentials: &AdminCredentials| {
            let made = credentials.passwords.iter();
            let made = made.map(|password| (password.name, &password.value));
            passwords(credentials.username.as_str(), made, screen)
        })
    }
}

/// Writes a user's passwords for people to copy.
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
