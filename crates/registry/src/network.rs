//! A registry's firewall, which decides whose clients reach it.

use std::{net::IpAddr, str::FromStr};

use sealock_cmk::Sku;
use sealock_core::{Bypass, DefaultAction, InvalidIpRange, IpRange, NetworkRules, RegistryId};
use sealock_store::{Batch, Table};
use serde::{Deserialize, Serialize};

use crate::{Error, Refusal, Registry};

/// The addresses that each registry's firewall lets in. The list has a record of its own, since most requests do not need
/// it.
pub(crate) const IP_RULES: Table<Vec<IpRule>> = Table::content("registry-ip-rules");

/// The maximum number of addresses and ranges in a registry's firewall.
///
/// <https://learn.microsoft.com/azure/container-registry/container-registry-access-selected-networks>
const IP_RULE_LIMIT: usize = 100;

/// An IPv4 address, or a range of them, that a registry's firewall lets in. It keeps the text of its author, by which
/// clients find it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IpRule {
    text: String,
    range: IpRange,
}

/// A change of a registry's firewall. What is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkChange {
    /// False closes the registry, whatever the rules are.
    pub public_network_access: Option<bool>,
    /// The treatment of an address that no rule covers.
    pub default_action: Option<DefaultAction>,
    /// The services that pass the firewall. It has no effect, since none of the emulator's services pulls from a registry.
    pub bypass: Option<Bypass>,
    /// All addresses to let in.
    pub ip_rules: Option<Vec<IpRule>>,
}

impl NetworkChange {
    /// Returns the rules after the change in a registry of this tier.
    ///
    /// # Errors
    /// The rule of Azure's that the change or its result breaks.
    pub(crate) fn applied_to(
        &self,
        rules: NetworkRules,
        sku: Sku,
    ) -> Result<NetworkRules, Refusal> {
        let changed = NetworkRules {
            public_network_access: self
                .public_network_access
                .unwrap_or(rules.public_network_access),
            default_action: self.default_action.unwrap_or(rules.default_action),
            bypass: self.bypass.unwrap_or(rules.bypass),
        };
        let names_rules = self.default_action.is_some() || self.ip_rules.is_some();
        network_rules_need_premium(sku, names_rules, changed.default_action)?;
        closed_registry_needs_premium(sku, changed.public_network_access)?;
        at_most_100_ip_rules(self.ip_rules.as_ref().map_or(0, Vec::len))?;
        Ok(changed)
    }

    /// Adds the change of the addresses to `batch`.
    pub(crate) fn plan(&self, registry: RegistryId, batch: Batch) -> Batch {
        match &self.ip_rules {
            Some(rules) => batch.put(&IP_RULES, &[&registry.to_string()], rules),
            None => batch,
        }
    }
}

impl Registry {
    /// Returns the addresses that the firewall lets in, in the order of their author.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn ip_rules(&self) -> Result<Vec<IpRule>, Error> {
        let rules = self.store.get(&IP_RULES, &[&self.id]).await?;
        Ok(rules.map(|rules| rules.value).unwrap_or_default())
    }

    /// Checks that the firewall lets in a client at this address.
    pub(crate) async fn client_is_allowed(&self, address: IpAddr) -> Result<(), Error> {
        let rules = self.record.network;
        let listed = match rules.default_action {
            DefaultAction::Allow => Vec::new(),
            DefaultAction::Deny => self.ip_rules().await?,
        };
        if may_reach(rules, &listed, address) {
            return Ok(());
        }
        Err(Error::ClientNotAllowed(address.to_canonical()))
    }
}

/// Returns true if a firewall lets in a client at this address. Every address counts, even one of this machine.
///
/// <https://learn.microsoft.com/azure/container-registry/container-registry-access-selected-networks>
fn may_reach(rules: NetworkRules, listed: &[IpRule], address: IpAddr) -> bool {
    rules.public_network_access
        && match rules.default_action {
            DefaultAction::Allow => true,
            DefaultAction::Deny => listed.iter().any(|rule| rule.range.covers(address)),
        }
}

/// A registry of another tier has no network rules, and a request cannot name any, not even open ones.
///
/// <https://learn.microsoft.com/azure/container-registry/container-registry-access-selected-networks>
fn network_rules_need_premium(
    sku: Sku,
    names_rules: bool,
    default_action: DefaultAction,
) -> Result<(), Refusal> {
    if sku != Sku::Premium && (names_rules || default_action == DefaultAction::Deny) {
        return Err(Refusal::NetworkRulesTier(sku));
    }
    Ok(())
}

/// Public access can be disabled in the tier Premium only.
///
/// <https://github.com/hashicorp/terraform-provider-azurerm/pull/26054>
fn closed_registry_needs_premium(sku: Sku, public_network_access: bool) -> Result<(), Refusal> {
    if sku != Sku::Premium && !public_network_access {
        return Err(Refusal::PublicAccessTier(sku));
    }
    Ok(())
}

