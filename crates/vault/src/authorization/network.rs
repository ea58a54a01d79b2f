use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
};

use ipnet::Ipv4Net;
use sealock_core::excerpt;
use serde::{Deserialize, Serialize};

use crate::{Error, Origin, Result};

/// The maximum number of rules in a vault's firewall.
///
/// <https://learn.microsoft.com/azure/key-vault/general/network-security#key-vault-firewall-enabled-ipv4-addresses-and-ranges---static-ips>
pub(crate) const IP_RULE_LIMIT: usize = 1000;

/// The private address ranges (RFC 1918, 3).
const PRIVATE: [Ipv4Net; 3] = [
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
];

/// The settings of a vault's firewall: its `networkAcls` and `publicNetworkAccess`.
///
/// <https://learn.microsoft.com/azure/key-vault/general/network-security>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkRules {
    /// False if only trusted services can reach the vault.
    pub public_network_access: bool,
    /// The treatment of an address that no rule covers.
    pub default_action: DefaultAction,
    /// The services that pass the firewall.
    pub bypass: Bypass,
}

/// The treatment of an address that no rule of a vault's firewall covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DefaultAction {
    /// Let it in.
    Allow,
    /// Refuse it.
    Deny,
}

/// The services that pass a vault's firewall, whatever its rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bypass {
    /// The services that Azure trusts, such as a registry.
    AzureServices,
    /// No service.
    None,
}

/// An IPv4 address, or a range of them, that a vault's firewall lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IpRule(Ipv4Net);

/// A subnet that a vault's firewall lets in. The emulator has no virtual networks, so that a rule has no effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VirtualNetworkRule {
    /// The ARM id of the subnet.
    pub id: String,
    /// True if the subnet needs no service endpoint for Key Vault.
    pub ignore_missing_service_endpoint: Option<bool>,
}

/// The reason why a vault's firewall refuses a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnreachableReason {
    /// Public network access is disabled.
    PublicAccessDisabled,
    /// No rule covers the address, and the requester is not a trusted service.
    AddressNotAuthorized,
    /// No rule covers the address, and trusted services do not pass the firewall.
    BypassDisabled,
}

impl Default for NetworkRules {
    fn default() -> Self {
        Self {
            public_network_access: true,
            default_action: DefaultAction::Allow,
            bypass: Bypass::AzureServices,
        }
    }
}

/// Permits a request from `origin`, or refuses it.
///
/// <https://learn.microsoft.com/azure/key-vault/general/network-security>
pub fn may_reach(
    rules: NetworkRules,
    ip_rules: &[IpRule],
    origin: Origin,
) -> std::result::Result<(), UnreachableReason> {
    let is_trusted = origin == Origin::TrustedService;
    if is_trusted && rules.bypass == Bypass::AzureServices {
        return Ok(());
    }
    if !rules.public_network_access {
        return Err(UnreachableReason::PublicAccessDisabled);
    }
    if rules.default_action == DefaultAction::Allow {
        return Ok(());
    }
    match (origin, rules.bypass) {
        (Origin::Address(address), _) if ip_rules.iter().any(|rule| rule.covers(address)) => Ok(()),
        (_, Bypass::AzureServices) => Err(UnreachableReason::AddressNotAuthorized),
        (_, Bypass::None) => Err(UnreachableReason::BypassDisabled),
    }
}

impl IpRule {
    fn covers(self, address: IpAddr) -> bool {
        let address = match address.to_canonical() {
            IpAddr::V4(address) => address,
            // Both loopback addresses stand for this machine.
            IpAddr::V6(address) if address.is_loopback() => Ipv4Addr::LOCALHOST,
            IpAddr::V6(_) => return false,
        };
        self.0.contains(&address)
    }
}

/// Parses `203.0.113.7` or `203.0.113.0/24`. As in Azure, private ranges are refused. Loopback addresses are accepted
/// and stand for this machine.
impl FromStr for IpRule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let given = || excerpt(text);
        let parsed = match text.parse::<Ipv4Addr>() {
            Ok(address) => Some(Ipv4Net::from(address)),
            Err(_) => text.parse::<Ipv4Net>().ok(),
        };
        let Some(net) = parsed else {
            return Err(Error::BadParameter(format!(
                "'{}' is not an IPv4 address or range; expected one such as 203.0.113.7 or 203.0.113.0/24.",
                given()
            )));
        };
        let refused = |fault: &str| {
            Err(Error::BadParameter(format!(
                "'{}' {fault}; a vault's firewall takes public addresses only.",
                given()
            )))
        };
        if PRIVATE.iter().any(|private| private.contains(&net)) {
            return refused("is private");
        }
        if PRIVATE.iter().any(|private| net.contains(private)) {
            return refused("contains private addresses");
        }
        Ok(Self(net.trunc()))
    }
}

impl fmt::Display for IpRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for IpRule {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<IpRule> for String {
    fn from(rule: IpRule) -> Self {
        rule.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_firewall_setting_permits_and_refuses() {
        use Bypass::{AzureServices, None};
        use DefaultAction::{Allow, Deny};
        use UnreachableReason::{AddressNotAuthorized, BypassDisabled, PublicAccessDisabled};

        let from = |text: &str| Origin::Address(text.parse().unwrap());
        let service = Origin::TrustedService;
        let listed = ["203.0.113.0/24", "127.0.0.1"].map(|rule| rule.parse().unwrap());
        for (public, default, bypass, origin, reached) in [
            (true, Allow, AzureServices, from("198.51.100.1"), Ok(())),
            (true, Allow, None, service, Ok(())),
            (
                true,
                Deny,
                AzureServices,
                from("198.51.100.1"),
                Err(AddressNotAuthorized),
            ),
            (true, Deny, None, from("203.0.113.9"), Ok(())),
            (true, Deny, None, from("::ffff:203.0.113.9"), Ok(())),
            (true, Deny, None, from("2001:db8::1"), Err(BypassDisabled)),
            (true, Deny, None, from("127.0.0.1"), Ok(())),
            (true, Deny, None, from("::1"), Ok(())),
            (true, Deny, AzureServices, service, Ok(())),
            (true, Deny, None, service, Err(BypassDisabled)),
            (false, Allow, AzureServices, service, Ok(())),
            (false, Allow, None, service, Err(PublicAccessDisabled)),
            (
                false,
                Allow,
                AzureServices,
                from("127.0.0.1"),
                Err(PublicAccessDisabled),
            ),
            (
                false,
                Deny,
                AzureServices,
                from("203.0.113.9"),
                Err(PublicAccessDisabled),
            ),
        ] {
            let rules = NetworkRules {
                public_network_access: public,
                default_action: default,
                bypass,
            };
            assert_eq!(
                may_reach(rules, &listed, origin),
                reached,
                "{rules:?} {origin:?}"
            );
        }
    }

    #[test]
    fn only_public_ipv4_ranges_are_rules() {
        for (given, written) in [
            ("203.0.113.7", "203.0.113.7/32"),
            ("203.0.113.7/24", "203.0.113.0/24"),
            ("127.0.0.1", "127.0.0.1/32"),
        ] {
            assert_eq!(given.parse::<IpRule>().unwrap().to_string(), written);
        }
        for bad in [
            "",
            "::1",
            "10.0.0.0/8",
            "8.0.0.0/5",
            "0.0.0.0/0",
            "192.168.1.1",
            "172.16.0.0/12",
            "203.0.113.0/33",
            "x",
        ] {
            assert!(
                matches!(bad.parse::<IpRule>(), Err(Error::BadParameter(_))),
                "{bad}"
            );
        }
    }
}
