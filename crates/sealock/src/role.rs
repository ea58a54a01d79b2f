use clap::{Args, Subcommand};
use sealock_api::{
    AssignRole, ListRoleAssignments, RemoveRole, RoleAssignment, RoleAssignments, RoleAtScope,
};
use sealock_core::{RegistryName, VaultName};

use crate::{
    client::Client,
    commands::Commands,
    error::Error,
    output::{HINT, Output, table},
    principal::{PrincipalArgs, listed},
    registry::DEFAULT_REGISTRY,
};

#[derive(Debug, Subcommand)]
pub(crate) enum RoleCommand {
    /// List the role assignments
    #[command(after_help = "Example:\n  sealock role list")]
    List,
    /// Give an identity or application a role in a registry, in a vault, or in everything below a scope
    #[command(after_help = "\
Examples:
  sealock role assign --identity registry-identity --role AcrPull --registry sealock
  sealock role assign --app deploy --role AcrPush
  sealock role assign --role 'Key Vault Crypto Service Encryption User' --vault sealock")]
    Assign(Assignment),
    /// Take a role away from an identity or application
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
    /// What it permits: `AcrPull`, `AcrPush` and so on in a registry, `Key Vault Crypto Service Encryption
    /// User` and so on in a vault with roles
    #[arg(long)]
    role: String,
    /// The registry
    #[arg(long, value_name = "NAME", default_value = DEFAULT_REGISTRY)]
    registry: RegistryName,
    /// The vault, instead of a registry
    #[arg(long, value_name = "NAME", conflicts_with = "registry")]
    vault: Option<VaultName>,
    /// The id of a resource, resource group or subscription, instead of a registry
    #[arg(long, value_name = "ID", conflicts_with_all = ["registry", "vault"])]
    scope: Option<String>,
}

impl RoleCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::List => output.show(&client.ask(&ListRoleAssignments {})?, render),
            Self::Assign(assignment) => {
                let principal = assignment.principal.reference(client)?;
                let answer = client.ask_with(&AssignRole { principal }, &assignment.body())?;
                output.show(&answer, |made| {
                    let was = if answer.created() { "now" } else { "already" };
                    sentence(made, was, client.commands())
                })
            }
            Self::Remove(assignment) => {
                let removed = assignment.remove(client);
                removed.map_err(Error::without_creation)?;
                let Assignment {
                    principal, role, ..
                } = assignment;
                output.done(format!("{principal} no longer has role {role} there"))
            }
        }
    }
}

impl Assignment {
    fn remove(&self, client: &Client) -> Result<(), Error> {
        let principal = self.principal.reference(client)?;
        let removed = client.ask_with(&RemoveRole { principal }, &self.body());
        removed.map(drop)
    }

    fn body(&self) -> RoleAtScope {
        let is_elsewhere = self.vault.is_some() || self.scope.is_some();
        RoleAtScope {
            role: self.role.clone(),
            registry: (!is_elsewhere).then(|| self.registry.clone()),
            vault: self.vault.clone(),
            scope: self.scope.clone(),
        }
    }
}

/// Tells the principal, its role and the scope, with a note if the role counts for nothing.
fn sentence(made: &RoleAssignment, was: &str, commands: &Commands) -> String {
    let (who, role, scope) = (&made.principal, &made.role, &made.scope);
    let said = format!("{who} {was} has role {role} at {scope}");
    if made.in_effect {
        return said;
    }
    // Behind subscription, resource group and provider.
    let vault = scope.split('/').nth(8).unwrap_or_default();
    let command = commands.command(format_args!("vault update {vault} --rbac true"));
    format!(
        "{said}\n{HINT}note:{HINT:#} access policies decide in vault {vault}, so roles have no effect on its keys; \
         have roles decide with: {command}"
    )
}

fn render(list: &RoleAssignments) -> String {
    let rows = list.role_assignments.iter().map(|assignment| {
        [
            listed(&assignment.principal),
            assignment.principal.principal_id.to_string(),
            assignment.role.clone(),
            assignment.scope.clone(),
        ]
    });
    table(["IDENTITY", "PRINCIPAL", "ROLE", "SCOPE"], rows)
}
