use std::collections::BTreeSet;

use schemars::JsonSchema;
use sealock_core::VaultName;
use serde::{Deserialize, Serialize};

use crate::{Time, word::words};

/// The vaults.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Vaults {
    /// Every vault, deleted ones included.
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
    /// Active or deleted.
    pub state: State,
    /// The kind of keys that it can have.
    pub sku: VaultSku,
    /// True if roles decide who may do what, instead of access policies.
    pub rbac: bool,
    /// True if nothing in it can be purged before its retention has passed.
    pub purge_protection: bool,
    /// The number of days for which it can be recovered after its deletion.
    pub soft_delete_retention_days: u16,
    /// The rules of its firewall.
    pub network: NetworkRules,
    /// The addresses that its firewall lets in.
    pub ip_rules: Vec<String>,
    /// True if it serves from its paired region, where nothing can be changed.
    pub failed_over: bool,
    /// The time of its creation.
    pub created: Time,
    /// The time of its deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Time>,
    /// The time of its purge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_purge: Option<Time>,
}

/// The rules of a vault's firewall.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NetworkRules {
    /// False if the vault cannot be reached from the network.
    pub public_network_access: bool,
    /// The fate of a request from an address that no rule names.
    pub default_action: DefaultAction,
    /// The services that get in whatever the rules say.
    pub bypass: Bypass,
}

/// A vault to be created.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewVault {
    /// The kind of keys that it can have: `premium` unless said.
    pub sku: Option<VaultSku>,
    /// True if roles decide who may do what, instead of access policies.
    pub rbac: Option<bool>,
    /// True if nothing in it can be purged before its retention has passed.
    pub purge_protection: Option<bool>,
    /// The number of days for which it can be recovered after its deletion, 7 to 90: 90 unless said.
    pub soft_delete_retention_days: Option<u32>,
}

/// A change of a vault. What it does not name stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VaultChange {
    /// True turns purge protection on, for good.
    pub purge_protection: Option<bool>,
    /// True if roles are to decide who may do what, instead of access policies.
    pub rbac: Option<bool>,
    /// True if it is to serve from its paired region, where nothing can be changed.
    pub failed_over: Option<bool>,
    /// False if it cannot be reached from the network.
    pub public_network_access: Option<bool>,
    /// The fate of a request from an address that no rule names.
    pub default_action: Option<DefaultAction>,
    /// The services that get in whatever the rules say.
    pub bypass: Option<Bypass>,
    /// IPv4 addresses or ranges to let in.
    pub add_ip_rules: BTreeSet<String>,
    /// IPv4 addresses or ranges not to let in any more.
    pub remove_ip_rules: BTreeSet<String>,
}

words! {
    /// The place of a vault or key in its life.
    pub enum State, "state" {
        /// It can be used.
        Active = "active",
        /// Its deletion takes its time.
        Deleting = "deleting",
        /// It can be recovered or purged.
        Deleted = "deleted",
        /// Its recovery takes its time.
        Recovering = "recovering",
    }
}

words! {
    /// The kind of keys that a vault can have.
    pub enum VaultSku, "SKU of a vault" {
        /// Keys in software.
        Standard = "standard",
        /// Keys in hardware, too.
        Premium = "premium",
    }
}

words! {
    /// The fate of a request from an address that no rule of a firewall names.
    pub enum DefaultAction, "default action" {
        /// It gets in.
        Allow = "Allow",
        /// It is refused.
        Deny = "Deny",
    }
}

words! {
    /// The services that get past a vault's firewall.
    pub enum Bypass, "bypass" {
        /// The services that Azure trusts: a registry among them.
        AzureServices = "AzureServices",
        /// No service.
        None = "None",
    }
}
