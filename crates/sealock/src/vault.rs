use clap::{Args, Subcommand};
use sealock_core::VaultName;
use serde::Deserialize;
use serde_json::json;

use crate::{
    client::Client,
    error::Error,
    output::{Output, TITLE, record, table},
};

/// The vault that a command means when it names none.
pub(crate) const DEFAULT_VAULT: &str = "sealock";

#[derive(Debug, Subcommand)]
pub(crate) enum VaultCommand {
    /// List the vaults, deleted ones included
    #[command(after_help = "Example:\n  sealock vault list")]
    List,
    /// Create a vault
    #[command(after_help = "Example:\n  sealock vault create kv1 --retention-days 7")]
    Create {
        /// The vault
        name: VaultName,
        /// Refuse to purge the vault and its keys before their time
        #[arg(long)]
        purge_protection: bool,
        /// How long what was deleted can be recovered
        #[arg(long, value_name = "N")]
        retention_days: Option<u32>,
    },
    /// Show a vault
    #[command(after_help = "Example:\n  sealock vault show")]
    Show(VaultArgs),
    /// Delete a vault with its keys; it can be recovered until it is purged
    #[command(after_help = "Example:\n  sealock vault delete && sealock vault recover")]
    Delete(VaultArgs),
    /// Recover a deleted vault and its keys
    #[command(after_help = "Example:\n  sealock vault recover")]
    Recover(VaultArgs),
    /// Purge a deleted vault: what its keys encrypt is lost for good
    #[command(after_help = "Example:\n  sealock vault delete kv1 && sealock vault purge kv1")]
    Purge(VaultArgs),
}

#[derive(Debug, Args)]
pub(crate) struct VaultArgs {
    /// The vault
    #[arg(default_value = DEFAULT_VAULT)]
    name: VaultName,
}

#[derive(Debug, Deserialize)]
struct Vaults {
    vaults: Vec<Vault>,
}

#[derive(Debug, Deserialize)]
struct Vault {
    name: String,
    #[serde(rename = "vault_uri")]
    uri: String,
    state: String,
    purge_protection: bool,
    soft_delete_retention_days: u32,
    created: String,
    deleted: Option<String>,
    scheduled_purge: Option<String>,
}

impl VaultCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::List => output.show(&client.get("vaults")?, Vaults::render),
            Self::Create {
                name,
                purge_protection,
                retention_days,
            } => {
                let mut body = json!({ "purge_protection": purge_protection });
                if let Some(days) = retention_days {
                    body["soft_delete_retention_days"] = days.into();
                }
                let answer = client.put(&format!("vaults/{name}"), Some(&body))?;
                output.show(&answer, |vault: &Vault| {
                    format!("created vault {} at {}", vault.name, vault.uri)
                })
            }
            Self::Show(VaultArgs { name }) => {
                output.show(&client.get(&format!("vaults/{name}"))?, Vault::render)
            }
            Self::Delete(VaultArgs { name }) => {
                let answer = client.delete(&format!("vaults/{name}"))?;
                output.show(&answer, |vault: &Vault| {
                    let until = recoverable_until(vault.scheduled_purge.as_deref());
                    format!("deleted vault {}{until}", vault.name)
                })
            }
            Self::Recover(VaultArgs { name }) => {
                let answer = client.post(&format!("deleted-vaults/{name}/recover"), None)?;
                output.show(&answer, |vault: &Vault| {
                    format!("recovered vault {} at {}", vault.name, vault.uri)
                })
            }
            Self::Purge(VaultArgs { name }) => {
                client.delete(&format!("deleted-vaults/{name}"))?;
                output.done(format!("purged vault {name}"))
            }
        }
    }
}

impl Vaults {
    fn render(&self) -> String {
        let rows = self.vaults.iter().map(|vault| {
            let (name, state, uri) = (&vault.name, &vault.state, &vault.uri);
            let (retention, protection) = (vault.retention(), vault.protection().to_owned());
            [
                name.clone(),
                state.clone(),
                retention,
                protection,
                uri.clone(),
            ]
        });
        table(
            ["NAME", "STATE", "RETENTION", "PURGE PROTECTION", "URI"],
            rows,
        )
    }
}

impl Vault {
    fn retention(&self) -> String {
        format!("{} days", self.soft_delete_retention_days)
    }

    fn protection(&self) -> &'static str {
        if self.purge_protection { "on" } else { "off" }
    }

    fn render(&self) -> String {
        let mut fields = vec![
            ("uri", self.uri.clone()),
            ("retention", self.retention()),
            ("purge protection", self.protection().to_owned()),
            ("created", self.created.clone()),
        ];
        fields.extend(self.deleted.clone().map(|time| ("deleted", time)));
        fields.extend(
            self.scheduled_purge
                .clone()
                .map(|time| ("scheduled purge", time)),
        );
        record(
            format!("{TITLE}{}{TITLE:#}  {}", self.name, self.state),
            fields,
        )
    }
}

/// How a sentence about something deleted ends.
pub(crate) fn recoverable_until(scheduled_purge: Option<&str>) -> String {
    scheduled_purge.map_or_else(String::new, |time| {
        format!("; it can be recovered until {time}")
    })
}
