use std::net::{IpAddr, Ipv4Addr};

use sealock_entra::{Caller, ManagedIdentity, Principal};
use uuid::Uuid;

use crate::{Error, Result};

/// The API version that a refusal recommends: the default of Microsoft's SDKs.
const LATEST: &str = "2025-07-01";

/// The caller of a request and its client.
#[derive(Clone, Debug)]
pub struct Requester {
    /// The authenticated party.
    pub caller: Caller,
    /// The program that sent the request.
    pub client: Client,
}

/// The program that sent a request, and the data of the request that do not depend on the operation.
#[derive(Clone, Debug)]
pub struct Client {
    /// The origin of the request.
    pub origin: Origin,
    /// The `User-Agent`.
    pub user_agent: String,
    /// The API version that the request names. The operator and registries name none.
    pub api_version: Option<String>,
    /// The request's own id.
    pub correlation_id: Uuid,
}

/// The origin of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A client at this address.
    Address(IpAddr),
    /// A service of Azure that vaults may trust, such as a registry.
    ///
    /// <https://learn.microsoft.com/azure/key-vault/general/overview-vnet-service-endpoints#trusted-services>
    TrustedService,
    /// A client of Resource Manager at this address. Resource Manager has checked the roles of the caller, and neither the
    /// vault's firewall nor its access policies apply.
    ///
    /// <https://learn.microsoft.com/azure/key-vault/general/security-features#access-model-overview>
    ResourceManager(IpAddr),
}

impl Requester {
    /// Returns the operator, who uses the control API.
    pub fn operator() -> Self {
        let origin = Origin::Address(Ipv4Addr::LOCALHOST.into());
        Self {
            caller: Caller::Operator,
            client: Client::of_emulator(origin, "sealock"),
        }
    }

    /// Returns a registry, with its managed identity as the caller.
    pub fn registry(identity: ManagedIdentity) -> Self {
        Self {
            caller: Caller::Principal(identity.into()),
            client: Client::of_emulator(Origin::TrustedService, "AzureContainerRegistry/emulator"),
        }
    }

    /// Checks that a client names an API version. All well-formed versions are accepted and behave alike. The text for
    /// other versions is Azure's (<https://github.com/Azure/azure-sdk-for-python/issues/28595>).
    ///
    /// <https://learn.microsoft.com/rest/api/keyvault/keys/operation-groups>
    pub(crate) fn api_version_is_named(&self) -> Result<()> {
        let named = self.client.api_version.as_deref();
        match named {
            _ if !self.is_client() => Ok(()),
            Some(version) if is_version(version) => Ok(()),
            Some(version) => Err(Error::BadParameter(format!(
                "The specified version ({version}) is not recognized. Consider using the latest supported version ({LATEST})."
            ))),
            None => Err(Error::BadParameter(format!(
                "The query parameter api-version is missing; name one such as 7.4 or {LATEST}."
            ))),
        }
    }

    /// Returns the principal whose access the vault judges. `None` for the operator and for Resource Manager's callers.
    pub(crate) fn judged_principal(&self) -> Option<&Principal> {
        match (&self.caller, self.client.origin) {
            (Caller::Operator, _) | (_, Origin::ResourceManager(_)) => None,
            (Caller::Principal(principal), _) => Some(principal),
        }
    }

    /// Returns true for a client of the vault's HTTP, false for the operator, registries and Resource Manager.
    pub(crate) fn is_client(&self) -> bool {
        matches!(self.caller, Caller::Principal(_))
            && matches!(self.client.origin, Origin::Address(_))
    }
}

impl Client {
    fn of_emulator(origin: Origin, user_agent: &str) -> Self {
        Self {
            origin,
            user_agent: user_agent.to_owned(),
            api_version: None,
            correlation_id: Uuid::new_v4(),
        }
    }
}

impl Origin {
    /// Returns the address. The emulator's registries are on this machine.
    pub(crate) fn address(self) -> IpAddr {
        match self {
            Self::Address(address) | Self::ResourceManager(address) => address,
            Self::TrustedService => Ipv4Addr::LOCALHOST.into(),
        }
    }
}

fn is_version(text: &str) -> bool {
    let is_number = |text: &str| {
        (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let (version, preview) = match text.split_once("-preview") {
        Some((version, preview)) => (version, preview),
        None => (text, ""),
    };
    let is_date = || version.len() == 10 && version.parse::<jiff::civil::Date>().is_ok();
    let is_seven = || version.strip_prefix("7.").is_some_and(is_number);
    let is_preview = preview.is_empty() || preview.strip_prefix('.').is_some_and(is_number);
    is_preview && (is_date() || is_seven())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_api_versions_are_rejected() {
        for good in [
            "7.0",
            "7.4",
            "7.5-preview.1",
            "7.6-preview.2",
            "7.10",
            "2016-10-01",
            LATEST,
            "2026-01-01-preview",
            "2026-04-01",
        ] {
            assert!(is_version(good), "{good}");
        }
        for bad in [
            "",
            "7",
            "7.",
            "8.0",
            "7.x",
            "7.+4",
            "v7.4",
            "20250701",
            "2025-13-01",
            "7.4-previewer",
            "7.4-preview.",
            "7.4-preview.+1",
            "7.4-preview.1-preview",
            "-preview",
            "2025-7-01",
            "+2025-07-0",
            "2025-W27-2",
            "latest",
        ] {
            assert!(!is_version(bad), "{bad}");
        }
    }
}
