use std::net::{IpAddr, Ipv4Addr};

use sealock_entra::{Caller, ManagedIdentity};
use uuid::Uuid;

/// Who asks a vault for something, and by what means.
#[derive(Clone, Debug)]
pub struct Requester {
    /// Who it is.
    pub caller: Caller,
    /// By what means.
    pub client: Client,
}

/// What a request comes from, whoever sent it.
#[derive(Clone, Debug)]
pub struct Client {
    /// From where.
    pub origin: Origin,
    /// Its `User-Agent`.
    pub info: String,
    /// The version of the API that the request names. The operator's and a registry's name none.
    pub api_version: Option<String>,
    /// The request's own id.
    pub correlation_id: Uuid,
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Some machine.
    Address(IpAddr),
    /// A service of Azure's that vaults may trust, such as a registry.
    ///
    /// <https://learn.microsoft.com/azure/key-vault/general/overview-vnet-service-endpoints#trusted-services>
    TrustedService,
}

impl Requester {
    /// Whoever uses the control API.
    pub fn operator() -> Self {
        let origin = Origin::Address(Ipv4Addr::LOCALHOST.into());
        Self {
            caller: Caller::Operator,
            client: Client::of_ours(origin, "sealock"),
        }
    }

    /// A registry, as its managed identity.
    pub fn registry(identity: ManagedIdentity) -> Self {
        Self {
            caller: Caller::Principal(identity.into()),
            client: Client::of_ours(Origin::TrustedService, "AzureContainerRegistry/emulator"),
        }
    }

    /// Whether it asks by the vault's HTTP: neither the operator nor a registry does.
    pub(crate) fn is_client(&self) -> bool {
        matches!(self.caller, Caller::Principal(_))
            && matches!(self.client.origin, Origin::Address(_))
    }
}

impl Client {
    fn of_ours(origin: Origin, info: &str) -> Self {
        Self {
            origin,
            info: info.to_owned(),
            api_version: None,
            correlation_id: Uuid::new_v4(),
        }
    }
}

impl Origin {
    /// The address that it is known by. A registry of the emulator's is on this machine.
    pub(crate) fn address(self) -> IpAddr {
        match self {
            Self::Address(address) => address,
            Self::TrustedService => Ipv4Addr::LOCALHOST.into(),
        }
    }
}
