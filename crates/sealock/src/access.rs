use clap::{Args, Subcommand};
use sealock_core::VaultName;
use serde::Deserialize;
use serde_json::json;

use crate::{
    cli::one_of_several,
    client::Client,
    error::Error,
    output::{HINT, Output, table},
    principal::{Principal, PrincipalArgs},
    vault::{DEFAULT_VAULT, WhichVault},
};

#[derive(Debug, Subcommand)]
pub(crate) enum AccessCommand {
    /// Show the access policies of a vault
    #[command(
        alias = "list",
        after_help = "Example:\n  sealock access show --vault sealock"
    )]
    Show(WhichVault),
    /// Let an identity or application use a vault's keys
    #[command(after_help = "\
Examples:
  sealock access grant --identity registry-identity
  sealock access grant --app deploy --permissions get,sign")]
    Grant(Change),
    /// Take permissions away from an identity or application
    #[command(after_help = "\
Examples:
  sealock access revoke --permissions unwrapKey
  sealock access revoke --app deploy --permissions get,sign")]
    Revoke(Change),
}

#[derive(Debug, Args)]
pub(crate) struct Change {
    /// The vault
    #[arg(long, default_value = DEFAULT_VAULT)]
    vault: VaultName,
    #[command(flatten)]
    principal: PrincipalArgs,
    /// The key permissions, separated by commas: `all`, `get`, `list`, `create`, `update`, `import`, `delete`,
    /// `recover`, `backup`, `restore`, `purge`, `encrypt`, `decrypt`, `wrapKey`, `unwrapKey`, `sign`, `verify`,
    /// `release`, `rotate`, `getrotationpolicy`, `setrotationpolicy`
    #[arg(long, value_delimiter = ',', value_parser = one_of_several(), default_value = "get,wrapKey,unwrapKey")]
    permissions: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Policies {
    policies: Vec<Policy>,
}

#[derive(Debug, Deserialize)]
struct Policy {
    vault: String,
    #[serde(flatten)]
    principal: Principal,
    permissions: Vec<String>,
    in_effect: bool,
}

impl AccessCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::Show(which) => {
                let vault = which.name();
                let answer = client.get(&format!("vaults/{vault}/access"))?;
                output.show(&answer, |policies: &Policies| policies.render(client))
            }
            Self::Grant(change) => change.apply("grant", client, output),
            Self::Revoke(change) => {
                let revoked = change.apply("revoke", client, output);
                revoked.map_err(Error::without_creation)
            }
        }
    }
}

impl Change {
    fn apply(self, how: &str, client: &Client, output: &mut Output) -> Result<(), Error> {
        let principal = self.principal.path_segment(client)?;
        let path = format!("vaults/{}/access/{principal}/{how}", self.vault);
        let answer = client.post(&path, Some(&json!({ "permissions": self.permissions })))?;
        output.show(&answer, |policy: &Policy| policy.sentence(client))
    }
}

impl Policies {
    fn render(&self, client: &Client) -> String {
        let rows = self.policies.iter().map(|policy| {
            [
                policy.principal.listed(),
                policy.principal.id.clone(),
                policy.permissions(),
            ]
        });
        let rows = table(["IDENTITY", "PRINCIPAL", "KEY PERMISSIONS"], rows);
        match self.policies.first() {
            Some(policy) => policy.noted(rows, client),
            None => rows,
        }
    }
}

impl Policy {
    fn sentence(&self, client: &Client) -> String {
        let permissions = match &*self.permissions {
            [] => "no permission".to_owned(),
            _ => self.permissions(),
        };
        let said = format!(
            "{} now has {permissions} in vault {}",
            self.principal, self.vault
        );
        self.noted(said, client)
    }

    /// Those that say it all: beside `all` the others say nothing.
    fn permissions(&self) -> String {
        let all = "all";
        if self.permissions.iter().any(|one| one == all) {
            all.to_owned()
        } else {
            self.permissions.join(", ")
        }
    }

    /// What was said of the vault's policies, and that they count for nothing if that is so.
    fn noted(&self, said: String, client: &Client) -> String {
        if self.in_effect {
            return said;
        }
        let vault = &self.vault;
        let note = client.commands(&format!(
            "roles decide in vault {vault}, so access policies have no effect there; see: sealock role assign --help"
        ));
        format!("{said}\n{HINT}note:{HINT:#} {note}")
    }
}
