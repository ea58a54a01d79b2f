use clap::{Subcommand, ValueEnum};
use sealock_core::RegistryName;
use serde::Deserialize;

use super::DEFAULT_REGISTRY;
use crate::{
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
        #[arg(long)]
        password_name: AdminPassword,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum AdminPassword {
    Password,
    Password2,
}

#[derive(Debug, Deserialize)]
struct Credentials {
    username: String,
    passwords: Vec<Password>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Password {
    pub(super) name: String,
    pub(super) value: String,
}

impl CredentialCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let answer = match self {
            Self::Show { name } => client.get(&format!("registries/{name}/credentials"))?,
            Self::Renew {
                name,
                password_name,
            } => {
                let password = match password_name {
                    AdminPassword::Password => "password",
                    AdminPassword::Password2 => "password2",
                };
                let path = format!("registries/{name}/credentials/{password}/regenerate");
                client.post(&path, None)?
            }
        };
        output.show(&answer, Credentials::render)
    }
}

impl Credentials {
    fn render(&self) -> String {
        passwords(&self.username, &self.passwords)
    }
}

/// A user's passwords, for people to copy.
pub(super) fn passwords(username: &str, passwords: &[Password]) -> String {
    let rows = passwords.iter().map(|password| {
        [
            username.to_owned(),
            password.name.clone(),
            password.value.clone(),
        ]
    });
    table(["USERNAME", "PASSWORD NAME", "PASSWORD"], rows)
}
