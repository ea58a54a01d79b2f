use axum::http::StatusCode;
use sealock_cmk::Sku;
use sealock_core::{InvalidName, RegistryName, ScopeMapName, TokenName};

/// The reason why a change of a registry's settings or logins is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The admin user is disabled, so its passwords cannot be shown.
    #[error("the admin user of registry {0} is disabled")]
    AdminDisabled(RegistryName),
    /// Anonymous pull needs the tier Standard or Premium:
    /// <https://learn.microsoft.com/azure/container-registry/anonymous-pull-access>
    #[error(
        "anonymous pull needs the service tier Standard or Premium, and registry {0} has Basic"
    )]
    AnonymousPullTier(RegistryName),
    /// The expiry of the password cannot be represented.
    #[error("the password would expire too late to be represented; choose a shorter validity")]
    ExpiryTooFar,
    /// An invalid name.
    #[error(transparent)]
    Name(InvalidName),
    /// A firewall needs the tier Premium:
    /// <https://learn.microsoft.com/azure/container-registry/container-registry-access-selected-networks>. Azure names
    /// virtual networks whatever the rule is.
    #[error("The requested feature virtual network rule is not supported for the SKU {0}.")]
    NetworkRulesTier(Sku),
    /// A registry that is closed to the public needs the tier Premium:
    /// <https://github.com/hashicorp/terraform-provider-azurerm/pull/26054>
    #[error(
        "Disabling public network access is not supported for the SKU {0}. For more information, please visit https://aka.ms/acr/private-link."
    )]
    PublicAccessTier(Sku),
    /// An invalid action of a scope map.
    #[error(
        "'{0}' is not a scope map action; expected repositories/NAME/content/read, content/write, content/delete, metadata/read or metadata/write, and NAME may end with *"
    )]
    ScopeMapActionInvalid(String),
    /// A built-in scope map cannot be changed.
    #[error("the scope map {0} is built in and cannot be changed")]
    ScopeMapBuiltIn(ScopeMapName),
    /// A token uses the scope map, so it cannot be deleted.
    #[error("the token {token} uses the scope map {name}")]
    ScopeMapInUse {
        /// The scope map.
        name: ScopeMapName,
        /// A token that uses it.
        token: TokenName,
    },
    /// A new token has no scope map.
    #[error("the token {0} needs a scope map")]
    ScopeMapMissing(TokenName),
    /// The scope map does not fit into one record.
    #[error(
        "the scope map {name} takes {bytes} bytes, and the limit is {limit}; shorten it with * in the names of repositories"
    )]
    ScopeMapTooLarge {
        /// The scope map.
        name: ScopeMapName,
        /// Its size in bytes.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The scope map does not exist.
    #[error("there is no scope map {name} in registry {registry}")]
    ScopeMapUnknown {
        /// The registry.
        registry: RegistryName,
        /// The scope map.
        name: ScopeMapName,
    },
    /// The firewall would have too many rules.
    #[error("the registry's firewall takes at most {limit} addresses and ranges, and not {given}")]
    TooManyIpRules {
        /// The number of rules.
        given: usize,
        /// The limit of rules.
        limit: usize,
    },
    /// The token does not exist.
    #[error("there is no token {name} in registry {registry}")]
    TokenUnknown {
        /// The registry.
        registry: RegistryName,
        /// The token.
        name: TokenName,
    },
}

impl Refusal {
    /// Returns the status of the response.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::ScopeMapUnknown { .. } | Self::TokenUnknown { .. } => StatusCode::NOT_FOUND,
            Self::ExpiryTooFar
            | Self::Name(_)
            | Self::ScopeMapActionInvalid(_)
            | Self::ScopeMapMissing(_)
            | Self::ScopeMapTooLarge { .. }
            | Self::TooManyIpRules { .. } => StatusCode::BAD_REQUEST,
            Self::AdminDisabled(_)
            | Self::AnonymousPullTier(_)
            | Self::NetworkRulesTier(_)
            | Self::PublicAccessTier(_)
            | Self::ScopeMapBuiltIn(_)
            | Self::ScopeMapInUse { .. } => StatusCode::CONFLICT,
        }
    }

    /// Returns the error code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AdminDisabled(_) => "AdminDisabled",
            Self::AnonymousPullTier(_) => "AnonymousPullTier",
            Self::ExpiryTooFar => "ExpiryTooFar",
            Self::Name(_) => "NameInvalid",
            Self::NetworkRulesTier(_) => "NetworkRuleNotSupported",
            Self::PublicAccessTier(_) => "DisablingPublicNetworkAccessNotSupported",
            Self::ScopeMapActionInvalid(_) => "ScopeMapActionInvalid",
            Self::ScopeMapBuiltIn(_) => "ScopeMapBuiltIn",
            Self::ScopeMapInUse { .. } => "ScopeMapInUse",
            Self::ScopeMapMissing(_) => "ScopeMapMissing",
            Self::ScopeMapTooLarge { .. } => "ScopeMapTooLarge",
            Self::ScopeMapUnknown { .. } => "ScopeMapUnknown",
            Self::TokenUnknown { .. } => "TokenUnknown",
            Self::TooManyIpRules { .. } => "TooManyIPRules",
        }
    }
}
