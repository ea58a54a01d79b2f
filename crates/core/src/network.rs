//! The network rules that vaults and registries have alike.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
};

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::excerpt;

/// The private address ranges (RFC 1918, 3).
const PRIVATE: [Ipv4Net; 3] = [
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
];

/// The settings of a firewall. Its addresses are kept elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkRules {
    /// False if only trusted services can reach the resource.
    pub public_network_access: bool,
    /// The treatment of an address that no rule covers.
    pub default_action: DefaultAction,
    /// The services that pass the firewall.
    pub bypass: Bypass,
}

/// The treatment of an address that no rule of a firewall covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DefaultAction {
    /// Let it in.
    Allow,
    /// Refuse it.
    Deny,
}

/// The services that pass a firewall, whatever its rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bypass {
    /// The services that Azure trusts, such as a registry.
    AzureServices,
    /// No service.
    None,
}

/// An IPv4 address, or a range of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IpRange(Ipv4Net);

/// A text that is neither an IPv4 address nor a range of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not an IPv4 address or range; expected one such as 203.0.113.7 or 203.0.113.0/24"
)]
pub struct InvalidIpRange(String);

impl Default for NetworkRules {
    fn default() -> Self {
        Self {
            public_network_access: true,
            default_action: DefaultAction::Allow,
            bypass: Bypass::AzureServices,
        }
    }
}

impl IpRange {
    /// Returns true if the address is in the range. Both loopback addresses stand for this machine.
    pub fn covers(self, address: IpAddr) -> bool {
        let address = match address.to_canonical() {
            IpAddr::V4(address) => address,
            IpAddr::V6(address) if address.is_loopback() => Ipv4Addr::LOCALHOST,
            IpAddr::V6(_) => return false,
        };
        self.0.contains(&address)
    }

    /// Returns true if all of its addresses are private.
    pub fn is_private(self) -> bool {
        PRIVATE.iter().any(|private| private.contains(&self.0))
    }

    /// Returns true if all addresses of some private range are in it.
    pub fn contains_private(self) -> bool {
        PRIVATE.iter().any(|private| self.0.contains(private))
    }
}

/// Parses `203.0.113.7` or `203.0.113.0/24`.
impl FromStr for IpRange {
    type Err = InvalidIpRange;

    fn from_str(text: &str) -> Result<Self, InvalidIpRange> {
        let parsed = match text.parse::<Ipv4Addr>() {
            Ok(address) => Some(Ipv4Net::from(address)),
            Err(_) => text.parse::<Ipv4Net>().ok(),
        };
        let net = parsed.ok_or_else(|| InvalidIpRange(excerpt(text).to_owned()))?;
        Ok(Self(net.trunc()))
    }
}

/// Writes `203.0.113.7/32`, even for a single address.
impl fmt::Display for IpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> IpRange {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_and_ranges_are_parsed_and_written_with_their_prefix() {
        for (given, written) in [
            ("203.0.113.7", "203.0.113.7/32"),
            ("203.0.113.7/24", "203.0.113.0/24"),
            ("0.0.0.0/0", "0.0.0.0/0"),
        ] {
            assert_eq!(range(given).to_string(), written);
        }
        for bad in [
            "",
            "x",
            "::1",
            "203.0.113.0/33",
            "203.0.113.256",
            " 1.2.3.4",
        ] {
            assert!(bad.parse::<IpRange>().is_err(), "{bad}");
        }
    }

    #[test]
    fn range_covers_its_addresses_in_each_form() {
        for (given, address, is_covered) in [
            ("203.0.113.0/24", "203.0.113.255", true),
            ("203.0.113.0/24", "::ffff:203.0.113.1", true),
            ("203.0.113.0/24", "203.0.114.0", false),
            ("203.0.113.7", "203.0.113.7", true),
            ("203.0.113.7", "203.0.113.8", false),
            ("127.0.0.1", "::1", true),
            ("127.0.0.2", "::1", false),
            ("0.0.0.0/0", "2001:db8::1", false),
        ] {
            let covers = range(given).covers(address.parse().unwrap());
            assert_eq!(covers, is_covered, "{given} {address}");
        }
    }

    #[test]
    fn private_ranges_are_known() {
        for (given, is_private, contains_private) in [
            ("10.0.0.0/8", true, true),
            ("192.168.1.1", true, false),
            ("172.16.0.0/12", true, true),
            ("8.0.0.0/5", false, true),
            ("0.0.0.0/0", false, true),
            ("203.0.113.0/24", false, false),
        ] {
            let range = range(given);
            let found = (range.is_private(), range.contains_private());
            assert_eq!(found, (is_private, contains_private), "{given}");
        }
    }
}
