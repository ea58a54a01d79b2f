use clap::{Args, Subcommand};
use sealock_api::{
    AssignRegistryIdentity, ListRegistryIdentities, RegistryIdentities, RemoveRegistryIdentity,
};
use sealock_core::{IdentityName, RegistryName};

use crate::{
    client::Client,
    effect::show_change,
    error::Error,
    output::{Column, Output, Screen},
    target::{ParentArgs, TargetArgs},
};

#[derive(Debug, Subcommand)]
pub(crate) enum IdentityCommand {
    /// List the identities of a registry
    #[command(after_help = "Example:\n  sealock registry identity list")]
    List(TargetArgs<RegistryName>),
    /// Assign an identity to a registry, which restores a registry that lost the one for its key
    #[command(after_help = "\
Examples:
  sealock registry identity assign registry-identity
  sealock registry identity assign system --registry myregistry")]
    Assign(Choice),
    /// Remove an identity from a registry, even if it uses the registry's key
    #[command(after_help = "Example:\n  sealock registry identity remove registry-identity")]
    Remove(Choice),
}

#[derive(Debug, Args)]
pub(crate) struct Choice {
    /// Name of the identity, or `system` for the registry's own
    #[arg(value_name = "IDENTITY")]
    name: IdentityName,
    #[command(flatten)]
    registry: ParentArgs<RegistryName>,
}

impl IdentityCommand {
    pub(super) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let screen = output.screen();
        match self {
            Self::List(TargetArgs { name: registry }) => {
                let answer = client.ask(&ListRegistryIdentities { registry })?;
                output.show(&answer, |identities| list(identities, screen))
            }
            Self::Assign(Choice { name, registry }) => {
                let assign = AssignRegistryIdentity {
                    registry: registry.name,
                    identity: name,
                };
                let done = format!(
                    "assigned identity {} to registry {}",
                    assign.identity, assign.registry
                );
                show_change(&client.ask(&assign)?, |_| done, client, output)
            }
            Self::Remove(Choice { name, registry }) => {
                let remove = RemoveRegistryIdentity {
                    registry: registry.name,
                    identity: name,
                };
                let done = format!(
                    "removed identity {} from registry {}",
                    remove.identity, remove.registry
                );
                show_change(&client.ask(&remove)?, |_| done, client, output)
            }
        }
    }
}

fn list(list: &RegistryIdentities, screen: Screen) -> String {
    let rows = list.identities.iter().map(|identity| {
        let name = identity.name.as_ref();
        [
            name.map_or_else(|| "(deleted)".to_owned(), ToString::to_string),
            identity.client_id.to_string(),
            if identity.uses_key { "yes" } else { "no" }.to_owned(),
        ]
    });
    let columns = [
        Column::Always("NAME"),
        Column::Always("CLIENT"),
        Column::Always("USES KEY"),
    ];
    screen.table(columns, rows)
}
