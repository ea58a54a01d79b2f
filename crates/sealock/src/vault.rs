use clap::{Args, Subcommand, ValueEnum};
use sealock_core::VaultName;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

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
        /// Which keys it can have: those in hardware need premium
        #[arg(long, default_value = "premium", ignore_case = true)]
        sku: VaultSku,
        /// Have roles decide who may do what, instead of access policies
        #[arg(long)]
        rbac: bool,
        /// Refuse to purge the vault and its keys before their time
        #[arg(long)]
        purge_protection: bool,
        /// For how many days what was deleted can be recovered: 7 to 90, and 90 unless said
        #[arg(long, value_name = "N")]
        retention_days: Option<u32>,
    },
    /// Show a vault
    #[command(after_help = "\
Examples:
  sealock vault show
  sealock vault show kv1 --json | jq -r .id")]
    Show(VaultArgs),
    /// Change what a vault is
    #[command(after_help = "\
Examples:
  sealock vault update kv1 --rbac true
  sealock vault update --failed-over true
  sealock vault update --failed-over false")]
    Update(Update),
    /// Show from where a vault can be reached, or change it
    #[command(after_help = "\
Examples:
  sealock vault network
  sealock vault network --default-action deny --bypass none
  sealock vault network kv1 --default-action deny --add-ip 203.0.113.0/24")]
    Network(Network),
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

/// The vault whose content is to be shown. By its name alone it can be named, too, as other things are.
#[derive(Debug, Args)]
pub(crate) struct WhichVault {
    /// The vault
    #[arg(long, default_value = DEFAULT_VAULT)]
    vault: VaultName,
    #[arg(hide = true, conflicts_with = "vault")]
    name: Option<VaultName>,
}

impl WhichVault {
    /// The vault's name.
    pub(crate) fn name(&self) -> &VaultName {
        self.name.as_ref().unwrap_or(&self.vault)
    }
}

#[derive(Clone, Copy, Debug, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum VaultSku {
    Standard,
    Premium,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    /// The vault
    #[arg(default_value = DEFAULT_VAULT)]
    name: VaultName,
    #[command(flatten)]
    change: VaultChange,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct VaultChange {
    /// Whether roles decide who may do what, instead of access policies
    #[arg(long, value_name = "BOOL")]
    rbac: Option<bool>,
    /// Refuse to purge the vault and its keys before their time: true, for good
    #[arg(long, value_name = "BOOL")]
    purge_protection: Option<bool>,
    /// Whether it serves from its paired region, where nothing can be changed
    #[arg(long, value_name = "BOOL")]
    failed_over: Option<bool>,
}

#[derive(Debug, Args)]
pub(crate) struct Network {
    /// The vault
    #[arg(default_value = DEFAULT_VAULT)]
    name: VaultName,
    /// Whether it can be reached from the network at all
    #[arg(long, value_name = "HOW", ignore_case = true)]
    public_access: Option<PublicAccess>,
    /// What becomes of a request from an address that no rule names
    #[arg(long, value_name = "ACTION", ignore_case = true)]
    default_action: Option<DefaultAction>,
    /// Who gets in whatever the rules say: trusted services, such as registries, or nobody
    #[arg(long, value_name = "WHO", ignore_case = true)]
    bypass: Option<Bypass>,
    /// An IPv4 address or range to let in; it can be given several times
    #[arg(long, value_name = "CIDR")]
    add_ip: Vec<String>,
    /// One not to let in any more; it can be given several times
    #[arg(long, value_name = "CIDR")]
    remove_ip: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PublicAccess {
    Enabled,
    Disabled,
}

#[derive(Clone, Copy, Debug, Serialize, ValueEnum)]
enum DefaultAction {
    Allow,
    Deny,
}

#[derive(Clone, Copy, Debug, Serialize, ValueEnum)]
enum Bypass {
    #[value(alias = "AzureServices")]
    AzureServices,
    None,
}

#[derive(Debug, Deserialize)]
struct Vaults {
    vaults: Vec<Vault>,
}

#[derive(Debug, Deserialize)]
struct Vault {
    name: String,
    id: String,
    #[serde(rename = "vault_uri")]
    uri: String,
    state: String,
    sku: String,
    rbac: bool,
    purge_protection: bool,
    soft_delete_retention_days: u32,
    network: NetworkRules,
    ip_rules: Vec<String>,
    failed_over: bool,
    created: String,
    deleted: Option<String>,
    scheduled_purge: Option<String>,
}

#[derive(Debug, Deserialize)]
struct NetworkRules {
    public_network_access: bool,
    default_action: String,
    bypass: String,
}

impl VaultCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::List => output.show(&client.get("vaults")?, Vaults::render),
            Self::Create {
                name,
                sku,
                rbac,
                purge_protection,
                retention_days,
            } => {
                let mut body = json!({
                    "sku": sku, "rbac": rbac, "purge_protection": purge_protection
                });
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
            Self::Update(Update { name, change }) => {
                let answer = client.patch(&format!("vaults/{name}"), &change.body())?;
                output.show(&answer, |vault: &Vault| {
                    format!("updated vault {}: {}", vault.name, vault.traits())
                })
            }
            Self::Network(network) => {
                let path = format!("vaults/{}", network.name);
                let answer = match network.body() {
                    Some(change) => client.patch(&path, &change)?,
                    None => client.get(&path)?,
                };
                output.show(&answer, Vault::render_network)
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
            [
                vault.name.clone(),
                vault.state.clone(),
                vault.sku.clone(),
                vault.access().to_owned(),
                vault.reach(),
                vault.retention(),
                vault.protection().to_owned(),
                vault.uri.clone(),
            ]
        });
        table(
            [
                "NAME",
                "STATE",
                "SKU",
                "ACCESS",
                "NETWORK",
                "RETENTION",
                "PURGE PROTECTION",
                "URI",
            ],
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

    /// What decides who may do what.
    fn access(&self) -> &'static str {
        if self.rbac { "roles" } else { "policies" }
    }

