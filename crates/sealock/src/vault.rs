use clap::{Args, Subcommand, ValueEnum};
use sealock_api::{
    self as api, CreateVault, DeleteVault, ListVaults, NewVault, PurgeVault, RecoverVault,
    ShowVault, Time, UpdateVault, Vault, VaultChange, VaultSku, Vaults,
};
use sealock_core::{Location, VaultName};

use crate::{
    arguments::word,
    client::Client,
    effect::show_change,
    error::Error,
    output::{Column, Output, Screen, TITLE, record},
    target::TargetArgs,
};

#[derive(Debug, Subcommand)]
pub(crate) enum VaultCommand {
    /// List the vaults, including deleted ones
    #[command(after_help = "Example:\n  sealock vault list")]
    List,
    /// Create a vault
    #[command(after_help = "\
Examples:
  sealock vault create kv1 --retention-days 7
  sealock vault create kv2 --location westeurope")]
    Create(Create),
    /// Show a vault
    #[command(after_help = "\
Examples:
  sealock vault show
  sealock vault show kv1 --json | jq -r .id")]
    Show(TargetArgs<VaultName>),
    /// Change a vault's settings
    #[command(after_help = "\
Examples:
  sealock vault update kv1 --rbac true
  sealock vault update --failed-over true
  sealock vault update --failed-over false")]
    Update(Update),
    /// Show or change a vault's network rules
    #[command(
        subcommand,
        after_help = "Example:\n  sealock vault network update --default-action deny"
    )]
    Network(NetworkCommand),
    /// Delete a vault with its keys; it can be recovered until it is purged
    #[command(after_help = "Example:\n  sealock vault delete && sealock vault recover")]
    Delete(TargetArgs<VaultName>),
    /// Recover a deleted vault and its keys
    #[command(after_help = "Example:\n  sealock vault recover")]
    Recover(TargetArgs<VaultName>),
    /// Purge a deleted vault; the content that its keys encrypt is lost
    #[command(after_help = "Example:\n  sealock vault delete kv1 && sealock vault purge kv1 --yes")]
    Purge(TargetArgs<VaultName>),
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Name of the vault
    #[arg(value_name = "VAULT")]
    name: VaultName,
    /// Region of Azure; a backup of a key cannot leave its geography
    #[arg(long, value_name = "REGION", default_value = "eastus")]
    location: Location,
    /// Service tier; HSM-protected keys need premium
    #[arg(long, default_value = "premium", ignore_case = true, value_parser = word::<VaultSku>(VaultSku::WORDS))]
    sku: VaultSku,
    /// Authorize by roles instead of access policies
    #[arg(long)]
    rbac: bool,
    /// Forbid purging the vault and its keys before their retention ends
    #[arg(long)]
    purge_protection: bool,
    /// Days for which a deleted key can be recovered: 7 to 90 [default: 90]
    #[arg(long, value_name = "N")]
    retention_days: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    #[command(flatten)]
    vault: TargetArgs<VaultName>,
    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Change {
    /// Authorize by roles (true) or by access policies (false)
    #[arg(long, value_name = "BOOL")]
    rbac: Option<bool>,
    /// Turn on purge protection (true); it cannot be turned off again
    #[arg(long, value_name = "BOOL")]
    purge_protection: Option<bool>,
    /// Fail over to the paired region, where the vault is read-only (true), or back (false)
    #[arg(long, value_name = "BOOL")]
    failed_over: Option<bool>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NetworkCommand {
    /// Show a vault's network rules
    #[command(after_help = "Example:\n  sealock vault network show")]
    Show(TargetArgs<VaultName>),
    /// Change a vault's network rules
    #[command(after_help = "\
Examples:
  sealock vault network update --default-action deny --bypass none
  sealock vault network update kv1 --default-action deny --add-ip 203.0.113.0/24")]
    Update(NetworkUpdate),
}

#[derive(Debug, Args)]
pub(crate) struct NetworkUpdate {
    #[command(flatten)]
    vault: TargetArgs<VaultName>,
    #[command(flatten)]
    change: NetworkChange,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct NetworkChange {
    /// Access from public networks
    #[arg(long, value_name = "STATE", ignore_case = true)]
    public_access: Option<PublicAccess>,
    /// Action for addresses that no rule lists
    #[arg(long, value_name = "ACTION", ignore_case = true)]
    default_action: Option<DefaultAction>,
    /// Services that bypass the rules: trusted ones, such as registries, or none
    #[arg(long, value_name = "WHO", ignore_case = true)]
    bypass: Option<Bypass>,
    /// IPv4 address or range to allow (repeatable)
    #[arg(long, value_name = "CIDR")]
    add_ip: Vec<String>,
    /// IPv4 address or range to remove from the rules (repeatable)
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
    pub(crate) fn run(self, client: &Client, output: &mut Output, yes: bool) -> Result<(), Error> {
        let screen = output.screen();
        match self {
            Self::List => output.show(&client.ask(&ListVaults {})?, |vaults| list(vaults, screen)),
            Self::Create(create) => create.run(client, output),
            Self::Show(TargetArgs { name: vault }) => {
                output.show(&client.ask(&ShowVault { vault })?, render)
            }
            Self::Update(update) => update.run(client, output),
            Self::Network(NetworkCommand::Show(TargetArgs { name: vault })) => {
                output.show(&client.ask(&ShowVault { vault })?, render_network)
            }
            Self::Network(NetworkCommand::Update(update)) => update.run(client, output),
            Self::Delete(TargetArgs { name: vault }) => {
                let answer = client.ask(&DeleteVault { vault })?;
                let done = |vault: &Vault| {
                    let until = recoverable_until(vault.scheduled_purge);
                    format!("deleted vault {}{until}", vault.name)
                };
                show_change(&answer, done, client, output)
            }
            Self::Recover(TargetArgs { name: vault }) => {
                let answer = client.ask(&RecoverVault { vault })?;
                let done = |vault: &Vault| {
                    format!("recovered vault {} at {}", vault.name, vault.vault_uri)
                };
                show_change(&answer, done, client, output)
            }
            Self::Purge(TargetArgs { name }) => {
                if !yes {
                    return Err(Error::unconfirmed(format!(
                        "purging vault {name} cannot be undone; its keys and the content that they encrypt are lost"
                    )));
                }
                let vault = name.clone();
                let answer = client.ask(&PurgeVault { vault })?;
                let done = |_: &_| format!("purged vault {name}");
                show_change(&answer, done, client, output)
            }
        }
    }
}

impl Create {
    fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let new = NewVault {
            location: Some(self.location),
            sku: Some(self.sku),
            rbac: Some(self.rbac),
            purge_protection: Some(self.purge_protection),
            soft_delete_retention_days: self.retention_days,
        };
        let answer = client.ask_with_body(&CreateVault { vault: self.name }, &new)?;
        output.show(&answer, |vault: &Vault| {
            format!("created vault {} at {}", vault.name, vault.vault_uri)
        })
    }
}

impl Update {
    fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let change = VaultChange {
            rbac: self.change.rbac,
            purge_protection: self.change.purge_protection,
            failed_over: self.change.failed_over,
            ..VaultChange::default()
        };
        let vault = self.vault.name;
        let answer = client.ask_with_body(&UpdateVault { vault }, &change)?;
        let done = |vault: &Vault| format!("updated vault {}: {}", vault.name, settings(vault));
        show_change(&answer, done, client, output)
    }
}

