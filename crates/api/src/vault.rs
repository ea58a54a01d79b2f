use std::collections::BTreeSet;

use schemars::JsonSchema;
use sealock_core::{Location, VaultName};
use serde::{Deserialize, Serialize};

use crate::{Time, word::words};

/// The vaults.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Vaults {
    /// The vaults, including deleted ones.
    pub vaults: Vec<Vault>,
}

/// A vault.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Vault {
    /// Its name.
    pub name: VaultName,
    /// Its ARM id.
    pub id: String,
    /// `https://NAME.vault.HOST:PORT/`
    pub vault_uri: String,
    /// Its region.
    pub location: Location,
    /// The geography of its region. A backup of a key cannot leave it. A location that is none of Azure's regions is a
    /// geography of its own.
    pub geography: String,
    /// The paired region, to which it is replicated. Null if it is not replicated.
    pub replica_region: Option<Location>,
    /// Its state.
    pub state: State,
    /// Its SKU.
    pub sku: VaultSku,
    /// True if it uses roles instead of access policies.
    pub rbac: bool,
    /// True if the vault and its keys cannot be purged before their retention ends.
    pub purge_protection: bool,
    /// The number of days for which a deleted vault or key can be recovered.
    pub soft_delete_retention_days: u16,
    /// The rules of its firewall.
    pub network: NetworkRules,
    /// The addresses that its firewall admits.
    pub ip_rules: Vec<String>,
    /// True if its paired region serves it, read-only.
    pub failed_over: bool,
    /// The region that serves it.
    pub serving_region: Location,
    /// The time of its creation.
    pub created: Time,
    /// The time of its deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Time>,
    /// The time of its scheduled purge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_purge: Option<Time>,
}

/// The rules of a vault's firewall.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NetworkRules {
    /// False if the vault cannot be reached from the network.
    pub public_network_access: bool,
    /// The treatment of requests that no rule admits.
    pub default_action: DefaultAction,
    /// The services that bypass the rules.
    pub bypass: Bypass,
}

/// The properties of a vault to create.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewVault {
    /// Its region. By default `eastus`.
    pub location: Option<Location>,
    /// Its SKU. By default `premium`.
    pub sku: Option<VaultSku>,
    /// True to use roles instead of access policies.
    pub rbac: Option<bool>,
    /// True to forbid purges before the retention ends.
    pub purge_protection: Option<bool>,
    /// The number of days for which a deleted vault or key can be recovered, 7 to 90. By default 90.
    pub soft_delete_retention_days: Option<u32>,
}

/// A change of a vault. Absent fields keep their values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VaultChange {
    /// True to turn purge protection on permanently.
    pub purge_protection: Option<bool>,
    /// True to use roles instead of access policies.
    pub rbac: Option<bool>,
    /// True to fail over to the paired region, which serves the vault read-only.
    pub failed_over: Option<bool>,
    /// False to make the vault unreachable from the network.
    pub public_network_access: Option<bool>,
    /// The treatment of requests that no rule admits.
    pub default_action: Option<DefaultAction>,
    /// The services that bypass the rules.
    pub bypass: Option<Bypass>,
    /// IPv4 addresses or ranges to add to the admitted ones.
    pub add_ip_rules: BTreeSet<String>,
    /// IPv4 addresses or ranges to remove from the admitted ones.
    pub remove_ip_rules: BTreeSet<String>,
}

words! {
    /// The state of a vault or key.
    pub enum State, "state" {
        /// It can be used.
        Active = "active",
        /// Its deletion is in progress.
        Deleting = "deleting",
        /// It can be recovered or purged.
        Deleted = "deleted",
        /// Its recovery is in progress.
        Recovering = "recovering",
    }
}

words! {
    /// The SKU of a vault.
    pub enum VaultSku, "SKU of a vault" {
        /// Supports software keys.
        Standard = "standard",
        /// Supports software and HSM keys.
        Premium = "premium",
    }
}

words! {
    /// The treatment of requests that no rule of a firewall admits.
    pub enum DefaultAction, "default action" {
        /// The requests are admitted.
        Allow = "Allow",
        /// The requests are refused.
        Deny = "Deny",
    }
}

words! {
    /// The services that bypass a vault's firewall.
    pub enum Bypass, "bypass" {
        /// Trusted Azure services, which include registries.
        AzureServices = "AzureServices",
        /// No services.
        None = "None",
    }
}