    /// From where it can be reached, in a word or two.
    fn reach(&self) -> String {
        let rules = &self.network;
        let others = match (rules.public_network_access, &*rules.default_action) {
            (true, "Allow") => return "open".to_owned(),
            (true, _) if !self.ip_rules.is_empty() => "firewall",
            _ => "closed",
        };
        match &*rules.bypass {
            "None" => others.to_owned(),
            _ => format!("{others}, but for services"),
        }
    }

    /// What an update can change.
    fn traits(&self) -> String {
        format!(
            "access by {}, purge protection {}, {}",
            self.access(),
            self.protection(),
            if self.failed_over {
                "failed over"
            } else {
                "not failed over"
            }
        )
    }

    fn network_fields(&self) -> [(&'static str, String); 4] {
        let public = if self.network.public_network_access {
            "enabled"
        } else {
            "disabled"
        };
        let rules = match &*self.ip_rules {
            [] => "none".to_owned(),
            rules => rules.join(", "),
        };
        [
            ("public access", public.to_owned()),
            ("default action", self.network.default_action.clone()),
            ("bypass", self.network.bypass.clone()),
            ("ip rules", rules),
        ]
    }

    fn render_network(&self) -> String {
        record(
            format!("{TITLE}{}{TITLE:#}", self.name),
            self.network_fields(),
        )
    }

    fn render(&self) -> String {
        let mut fields = vec![
            ("uri", self.uri.clone()),
            ("sku", self.sku.clone()),
            ("access", self.access().to_owned()),
            ("retention", self.retention()),
            ("purge protection", self.protection().to_owned()),
            ("failed over", yes_or_no(self.failed_over).to_owned()),
        ];
        fields.extend(self.network_fields());
        fields.push(("id", self.id.clone()));
        fields.push(("created", self.created.clone()));
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

impl VaultChange {
    fn body(&self) -> Value {
        json!({
            "rbac": self.rbac, "purge_protection": self.purge_protection, "failed_over": self.failed_over
        })
    }
}

impl Network {
    /// What is to change, if anything is.
    fn body(&self) -> Option<Value> {
        let is_change = self.public_access.is_some()
            || self.default_action.is_some()
            || self.bypass.is_some()
            || !self.add_ip.is_empty()
            || !self.remove_ip.is_empty();
        is_change.then(|| {
            json!({
                "public_network_access": self.public_access.map(|how| how == PublicAccess::Enabled),
                "default_action": self.default_action,
                "bypass": self.bypass,
                "add_ip_rules": self.add_ip,
                "remove_ip_rules": self.remove_ip,
            })
        })
    }
}

fn yes_or_no(answer: bool) -> &'static str {
    if answer { "yes" } else { "no" }
}

/// How a sentence about something deleted ends.
pub(crate) fn recoverable_until(scheduled_purge: Option<&str>) -> String {
    scheduled_purge.map_or_else(String::new, |time| {
        format!("; it can be recovered until {time}")
    })
}