impl NetworkUpdate {
    fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let vault = self.vault.name;
        let answer = client.ask_with_body(&UpdateVault { vault }, &self.change.change())?;
        show_change(&answer, render_network, client, output)
    }
}

impl NetworkChange {
    fn change(self) -> VaultChange {
        VaultChange {
            public_network_access: self
                .public_access
                .map(|state| state == PublicAccess::Enabled),
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

fn list(list: &Vaults, screen: Screen) -> String {
    let rows = list.vaults.iter().map(|vault| {
        [
            vault.name.to_string(),
            vault.state.to_string(),
            vault.sku.to_string(),
            access(vault).to_owned(),
            network_summary(vault).to_owned(),
            retention(vault),
            protection(vault).to_owned(),
            protection(vault).to_owned(),
            vault.location.to_string(),
            vault.vault_uri.clone(),
        ]
    });
    let columns = [
        Column::Always("NAME"),
        Column::Always("STATE"),
        Column::Always("SKU"),
        Column::Always("ACCESS"),
        Column::Always("NETWORK"),
        Column::Always("RETENTION"),
        Column::Narrow("PROTECTION"),
        Column::Wide("PURGE PROTECTION"),
        Column::Wide("LOCATION"),
        Column::Wide("URI"),
    ];
    screen.table(columns, rows)
}

fn retention(vault: &Vault) -> String {
    format!("{} days", vault.soft_delete_retention_days)
}

fn protection(vault: &Vault) -> &'static str {
    if vault.purge_protection { "on" } else { "off" }
}

/// Returns the authorization model in one word.
fn access(vault: &Vault) -> &'static str {
    if vault.rbac { "roles" } else { "policies" }
}

/// Summarizes the network rules in a word or two.
fn network_summary(vault: &Vault) -> &'static str {
    let rules = &vault.network;
    let addresses = match (rules.public_network_access, rules.default_action) {
        (true, api::DefaultAction::Allow) => return "open",
        (true, api::DefaultAction::Deny) => !vault.ip_rules.is_empty(),
        (false, _) => false,
    };
    match (addresses, rules.bypass) {
        (true, api::Bypass::AzureServices) => "addresses, services",
        (true, api::Bypass::None) => "addresses only",
        (false, api::Bypass::AzureServices) => "services only",
        (false, api::Bypass::None) => "closed",
    }
}

/// Renders the settings that an update can change.
fn settings(vault: &Vault) -> String {
    format!(
        "access by {}, purge protection {}, {}",
        access(vault),
        protection(vault),
        if vault.failed_over {
            format!("failed over to {}", vault.serving_region)
        } else {
            "not failed over".to_owned()
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
    let replica = vault.replica_region.as_ref();
    let replica = replica.map_or_else(|| "none".to_owned(), ToString::to_string);
    let failed_over = if vault.failed_over {
        format!("yes, {} serves it", vault.serving_region)
    } else {
        "no".to_owned()
    };
    let mut fields = vec![
        ("uri", vault.vault_uri.clone()),
        ("sku", vault.sku.to_string()),
        ("access", access(vault).to_owned()),
        ("retention", retention(vault)),
        ("purge protection", protection(vault).to_owned()),
        (
            "location",
            format!("{}, {}", vault.location, vault.geography),
        ),
        ("replica region", replica),
        ("failed over", failed_over),
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

/// Returns the end of a sentence that reports a deletion.
pub(crate) fn recoverable_until(scheduled_purge: Option<Time>) -> String {
    scheduled_purge.map_or_else(String::new, |time| {
        format!("; it can be recovered until {time}")
    })
}
