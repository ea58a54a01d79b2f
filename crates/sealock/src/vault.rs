use clap::{Args, Subcommand, ValueEnum};
use sealock_api::{
    self as api, CreateVault, DeleteVault, ListVaults, NewVault, PurgeVault, RecoverVault,
    ShowVault, Time, UpdateVault, Vault, VaultChange, VaultSku, Vaults,
};
use sealock_core::VaultName;

use crate::{
    cli::word,
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
        #[arg(long, default_value = "premium", ignore_case = true, value_parser = word::<VaultSku>(VaultSku::WORDS))]
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

#[derive(Debug, Args)]
pub(crate) struct Update {
    /// The vault
    #[arg(default_value = DEFAULT_VAULT)]
    name: VaultName,
    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Change {
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

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DefaultAction {
    Allow,
    Deny,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Bypass {
    #[value(alias = "AzureServices")]
    AzureServices,
    None,
}

impl VaultCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::List => output.show(&client.ask(&ListVaults {})?, list),
            Self::Create {
                name: vault,
                sku,
                rbac,
                purge_protection,
                retention_days,
            } => {
                let new = NewVault {
                    sku: Some(sku),
                    rbac: Some(rbac),
                    purge_protection: Some(purge_protection),
                    soft_delete_retention_days: retention_days,
                };
                let answer = client.ask_with(&CreateVault { vault }, &new)?;
                output.show(&answer, |vault: &Vault| {
                    format!("created vault {} at {}", vault.name, vault.vault_uri)
                })
            }
            Self::Show(VaultArgs { name: vault }) => {
                output.show(&client.ask(&ShowVault { vault })?, render)
            }
            Self::Update(Update {
                name: vault,
                change,
            }) => {
                let change = VaultChange {
                    rbac: change.rbac,
                    purge_protection: change.purge_protection,
                    failed_over: change.failed_over,
                    ..VaultChange::default()
                };
                let answer = client.ask_with(&UpdateVault { vault }, &change)?;
                output.show(&answer, |vault: &Vault| {
                    format!("updated vault {}: {}", vault.name, traits(vault))
                })
            }
            Self::Network(network) => {
                let (vault, change) = (network.name.clone(), network.change());
                let answer = if change == VaultChange::default() {
                    client.ask(&ShowVault { vault })?
                } else {
                    client.ask_with(&UpdateVault { vault }, &change)?
                };
                output.show(&answer, render_network)
            }
            Self::Delete(VaultArgs { name: vault }) => {
                let answer = client.ask(&DeleteVault { vault })?;
                output.show(&answer, |vault: &Vault| {
                    let until = recoverable_until(vault.scheduled_purge);
                    format!("deleted vault {}{until}", vault.name)
                })
            }
            Self::Recover(VaultArgs { name: vault }) => {
                let answer = client.ask(&RecoverVault { vault })?;
                output.show(&answer, |vault: &Vault| {
                    format!("recovered vault {} at {}", vault.name, vault.vault_uri)
                })
            }
            Self::Purge(VaultArgs { name }) => {
                let vault = name.clone();
                client.ask(&PurgeVault { vault })?;
                output.done(format!("purged vault {name}"))
            }
        }
    }
}

impl Network {
    fn change(self) -> VaultChange {
        VaultChange {
            public_network_access: self.public_access.map(|how| how == PublicAccess::Enabled),
            default_action: self.default_action.map(|action| match action {
                DefaultAction::Allow => api::DefaultAction::Allow,
                DefaultAction::Deny => api::DefaultAction::Deny,
            }),
            bypass: self.bypass.map(|bypass| match bypass {
                Bypass::AzureServices => api::Bypass::AzureServices,
                Bypass::None => api::Bypass::None,
            }),
            add_ip_rules: self.add_ip.into_iter().collect(),
            remove_ip_rules: self.remove_ip.into_iter().collect(),
            ..VaultChange::default()
        }
    }
}

fn list(list: &Vaults) -> String {
    let rows = list.vaults.iter().map(|vault| {
        [
            vault.name.to_string(),
            vault.state.to_string(),
            vault.sku.to_string(),
            access(vault).to_owned(),
            reach(vault),
            retention(vault),
            protection(vault).to_owned(),
            vault.vault_uri.clone(),
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

fn retention(vault: &Vault) -> String {
    format!("{} days", vault.soft_delete_retention_days)
}

fn protection(vault: &Vault) -> &'static str {
    if vault.purge_protection { "on" } else { "off" }
}

/// Names the thing that decides who may do what.
fn access(vault: &Vault) -> &'static str {
    if vault.rbac { "roles" } else { "policies" }
}

/// Tells in a word or two from where a vault can be reached.
fn reach(vault: &Vault) -> String {
    let rules = &vault.network;
    let others = match (rules.public_network_access, rules.default_action) {
        (true, api::DefaultAction::Allow) => return "open".to_owned(),
        (true, api::DefaultAction::Deny) if !vault.ip_rules.is_empty() => "firewall",
        _ => "closed",
    };
    match rules.bypass {
        api::Bypass::None => others.to_owned(),
        api::Bypass::AzureServices => format!("{others}, but for services"),
    }
}

/// Lists the traits that an update can change.
fn traits(vault: &Vault) -> String {
    format!(
        "access by {}, purge protection {}, {}",
        access(vault),
        protection(vault),
        if vault.failed_over {
            "failed over"
        } else {
            "not failed over"
        }
    )
}

fn network_fields(vault: &Vault) -> [(&'static str, String); 4] {
    let public = if vault.network.public_network_access {
        "enabled"
    } else {
        "disabled"
    };
    let rules = match &*vault.ip_rules {
        [] => "none".to_owned(),
        rules => rules.join(", "),
    };
    [
        ("public access", public.to_owned()),
        ("default action", vault.network.default_action.to_string()),
        ("bypass", vault.network.bypass.to_string()),
        ("ip rules", rules),
    ]
}

fn render_network(vault: &Vault) -> String {
    record(
        format!("{TITLE}{}{TITLE:#}", vault.name),
        network_fields(vault),
    )
}

fn render(vault: &Vault) -> String {
    let mut fields = vec![
        ("uri", vault.vault_uri.clone()),
        ("sku", vault.sku.to_string()),
        ("access", access(vault).to_owned()),
        ("retention", retention(vault)),
        ("purge protection", protection(vault).to_owned()),
        ("failed over", yes_or_no(vault.failed_over).to_owned()),
    ];
    fields.extend(network_fields(vault));
    fields.push(("id", vault.id.clone()));
    fields.push(("created", vault.created.to_string()));
    fields.extend(vault.deleted.map(|time| ("deleted", time.to_string())));
    fields.extend(
        vault
            .scheduled_purge
            .map(|time| ("scheduled purge", time.to_string())),
    );
    record(
        format!("{TITLE}{}{TITLE:#}  {}", vault.name, vault.state),
        fields,
    )
}

fn yes_or_no(answer: bool) -> &'static str {
    if answer { "yes" } else { "no" }
}

/// How a sentence about something deleted ends.
pub(crate) fn recoverable_until(scheduled_purge: Option<Time>) -> String {
    scheduled_purge.map_or_else(String::new, |time| {
        format!("; it can be recovered until {time}")
    })
}
