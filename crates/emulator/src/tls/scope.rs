use std::net::IpAddr;

use rcgen::{CidrSubnet, GeneralSubtree};

use crate::routing::host::{AZURE_DOMAINS, AZURE_SERVICES};

/// The common name of the emulator's own CA.
pub const LOCAL_CA_NAME: &str = "Sealock CA for localhost";

/// The names that a CA may sign for. Clients trust it for no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// localhost, its subdomains and the loopback addresses.
    Loopback,
    /// The host names of Azure's real services.
    Azure,
}

impl Scope {
    /// Returns the name of the file with the CA's certificates and the intermediate's private key.
    pub(super) fn file(self) -> &'static str {
        match self {
            Self::Loopback => "authority.pem",
            Self::Azure => "azure-authority.pem",
        }
    }

    pub(super) fn permitted(self) -> Vec<GeneralSubtree> {
        let names = |names: &[&str]| -> Vec<_> {
            names
                .iter()
                .map(|name| GeneralSubtree::DnsName((*name).to_owned()))
                .collect()
        };
        match self {
            Self::Loopback => [
                names(&["localhost"]),
                vec![
                    GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([127, 0, 0, 0], 8)),
                    GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(
                        IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
                        128,
                    )),
                ],
            ]
            .concat(),
            Self::Azure => [names(&AZURE_DOMAINS), names(&AZURE_SERVICES)].concat(),
        }
    }

    pub(super) fn root_name(self) -> &'static str {
        match self {
            Self::Loopback => LOCAL_CA_NAME,
            Self::Azure => "Sealock CA for Azure's names",
        }
    }

    pub(super) fn intermediate_name(self) -> &'static str {
        match self {
            Self::Loopback => "Sealock intermediate CA for localhost",
            Self::Azure => "Sealock intermediate CA for Azure's names",
        }
    }
}
