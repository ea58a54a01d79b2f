use std::net::{IpAddr, Ipv4Addr};

use sealock_entra::{Caller, ManagedIdentity};
use uuid::Uuid;

use crate::{Error, Result};

/// The version that a refusal recommends: what Microsoft's SDKs name by default.
const LATEST: &str = "2025-07-01";

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

    /// A client names the version of the API that it was made for. Every version that is written like one is
    /// taken: what each of them has is served to all. The text for another one is Azure's
    /// (<https://github.com/Azure/azure-sdk-for-python/issues/28595>).
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

fn is_version(text: &str) -> bool {
    let is_number = |text: &str| {
        (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let (version, preview) = match text.split_once("-preview") {
        Some((version, preview)) => (version, preview),
        None => (text, ""),
    };
    let is_date = || version.len() == 10 && version.parse::<jiff::civil::Date>().is_ok();
    let is_of_seven = || version.strip_prefix("7.").is_some_and(is_number);
    let is_preview = preview.is_empty() || preview.strip_prefix('.').is_some_and(is_number);
    is_preview && (is_date() || is_of_seven())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_of_the_api_is_written_like_one() {
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
