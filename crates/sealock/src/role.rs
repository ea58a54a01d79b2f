use clap::{Args, Subcommand};
use sealock_api::{
    AssignRole, Changed, Empty, ListRoleAssignments, RemoveRole, RoleAssignment, RoleAssignments,
    RoleAtScope,
};
use sealock_core::{RegistryName, VaultName};

use crate::{
    client::{Answer, Client},
    commands::Commands,
    effect::show_change,
    error::Error,
    output::{Column, HINT, Output, Screen},
    principal::{PrincipalArgs, label},
    target::ParentArgs,
};

#[derive(Debug, Subcommand)]
pub(crate) enum RoleCommand {
    /// List the role assignments
    #[command(after_help = "Example:\n  sealock role list")]
    List,
    /// Assign a role to an identity or application, for a registry, a vault or another scope
    #[command(after_help = "\
Examples:
  sealock role assign --identity registry-identity --role AcrPull --registry sealock
  sealock role assign --app deploy --role AcrPush
  sealock role assign --role 'Key Vault Crypto Service Encryption User' --vault sealock")]
    Assign(Assignment),
    /// Remove a role from an identity or application
    #[command(after_help = "\
Examples:
  sealock role remove --identity registry-identity --role AcrPull --registry sealock
  sealock role remove --app deploy --role AcrPush")]
    Remove(Assignment),
}

#[derive(Debug, Args)]
pub(crate) struct Assignment {
    #[command(flatten)]
    principal: PrincipalArgs,
    /// Role, such as `AcrPull` or `AcrPush` for a registry, or `Key Vault Crypto Service Encryption User` for a vault
    /// that authorizes by roles
    #[arg(long)]
    role: String,
    #[command(flatten)]
    registry: ParentArgs<RegistryName>,
    /// Vault, instead of a registry
    #[arg(long, value_name = "VAULT", conflicts_with = "registry")]
    vault: Option<VaultName>,
    /// Id of a resource, resource group or subscription, instead of a registry
    #[arg(long, value_name = "ID", conflicts_with_all = ["registry", "vault"])]
    scope: Option<String>,
}

impl RoleCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::List => {
                let screen = output.screen();
                let answer = client.ask(&ListRoleAssignments {})?;
                output.show(&answer, |assignments| list(assignments, screen))
            }
            Self::Assign(assignment) => {
                let principal = assignment.principal.reference(client)?;
                let answer = client.ask_with_body(&AssignRole { principal }, &assignment.body())?;
                let commands = client.commands();
                let was = if answer.is_created() {
                    "now"
                } else {
                    "already"
                };
                let done = |made: &RoleAssignment| sentence(made, was, commands);
                show_change(&answer, done, client, output)
            }
            Self::Remove(assignment) => {
                let answer = assignment
                    .remove(client)
                    .map_err(Error::without_creation_hints)?;
                let Assignment {
                    principal, role, ..
                } = assignment;
                let done = |_: &_| format!("{principal} no longer has role {role} at that scope");
                show_change(&answer, done, client, output)
            }
        }
    }
}

impl Assignment {
    fn remove(&self, client: &Client) -> Result<Answer<Changed<Empty>>, Error> {
        let principal = self.principal.reference(client)?;
        client.ask_with_body(&RemoveRole { principal }, &self.body())
    }

    fn body(&self) -> RoleAtScope {
        let is_elsewhere = self.vault.is_some() || self.scope.is_some();
        RoleAtScope {
            role: self.role.clone(),
            registry: (!is_elsewhere).then(|| self.registry.name.clone()),
            vault: self.vault.clone(),
            scope: self.scope.clone(),
        }
    }
}

/// Describes an assignment, with a note if it has no effect.
fn sentence(made: &RoleAssignment, was: &str, commands: &Commands) -> String {
    let (who, role, scope) = (&made.principal, &made.role, &made.scope);
    let sentence = format!("{who} {was} has role {role} at {scope}");
    if made.in_effect {
        return sentence;
    }
    // The vault's name follows subscription, resource group and provider.
    let vault = scope.split('/').nth(8).unwrap_or_default();
    let command = commands.command(format_args!("vault update {vault} --rbac true"));
    format!(
        "{sentence}\n{HINT}note:{HINT:#} vault {vault} authorizes by access policies, so roles have no effect on its keys; \
         switch to roles with: {command}"
    )
}

fn list(list: &RoleAssignments, screen: Screen) -> String {
    let rows = list.role_assignments.iter().map(|assignment| {
        [
            label(&assignment.principal),
            assignment.principal.principal_id.to_string(),
            assignment.role.clone(),
            shortened(&assignment.scope),
            assignment.scope.clone(),
        ]
    });
    let columns = [
        Column::Always("IDENTITY"),
        Column::Wide("PRINCIPAL"),
        Column::Always("ROLE"),
        Column::Narrow("SCOPE"),
        Column::Wide("SCOPE"),
    ];
    screen.table(columns, rows)
}

/// Shortens a scope to its resource: `registries/sealock`.
fn shortened(scope: &str) -> String {
    // The first segment is empty, then comes `subscriptions/ID/resourceGroups/GROUP/providers/PROVIDER`.
    let segments: Vec<_> = scope.split('/').collect();
    match &*segments {
        [_, _, _, _, _, _, _, resource @ ..] if !resource.is_empty() => resource.join("/"),
        [_, _, _, group @ ..] if !group.is_empty() => group.join("/"),
        _ => "the subscription".to_owned(),
    }
}
