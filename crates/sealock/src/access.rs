use clap::{Args, Subcommand};
use sealock_api::{
    AccessPolicies, AccessPolicy, Changed, GrantAccess, KeyPermission, ListAccess, Permissions,
    RevokeAccess, UnknownWord,
};
use sealock_core::VaultName;

use crate::{
    arguments::list_element,
    client::{Answer, Client},
    commands::Commands,
    effect::show_change,
    error::Error,
    output::{Column, HINT, Output, Screen},
    principal::{PrincipalArgs, label},
    target::{ParentArgs, TargetArgs},
};

#[derive(Debug, Subcommand)]
pub(crate) enum AccessCommand {
    /// List a vault's access policies
    #[command(after_help = "Example:\n  sealock access list --vault sealock")]
    List(TargetArgs<VaultName>),
    /// Grant key permissions to an identity or application
    #[command(after_help = "\
Examples:
  sealock access grant --identity registry-identity
  sealock access grant --app deploy --permissions get,sign")]
    Grant(Change),
    /// Revoke key permissions from an identity or application
    #[command(after_help = "\
Examples:
  sealock access revoke --permissions unwrapKey
  sealock access revoke --app deploy --permissions get,sign")]
    Revoke(Change),
}

#[derive(Debug, Args)]
pub(crate) struct Change {
    #[command(flatten)]
    vault: ParentArgs<VaultName>,
    #[command(flatten)]
    principal: PrincipalArgs,
    /// Key permissions, separated by commas: `all`, `get`, `list`, `create`, `update`, `import`, `delete`,
    /// `recover`, `backup`, `restore`, `purge`, `encrypt`, `decrypt`, `wrapKey`, `unwrapKey`, `sign`, `verify`,
    /// `release`, `rotate`, `getrotationpolicy`, `setrotationpolicy`
    #[arg(long, value_delimiter = ',', value_parser = list_element(), default_value = "get,wrapKey,unwrapKey")]
    permissions: Vec<String>,
}

impl AccessCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::List(TargetArgs { name: vault }) => {
                let screen = output.screen();
                let answer = client.ask(&ListAccess { vault })?;
                output.show(&answer, |policies| {
                    render(policies, screen, client.commands())
                })
            }
            Self::Grant(change) => {
                let principal = change.principal.reference(client)?;
                let (vault, permissions) = (change.vault.name, parse(&change.permissions)?);
                let answer =
                    client.ask_with_body(&GrantAccess { vault, principal }, &permissions)?;
                show_change(
                    &answer,
                    |policy| sentence(policy, client.commands()),
                    client,
                    output,
                )
            }
            Self::Revoke(change) => {
                let answer = change
                    .revoke(client)
                    .map_err(Error::without_creation_hints)?;
                show_change(
                    &answer,
                    |policy| sentence(policy, client.commands()),
                    client,
                    output,
                )
            }
        }
    }
}

impl Change {
    fn revoke(self, client: &Client) -> Result<Answer<Changed<AccessPolicy>>, Error> {
        let principal = self.principal.reference(client)?;
        let (vault, permissions) = (self.vault.name, parse(&self.permissions)?);
        client.ask_with_body(&RevokeAccess { vault, principal }, &permissions)
    }
}

fn parse(permissions: &[String]) -> Result<Permissions, Error> {
    let permissions: Result<_, UnknownWord> = permissions.iter().map(|it| it.parse()).collect();
    Ok(Permissions {
        permissions: permissions?,
    })
}

fn render(list: &AccessPolicies, screen: Screen, commands: &Commands) -> String {
    let rows = list.policies.iter().map(|policy| {
        [
            label(&policy.principal),
            policy.principal.principal_id.to_string(),
            permissions(policy),
        ]
    });
    let columns = [
        Column::Always("IDENTITY"),
        Column::Wide("PRINCIPAL"),
        Column::Always("KEY PERMISSIONS"),
    ];
    let rows = screen.table(columns, rows);
    match list.policies.first() {
        Some(policy) => with_note(policy, rows, commands),
        None => rows,
    }
}

fn sentence(policy: &AccessPolicy, commands: &Commands) -> String {
    let permissions = if policy.permissions.is_empty() {
        "no key permissions".to_owned()
    } else {
        permissions(policy)
    };
    let sentence = format!(
        "{} now has {permissions} in vault {}",
        policy.principal, policy.vault
    );
    with_note(policy, sentence, commands)
}

/// Lists the permissions, or `all` alone if it is among them.
fn permissions(policy: &AccessPolicy) -> String {
    let all = KeyPermission::All;
    if policy.permissions.contains(&all) {
        return all.to_string();
    }
    let permissions = policy.permissions.iter().map(ToString::to_string);
    permissions.collect::<Vec<_>>().join(", ")
}

/// Appends a note if the vault's access policies have no effect.
fn with_note(policy: &AccessPolicy, text: String, commands: &Commands) -> String {
    if policy.in_effect {
        return text;
    }
    let see = commands.command("role assign --help");
    format!(
        "{text}\n{HINT}note:{HINT:#} vault {} authorizes by roles, so access policies have no effect there; see: {see}",
        policy.vault
    )
}