/// Checks the number of addresses and ranges in a firewall.
///
/// <https://learn.microsoft.com/azure/container-registry/container-registry-access-selected-networks>
fn at_most_100_ip_rules(given: usize) -> Result<(), Refusal> {
    if given > IP_RULE_LIMIT {
        return Err(Refusal::TooManyIpRules {
            given,
            limit: IP_RULE_LIMIT,
        });
    }
    Ok(())
}

/// Parses `203.0.113.7` or `203.0.113.0/24`. Private ranges are accepted: clients in containers come from there.
impl FromStr for IpRule {
    type Err = InvalidIpRange;

    fn from_str(text: &str) -> Result<Self, InvalidIpRange> {
        Ok(Self {
            range: text.parse()?,
            text: text.to_owned(),
        })
    }
}

impl TryFrom<String> for IpRule {
    type Error = InvalidIpRange;

    fn try_from(text: String) -> Result<Self, InvalidIpRange> {
        text.parse()
    }
}

impl From<IpRule> for String {
    fn from(rule: IpRule) -> Self {
        rule.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: NetworkRules = NetworkRules {
        public_network_access: true,
        default_action: DefaultAction::Allow,
        bypass: Bypass::AzureServices,
    };

    #[test]
    fn each_firewall_setting_permits_and_refuses() {
        use DefaultAction::{Allow, Deny};

        let listed = ["203.0.113.0/24", "127.0.0.1"].map(|rule| rule.parse().unwrap());
        for (public, default, address, reached) in [
            (true, Allow, "198.51.100.1", true),
            (true, Deny, "198.51.100.1", false),
            (true, Deny, "203.0.113.9", true),
            (true, Deny, "127.0.0.1", true),
            (true, Deny, "127.0.0.2", false),
            (true, Deny, "::1", true),
            (true, Deny, "2001:db8::1", false),
            (false, Allow, "203.0.113.9", false),
            (false, Deny, "127.0.0.1", false),
        ] {
            let rules = NetworkRules {
                public_network_access: public,
                default_action: default,
                bypass: Bypass::AzureServices,
            };
            let found = may_reach(rules, &listed, address.parse().unwrap());
            assert_eq!(found, reached, "{rules:?} {address}");
        }
    }

    #[test]
    fn rule_keeps_the_text_of_its_author() {
        for text in ["203.0.113.7", "203.0.113.7/32", "10.1.2.3/8"] {
            let rule: IpRule = text.parse().unwrap();
            assert_eq!(String::from(rule), text);
        }
        assert!("203.0.113.0/33".parse::<IpRule>().is_err());
    }

    #[test]
    fn each_tier_takes_what_it_supports() {
        let deny = Some(DefaultAction::Deny);
        let allow = Some(DefaultAction::Allow);
        let change = |public_network_access, default_action, ip_rules| NetworkChange {
            public_network_access,
            default_action,
            ip_rules,
            bypass: None,
        };
        let closed = NetworkRules {
            public_network_access: false,
            ..OPEN
        };
        let denying = NetworkRules {
            default_action: DefaultAction::Deny,
            ..OPEN
        };
        let code = |change: NetworkChange, rules, sku| {
            let applied = change.applied_to(rules, sku);
            applied.map_err(|refusal| refusal.code())
        };
        let rules = "NetworkRuleNotSupported";
        let public = "DisablingPublicNetworkAccessNotSupported";
        for (given, found, refused) in [
            (change(None, None, None), OPEN, None),
            (change(Some(true), None, None), OPEN, None),
            (change(None, allow, None), OPEN, Some(rules)),
            (change(None, deny, None), OPEN, Some(rules)),
            (change(None, None, Some(Vec::new())), OPEN, Some(rules)),
            (change(Some(false), None, None), OPEN, Some(public)),
            (change(None, None, None), closed, Some(public)),
            (change(Some(true), None, None), closed, None),
            (change(None, None, None), denying, Some(rules)),
        ] {
            let premium = code(given.clone(), found, Sku::Premium);
            assert!(premium.is_ok(), "{given:?}");
            for sku in [Sku::Basic, Sku::Standard] {
                let applied = code(given.clone(), found, sku);
                assert_eq!(applied.err(), refused, "{given:?} {found:?} {sku}");
            }
        }
        let many = |count| change(None, None, Some(vec!["1.2.3.4".parse().unwrap(); count]));
        assert!(code(many(100), OPEN, Sku::Premium).is_ok());
        let refused = code(many(101), OPEN, Sku::Premium);
        assert_eq!(refused.err(), Some("TooManyIPRules"));
    }
}
