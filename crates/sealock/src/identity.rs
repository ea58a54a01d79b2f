use clap::{Args, Subcommand};
use sealock_api::{
    CreateIdentity, DeleteIdentity, Identities, Identity, IdentityHeader, ListIdentities,
    ShowIdentityHeader,
};
use sealock_core::IdentityName;

use crate::{
    client::Client,
    error::Error,
    output::{Output, table},
};

/// The managed identity that a command means when it names none.
pub(crate) const DEFAULT_IDENTITY: &str = "registry-identity";

#[derive(Debug, Subcommand)]
pub(crate) enum IdentityCommand {
    /// List the managed identities
    #[command(after_help = "Example:\n  sealock identity list")]
    List,
    /// Create a managed identity
    #[command(after_help = "Example:\n  sealock identity create myidentity")]
    Create(IdentityArgs),
    /// Delete a managed identity: registries that reach their key with it are revoked
    #[command(after_help = "Example:\n  sealock identity delete myidentity")]
    Delete(IdentityArgs),
    /// Print the variables by which a program finds the identities' endpoint, as in App Service
    #[command(after_help = "Example:\n  export $(sealock identity endpoint)")]
    Endpoint,
}

#[derive(Debug, Args)]
pub(crate) struct IdentityArgs {
    /// The managed identity
    #[arg(default_value = DEFAULT_IDENTITY)]
    name: IdentityName,
}

impl IdentityCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::List => output.show(&client.ask(&ListIdentities {})?, render),
            Self::Create(IdentityArgs { name: identity }) => {
                let answer = client.ask(&CreateIdentity { identity })?;
                output.show(&answer, |identity: &Identity| {
                    let (name, client_id) = (&identity.name, &identity.client_id);
                    if answer.created() {
                        format!("created identity {name}, client {client_id}")
                    } else {
                        format!("identity {name} was there already, client {client_id}")
                    }
                })
            }
            Self::Delete(IdentityArgs { name }) => {
                let identity = name.clone();
                let answer = client.ask(&DeleteIdentity { identity });
                answer.map_err(Error::without_creation)?;
                output.done(format!("deleted identity {name}"))
            }
            Self::Endpoint => {
                let answer = client.ask(&ShowIdentityHeader {})?;
                output.show(&answer, |IdentityHeader { identity_header }| {
                    let (emulator, header) = (client.emulator(), identity_header.0.as_str());
                    format!("IDENTITY_ENDPOINT={emulator}/msi/token\nIDENTITY_HEADER={header}")
                })
            }
        }
    }
}

fn render(list: &Identities) -> String {
    let rows = list.identities.iter().map(|identity| {
        [
            identity.name.to_string(),
            identity.client_id.to_string(),
            identity.principal_id.to_string(),
            identity.created.to_string(),
        ]
    });
    table(["NAME", "CLIENT", "PRINCIPAL", "CREATED"], rows)
}
