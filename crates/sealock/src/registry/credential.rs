use std::fmt::Display;

use clap::Subcommand;
use sealock_api::{
    AdminCredentials, AdminPasswordName, RegenerateCredential, Secret, ShowCredentials,
};
use sealock_core::RegistryName;

use super::DEFAULT_REGISTRY;
use crate::{
    cli::word,
    client::Client,
    error::Error,
    output::{Output, table},
};

#[derive(Debug, Subcommand)]
pub(crate) enum CredentialCommand {
    /// Show the admin user's name and passwords
    #[command(after_help = "Example:\n  sealock registry credential show")]
    Show {
        /// The registry
        #[arg(default_value = DEFAULT_REGISTRY)]
        name: RegistryName,
    },
    /// Make one of the admin user's passwords anew; the old one ends
    #[command(
        after_help = "Example:\n  sealock registry credential renew --password-name password2"
    )]
    Renew {
        /// The registry
        #[arg(default_value = DEFAULT_REGISTRY)]
        name: RegistryName,
        /// Which
        #[arg(long, ignore_case = true, value_parser = word::<AdminPasswordName>(AdminPasswordName::WORDS))]
        password_name: AdminPasswordName,
    },
}

impl CredentialCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let answer = match self {
            Self::Show { name: registry } => client.ask(&ShowCredentials { registry })?,
            Self::Renew {
                name: registry,
                password_name: password,
            } => client.ask(&RegenerateCredential { registry, password })?,
        };
        output.show(&answer, |credentials: &AdminCredentials| {
            let made = credentials.passwords.iter();
            let made = made.map(|password| (password.name, &password.value));
            passwords(credentials.username.as_str(), made)
        })
    }
}

/// A user's passwords, for people to copy.
pub(super) fn passwords<'a>(
    username: &str,
    passwords: impl IntoIterator<Item = (impl Display, &'a Secret)>,
) -> String {
    let rows = passwords
        .into_iter()
        .map(|(name, value)| [username.to_owned(), name.to_string(), value.0.to_string()]);
    table(["USERNAME", "PASSWORD NAME", "PASSWORD"], rows)
}
