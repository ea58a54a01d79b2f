use clap::{Args, Subcommand};
use sealock_core::{RegistryName, VaultName};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    client::Client,
    error::Error,
    output::{HINT, Output, table},
    principal::{Principal, PrincipalArgs},
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

#[derive(Debug, Deserialize)]
struct RoleAssignments {
    role_assignments: Vec<RoleAssignment>,
}

#[derive(Debug, Deserialize)]
struct RoleAssignment {
    #[serde(flatten)]
    principal: Principal,
    role: String,
    scope: String,
    in_effect: bool,
}

impl RoleCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::List => output.show(&client.get("role-assignments")?, RoleAssignments::render),
            Self::Assign(assignment) => {
                let principal = assignment.principal.path_segment(client)?;
                let path = format!("role-assignments/{principal}/assign");
                let answer = client.post(&path, Some(&assignment.body()))?;
                output.show(&answer, |made: &RoleAssignment| {
                    let was = if answer.created() { "now" } else { "already" };
                    made.sentence(was, client)
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
        let principal = self.principal.path_segment(client)?;
        let path = format!("role-assignments/{principal}/remove");
        client.post(&path, Some(&self.body())).map(drop)
    }

    fn body(&self) -> Value {
        match (&self.vault, &self.scope) {
            (Some(vault), _) => json!({"role": self.role, "vault": vault}),
            (None, Some(scope)) => json!({"role": self.role, "scope": scope}),
            (None, None) => json!({"role": self.role, "registry": self.registry}),
        }
    }
}

impl RoleAssignment {
    /// Who has which role where, and that it counts for nothing if that is so.
    fn sentence(&self, was: &str, client: &Client) -> String {
        let (who, role, scope) = (&self.principal, &self.role, &self.scope);
        let said = format!("{who} {was} has role {role} at {scope}");
        if self.in_effect {
            return said;
        }
        // Behind subscription, resource group and provider.
        let vault = scope.split('/').nth(8).unwrap_or_default();
        let note = client.commands(&format!(
            "access policies decide in vault {vault}, so roles have no effect on its keys; \
             have roles decide with: sealock vault update {vault} --rbac true"
        ));
        format!("{said}\n{HINT}note:{HINT:#} {note}")
    }
}

impl RoleAssignments {
    fn render(&self) -> String {
        let rows = self.role_assignments.iter().map(|assignment| {
            [
                assignment.principal.listed(),
                assignment.principal.id.clone(),
                assignment.role.clone(),
                assignment.scope.clone(),
            ]
        });
        table(["IDENTITY", "PRINCIPAL", "ROLE", "SCOPE"], rows)
    }
}
