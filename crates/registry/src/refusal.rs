use axum::http::StatusCode;
use sealock_core::{InvalidName, RegistryName, ScopeMapName, TokenName};

/// Why a registry's settings stay as they are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The admin user has no passwords to show.
    #[error("the admin user of registry {0} is disabled")]
    AdminDisabled(RegistryName),
    /// Anonymous pull is for the upper tiers.
    /// <https://learn.microsoft.com/azure/container-registry/anonymous-pull-access>
    #[error(
        "anonymous pull needs the service tier Standard or Premium, and registry {0} has Basic"
    )]
    AnonymousPullTier(RegistryName),
    /// A time that no clock reaches.
    #[error("the password would expire after the end of time")]
    ExpiryTooFar,
    /// Not a name.
    #[error(transparent)]
    Name(InvalidName),
    /// Not an action of a scope map.
    #[error(
        "'{0}' is not an action; expected repositories/NAME/content/read, content/write, content/delete, metadata/read or metadata/write, and NAME may end with *"
    )]
    ScopeMapActionInvalid(String),
    /// The scope maps that every registry has stay as they are.
    #[error("the scope map {0} is built in and cannot be changed")]
    ScopeMapBuiltIn(ScopeMapName),
    /// Tokens would be left without one.
    #[error("the scope map {name} belongs to the token {token}")]
    ScopeMapInUse {
        /// The scope map.
        name: ScopeMapName,
        /// One of those that have it.
        token: TokenName,
    },
    /// A token says what it may do by its scope map.
    #[error("the token {0} needs a scope map")]
    ScopeMapMissing(TokenName),
    /// More than one record holds.
    #[error(
        "the scope map {name} takes {bytes} bytes, but {limit} are the most; use * in the names of repositories"
    )]
    ScopeMapTooLarge {
        /// The scope map.
        name: ScopeMapName,
        /// How many bytes they take.
        bytes: usize,
        /// The most.
        limit: usize,
    },
    /// No such scope map.
    #[error("there is no scope map {name} in registry {registry}")]
    ScopeMapUnknown {
        /// The registry.
        registry: RegistryName,
        /// The scope map.
        name: ScopeMapName,
    },
    /// No such token.
    #[error("there is no token {name} in registry {registry}")]
    TokenUnknown {
        /// The registry.
        registry: RegistryName,
        /// The token.
        name: TokenName,
    },
}

impl Refusal {
    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::ScopeMapUnknown { .. } | Self::TokenUnknown { .. } => StatusCode::NOT_FOUND,
            Self::ExpiryTooFar
            | Self::Name(_)
            | Self::ScopeMapActionInvalid(_)
            | Self::ScopeMapMissing(_)
            | Self::ScopeMapTooLarge { .. } => StatusCode::BAD_REQUEST,
            Self::AdminDisabled(_)
            | Self::AnonymousPullTier(_)
            | Self::ScopeMapBuiltIn(_)
            | Self::ScopeMapInUse { .. } => StatusCode::CONFLICT,
        }
    }

    /// Its name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AdminDisabled(_) => "AdminDisabled",
            Self::AnonymousPullTier(_) => "AnonymousPullTier",
            Self::ExpiryTooFar => "ExpiryTooFar",
            Self::Name(_) => "NameInvalid",
            Self::ScopeMapActionInvalid(_) => "ScopeMapActionInvalid",
            Self::ScopeMapBuiltIn(_) => "ScopeMapBuiltIn",
            Self::ScopeMapInUse { .. } => "ScopeMapInUse",
            Self::ScopeMapMissing(_) => "ScopeMapMissing",
            Self::ScopeMapTooLarge { .. } => "ScopeMapTooLarge",
            Self::ScopeMapUnknown { .. } => "ScopeMapUnknown",
            Self::TokenUnknown { .. } => "TokenUnknown",
        }
    }
}
