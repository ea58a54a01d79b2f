use std::{fmt, str::FromStr};

use sealock_core::{Bypass, DefaultAction, IpRange, NetworkRules, excerpt};
use sealock_entra::Principal;
use serde::{Deserialize, Serialize};

use crate::{Error, Origin, Result};

/// The maximum number of rules in a vault's firewall.
///
/// <https://learn.microsoft.com/azure/key-vault/general/network-security#key-vault-firewall-enabled-ipv4-addresses-and-ranges---static-ips>
pub(crate) const IP_RULE_LIMIT: usize = 1000;

/// An IPv4 address, or a range of them, that a vault's firewall lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IpRule(IpRange);

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
    /// Trusted services pass the firewall, but not with a user-assigned identity.
    IdentityNotTrusted,
}

/// The identities with which a service of Azure is a trusted one.
///
/// Until 2021, Azure Container Registry was a trusted service with its system-assigned identity only.
/// <https://github.com/MicrosoftDocs/azure-docs/issues/75970>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrustedServices {
    /// Any.
    #[default]
    AnyIdentity,
    /// System-assigned ones.
    SystemAssigned,
}

impl TrustedServices {
    pub(crate) fn include(self, principal: &Principal) -> bool {
        match (self, principal) {
            (Self::AnyIdentity, _) => true,
            (Self::SystemAssigned, Principal::ManagedIdentity(identity)) => {
                identity.owner.is_some()
            }
            (Self::SystemAssigned, _) => false,
        }
    }
}

/// Permits a request from `origin`, or refuses it. A service of Azure is trusted if `trusts_identity`.
///
/// <https://learn.microsoft.com/azure/key-vault/general/network-security>
pub fn may_reach(
    rules: NetworkRules,
    ip_rules: &[IpRule],
    origin: Origin,
    trusts_identity: bool,
) -> std::result::Result<(), UnreachableReason> {
    let is_service = origin == Origin::TrustedService;
    if is_service && rules.bypass == Bypass::AzureServices {
        let is_open = rules.public_network_access && rules.default_action == DefaultAction::Allow;
        return if trusts_identity || is_open {
            Ok(())
        } else {
            Err(UnreachableReason::IdentityNotTrusted)
        };
    }
    if !rules.public_network_access {
        return Err(UnreachableReason::PublicAccessDisabled);
    }
    if rules.default_action == DefaultAction::Allow {
        return Ok(());
    }
    match (origin, rules.bypass) {
        (Origin::Address(address), _) if ip_rules.iter().any(|rule| rule.0.covers(address)) => {
            Ok(())
        }
        (_, Bypass::AzureServices) => Err(UnreachableReason::AddressNotAuthorized),
        (_, Bypass::None) => Err(UnreachableReason::BypassDisabled),
    }
}

/// Parses `203.0.113.7` or `203.0.113.0/24`. As in Azure, private ranges are refused. Loopback addresses are accepted
/// and stand for this machine.
impl FromStr for IpRule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let range: IpRange = text
            .parse()
            .map_err(|error| Error::BadParameter(format!("{error}.")))?;
        let refused = |fault: &str| {
            Err(Error::BadParameter(format!(
                "'{}' {fault}; a vault's firewall takes public addresses only.",
                excerpt(text)
            )))
        };
        if range.is_private() {
            return refused("is private");
        }
        if range.contains_private() {
            return refused("contains private addresses");
        }
        Ok(Self(range))
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
                may_reach(rules, &listed, origin, true),
                reached,
                "{rules:?} {origin:?}"
            );
        }
    }

    #[test]
    fn untrusted_identity_passes_an_open_firewall_only() {
        for (public, default, reached) in [
            (true, DefaultAction::Allow, Ok(())),
            (
                true,
                DefaultAction::Deny,
                Err(UnreachableReason::IdentityNotTrusted),
            ),
            (
                false,
                DefaultAction::Allow,
                Err(UnreachableReason::IdentityNotTrusted),
            ),
        ] {
            let rules = NetworkRules {
                public_network_access: public,
                default_action: default,
                bypass: Bypass::AzureServices,
            };
            assert_eq!(
                may_reach(rules, &[], Origin::TrustedService, false),
                reached,
                "{rules:?}"
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
