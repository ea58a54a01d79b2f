use clap::{Args, Subcommand};
use sealock_core::IdentityName;
use serde::Deserialize;

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

#[derive(Debug, Deserialize)]
struct Identities {
    identities: Vec<Identity>,
}

#[derive(Debug, Deserialize)]
struct Identity {
    name: String,
    client_id: String,
    principal_id: String,
    created: String,
}

#[derive(Debug, Deserialize)]
struct IdentityHeader {
    identity_header: String,
}

impl IdentityCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::List => output.show(&client.get("identities")?, Identities::render),
            Self::Create(IdentityArgs { name }) => {
                let answer = client.put(&format!("identities/{name}"), None)?;
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
                let answer = client.delete(&format!("identities/{name}"));
                answer.map_err(Error::without_creation)?;
                output.done(format!("deleted identity {name}"))
            }
            Self::Endpoint => {
                let answer = client.get("identity-header")?;
                output.show(&answer, |IdentityHeader { identity_header }| {
                    let emulator = client.emulator();
                    format!(
                        "IDENTITY_ENDPOINT={emulator}/msi/token\nIDENTITY_HEADER={identity_header}"
                    )
                })
            }
        }
    }
}

impl Identities {
    fn render(&self) -> String {
        let rows = self.identities.iter().map(|identity| {
            [
                identity.name.clone(),
                identity.client_id.clone(),
                identity.principal_id.clone(),
                identity.created.clone(),
            ]
        });
        table(["NAME", "CLIENT", "PRINCIPAL", "CREATED"], rows)
    }
}
