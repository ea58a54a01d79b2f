use sealock_core::{ClientId, RegistryName, ScopeMapName, TokenName};
use sealock_entra::InvalidToken;
use sealock_http::LoginRefusalReason;
use uuid::Uuid;

use crate::Scope;

/// The reason why a login or a request is refused. The log gets it; clients learn no more than ACR tells them. It names
/// only what exists here, besides users and tenants that could exist, and never a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginRefusal {
    /// The access token has expired, or was never valid here.
    #[error("the access token is not valid: {0}")]
    AccessTokenInvalid(InvalidToken),
    /// The admin user is disabled, and no token has the registry's name.
    #[error("the admin user is disabled")]
    AdminDisabled,
    /// The password is neither of the admin user's.
    #[error("the password of the admin user is wrong")]
    AdminPasswordWrong,
    /// A token request has no credentials.
    #[error("no credentials, and anonymous pull is disabled")]
    AnonymousPullDisabled,
    /// A token request has a Bearer token instead of a user and a password.
    #[error("the request has a Bearer token; expected a user and a password")]
    BearerUnexpected,
    /// The application's secret has expired.
    #[error("the client secret of the application {0} has expired")]
    ClientSecretExpired(ClientId),
    /// The secret is not the application's. A managed identity has none.
    #[error("the client secret of the application {0} is wrong")]
    ClientSecretWrong(ClientId),
    /// Entra's token cannot be exchanged.
    #[error("Entra's token is not valid: {0}")]
    EntraTokenInvalid(InvalidToken),
    /// The exchange has no access token. A refresh token of Entra's does not work, since Entra issues none here.
    #[error("the exchange has no access token from Entra")]
    EntraTokenMissing,
    /// The `Authorization` header is neither Basic nor Bearer, or there are several.
    #[error("the Authorization header cannot be parsed")]
    HeaderUnreadable,
    /// The request has no credentials.
    #[error("no credentials")]
    NoCredentials,
    /// The refresh token has expired, or was never valid here.
    #[error("the refresh token is not valid: {0}")]
    RefreshTokenInvalid(InvalidToken),
    /// A token request should have a refresh token, and has none.
    #[error("no refresh token")]
    RefreshTokenMissing,
    /// The principal exists, but has no role in the registry.
    #[error("the principal {0} has no role in the registry")]
    RoleMissing(ClientId),
    /// The user's permissions do not include the scope.
    #[error("{user} does not have the permission {scope}")]
    ScopeForbidden {
        /// The user.
        user: String,
        /// The scope that the request needs.
        scope: Box<Scope>,
    },
    /// The scope map of the token was deleted.
    #[error("the scope map {scope_map} of the token {token} no longer exists")]
    ScopeMapMissing {
        /// The token.
        token: TokenName,
        /// Its scope map.
        scope_map: ScopeMapName,
    },
    /// The access token was issued for a narrower scope.
    #[error("the access token of {user} does not include {scope}")]
    ScopeMissing {
        /// The user that the token was issued to.
        user: String,
        /// The scope that the request needs.
        scope: Box<Scope>,
    },
    /// The tenant is not the emulator's.
    #[error("the tenant '{0}' is not the emulator's")]
    TenantForeign(String),
    /// The token is disabled.
    #[error("the token {0} is disabled")]
    TokenDisabled(TokenName),
    /// The token is of the registry's other kind.
    #[error("the token is a {found}; expected an {expected}")]
    TokenKindWrong {
        /// The token's kind.
        found: String,
        /// The expected kind.
        expected: &'static str,
    },
    /// The token's password has expired.
    #[error("the password of the token {0} has expired")]
    TokenPasswordExpired(TokenName),
    /// The token has no password.
    #[error("the token {0} has no password")]
    TokenPasswordMissing(TokenName),
    /// The password is none of the token's.
    #[error("the password of the token {0} is wrong")]
    TokenPasswordWrong(TokenName),
    /// No admin user, no token and no application has this name.
    #[error("there is no user '{0}': no admin user, token or application has this name")]
    UserUnknown(String),
    /// No user can have the given name. It is not logged, since it may be a misplaced password.
    #[error("no user can have the given name")]
    UserImpossible,
}

impl LoginRefusal {
    /// Returns the refusal of an unknown user. It contains the name only if a user could have it.
    pub(crate) fn unknown(user: &str) -> Self {
        let is_name = user.parse::<TokenName>().is_ok()
            || user.parse::<RegistryName>().is_ok()
            || Uuid::parse_str(user).is_ok();
        if is_name {
            Self::UserUnknown(user.to_owned())
        } else {
            Self::UserImpossible
        }
    }

    /// Returns true if no enabled user of this kind has the name. A user of another kind may still have it.
    pub(crate) fn is_unknown_user(&self) -> bool {
        matches!(
            self,
            Self::AdminDisabled | Self::UserUnknown(_) | Self::UserImpossible
        )
    }

    /// Returns the error word of the challenge. It tells the client what to change.
    ///
    /// <https://www.rfc-editor.org/rfc/rfc6750#section-3.1>
    pub(crate) fn challenge_error(&self) -> Option<&'static str> {
        match self {
            Self::NoCredentials => None,
            Self::ScopeForbidden { .. } | Self::ScopeMissing { .. } => Some("insufficient_scope"),
            _ => Some("invalid_token"),
        }
    }

    /// Returns the message for the client, in ACR's words, which reveal less.
    ///
    /// <https://github.com/Azure/azure-cli/issues/29659>,
    /// <https://learn.microsoft.com/azure/container-registry/container-registry-troubleshoot-login>
    pub(crate) fn message(&self, correlation_id: Uuid) -> String {
        match self {
            Self::ClientSecretExpired(_) | Self::ClientSecretWrong(_) => {
                "Invalid clientid or client secret.".to_owned()
            }
            Self::AdminDisabled | Self::UserUnknown(_) | Self::UserImpossible => {
                "Application not registered with AAD.".to_owned()
            }
            _ => format!(
                "authentication required, visit https://aka.ms/acr/authorization for more information. CorrelationId: {correlation_id}"
            ),
        }
    }

    /// Returns the reason for the log.
    pub(crate) fn reason(&self) -> LoginRefusalReason {
        LoginRefusalReason::new(self)
    }
}
