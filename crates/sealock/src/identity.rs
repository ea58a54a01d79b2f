use clap::Subcommand;
use sealock_api::{
    CreateIdentity, DeleteIdentity, Identities, Identity, IdentityHeader, ListIdentities,
    ShowIdentity, ShowIdentityHeader,
};
use sealock_core::IdentityName;

use crate::{
    client::Client,
    effect::show_change,
    error::Error,
    output::{Column, Output, Screen, TITLE, record},
    target::TargetArgs,
};

#[derive(Debug, Subcommand)]
pub(crate) enum IdentityCommand {
    /// List the managed identities
    #[command(after_help = "Example:\n  sealock identity list")]
    List,
    /// Show a managed identity
    #[command(after_help = "Example:\n  sealock identity show --json | jq -r .client_id")]
    Show(TargetArgs<IdentityName>),
    /// Create a managed identity
    #[command(after_help = "Example:\n  sealock identity create myidentity")]
    Create(TargetArgs<IdentityName>),
    /// Delete a managed identity, which revokes the registries that use it
    #[command(after_help = "Example:\n  sealock identity delete myidentity")]
    Delete(TargetArgs<IdentityName>),
    /// Print the environment variables of the managed identity endpoint, as App Service sets them
    #[command(after_help = "Example:\n  export $(sealock identity endpoint)")]
    Endpoint,
}

impl IdentityCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::List => {
                let screen = output.screen();
                let answer = client.ask(&ListIdentities {})?;
                output.show(&answer, |identities| list(identities, screen))
            }
            Self::Show(TargetArgs { name: identity }) => {
                output.show(&client.ask(&ShowIdentity { identity })?, render)
            }
            Self::Create(TargetArgs { name: identity }) => {
                let answer = client.ask(&CreateIdentity { identity })?;
                output.show(&answer, |identity: &Identity| {
                    let (name, client_id) = (&identity.name, &identity.client_id);
                    if answer.is_created() {
                        format!("created identity {name}, client {client_id}")
                    } else {
                        format!("identity {name} already exists, client {client_id}")
                    }
                })
            }
            Self::Delete(TargetArgs { name }) => {
                let identity = name.clone();
                let answer = client.ask(&DeleteIdentity { identity });
                let done = |_: &_| format!("deleted identity {name}");
                show_change(
                    &answer.map_err(Error::without_creation_hints)?,
                    done,
                    client,
                    output,
                )
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

fn list(list: &Identities, screen: Screen) -> String {
    let rows = list.identities.iter().map(|identity| {
        [
            identity.name.to_string(),
            identity.client_id.to_string(),
            identity.principal_id.to_string(),
            identity.created.to_string(),
        ]
    });
    let columns = [
        Column::Always("NAME"),
        Column::Always("CLIENT"),
        Column::Wide("PRINCIPAL"),
        Column::Always("CREATED"),
    ];
    screen.table(columns, rows)
}

fn render(identity: &Identity) -> String {
    record(
        format!("{TITLE}{}{TITLE:#}", identity.name),
        [
            ("tenant", identity.tenant_id.to_string()),
            ("client", identity.client_id.to_string()),
            ("principal", identity.principal_id.to_string()),
            ("id", identity.id.clone()),
            ("created", identity.created.to_string()),
        ],
    )
}
