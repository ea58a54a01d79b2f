use clap::{Args, Subcommand};
use sealock_core::{IdentityName, RegistryName};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    client::Client,
    error::Error,
    identity::DEFAULT_IDENTITY,
    output::{Output, table},
    registry::DEFAULT_REGISTRY,
};

#[derive(Debug, Subcommand)]
pub(crate) enum RoleCommand {
    /// List the role assignments
    #[command(after_help = "Example:\n  sealock role list")]
    List,
    /// Give an identity a role in a registry, or in everything below a scope
    #[command(after_help = "\
Examples:
  sealock role assign --identity registry-identity --role AcrPull --registry sealock
  sealock role assign --role 'Key Vault Crypto Service Encryption User' --scope VAULT_ID")]
    Assign(Assignment),
    /// Take a role away from an identity
    #[command(
        after_help = "Example:\n  sealock role remove --identity registry-identity --role AcrPull --registry sealock"
    )]
    Remove(Assignment),
}

#[derive(Debug, Args)]
pub(crate) struct Assignment {
    /// The managed identity
    #[arg(long, value_name = "NAME", default_value = DEFAULT_IDENTITY)]
    identity: IdentityName,
    /// What it permits: `AcrPull`, `AcrPush` and so on in a registry, `Key Vault Crypto Service Encryption
    /// User` and so on in a vault with roles
    #[arg(long)]
    role: String,
    /// The registry
    #[arg(long, value_name = "NAME", default_value = DEFAULT_REGISTRY)]
    registry: RegistryName,
    /// The id of a resource, resource group or subscription, instead of a registry
    #[arg(long, value_name = "ID", conflicts_with = "registry")]
    scope: Option<String>,
}

#[derive(Debug, Deserialize)]
struct RoleAssignments {
    role_assignments: Vec<RoleAssignment>,
}

#[derive(Debug, Deserialize)]
struct RoleAssignment {
    identity: Option<String>,
    principal_id: String,
    role: String,
    scope: String,
}

impl RoleCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::List => output.show(&client.get("role-assignments")?, RoleAssignments::render),
            Self::Assign(assignment) => {
                let path = format!("role-assignments/{}/assign", assignment.identity);
                let answer = client.post(&path, Some(&assignment.body()))?;
                output.show(&answer, |made: &RoleAssignment| {
                    let was = if answer.created() { "now" } else { "already" };
                    let who = made.identity.as_ref().unwrap_or(&made.principal_id);
                    format!("{who} {was} has role {} at {}", made.role, made.scope)
                })
            }
            Self::Remove(assignment) => {
                let path = format!("role-assignments/{}/remove", assignment.identity);
                client.post(&path, Some(&assignment.body()))?;
                let Assignment { identity, role, .. } = assignment;
                output.done(format!("{identity} no longer has role {role} there"))
            }
        }
    }
}

impl Assignment {
    fn body(&self) -> Value {
        match &self.scope {
            Some(scope) => json!({"role": self.role, "scope": scope}),
            None => json!({"role": self.role, "registry": self.registry}),
        }
    }
}

impl RoleAssignments {
    fn render(&self) -> String {
        let rows = self.role_assignments.iter().map(|assignment| {
            let identity = assignment.identity.clone();
            [
                identity.unwrap_or_else(|| "(gone)".to_owned()),
                assignment.principal_id.clone(),
                assignment.role.clone(),
                assignment.scope.clone(),
            ]
        });
        table(["IDENTITY", "PRINCIPAL", "ROLE", "SCOPE"], rows)
    }
}
