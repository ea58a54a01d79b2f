use sealock_core::{ClientId, RegistryName, ScopeMapName, TokenName};
use sealock_entra::InvalidToken;
use sealock_http::LoginRefusalReason;
use uuid::Uuid;

use crate::Scope;

/// The reason for which nobody is logged in, or may not do what the request asks for. The log has it; clients are told
/// no more than ACR tells them. It names only what exists here, besides users and tenants that could exist, and never a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginRefusal {
    /// An access token serves no more, or never did here.
    #[error("the access token is not valid: {0}")]
    AccessTokenInvalid(InvalidToken),
    /// The admin user is disabled, and no token has the registry's name.
    #[error("the admin user is disabled")]
    AdminDisabled,
    /// Neither of the admin user's passwords.
    #[error("the password of the admin user is wrong")]
    AdminPasswordWrong,
    /// A request for a token from whoever shows no credentials.
    #[error("no credentials, and anonymous pull is disabled")]
    AnonymousPullDisabled,
    /// A Bearer token where a token is to be had with a user and a password.
    #[error("a Bearer token where a user and a password are expected")]
    BearerUnexpected,
    /// The application's secret has expired.
    #[error("the client secret of the application {0} has expired")]
    ClientSecretExpired(ClientId),
    /// Not the secret of the application, or of a managed identity, which has none.
    #[error("the client secret of the application {0} is wrong")]
    ClientSecretWrong(ClientId),
    /// A token of Entra's that cannot be exchanged.
    #[error("the token of Entra's is not valid: {0}")]
    EntraTokenInvalid(InvalidToken),
    /// An exchange of nothing, or of a refresh token of Entra's, which there are none of.
    #[error("no access token of Entra's")]
    EntraTokenMissing,
    /// An `Authorization` header that is not one of Basic or Bearer, or several.
    #[error("the Authorization header cannot be read")]
    HeaderUnreadable,
    /// Nobody says who it is.
    #[error("no credentials")]
    NoCredentials,
    /// A refresh token serves no more, or never did here.
    #[error("the refresh token is not valid: {0}")]
    RefreshTokenInvalid(InvalidToken),
    /// A request for a token by a refresh token, without one.
    #[error("no refresh token")]
    RefreshTokenMissing,
    /// An application or identity that is known and has no right here.
    #[error("the principal {0} has no role in the registry")]
    RoleMissing(ClientId),
    /// Somebody who may not do this.
    #[error("{who} may not do this: {scope}")]
    ScopeForbidden {
        /// The user.
        who: String,
        /// The scope that the request needs.
        scope: Box<Scope>,
    },
    /// A token that was deleted's scope map.
    #[error("the scope map {scope_map} of the token {token} does not exist any more")]
    ScopeMapMissing {
        /// The token.
        token: TokenName,
        /// Its scope map.
        scope_map: ScopeMapName,
    },
    /// An access token that was issued for less.
    #[error("the access token of {who} is not for this: {scope}")]
    ScopeMissing {
        /// The user that the token was issued to.
        who: String,
        /// The scope that the request needs.
        scope: Box<Scope>,
    },
    /// Another tenant than the emulator's.
    #[error("the tenant '{0}' is not the emulator's")]
    TenantForeign(String),
    /// A token that may not log in.
    #[error("the token {0} is disabled")]
    TokenDisabled(TokenName),
    /// A token of the registry's in the place of one of its other kind.
    #[error("a {found} where an {expected} is expected")]
    TokenKindWrong {
        /// The kind that is shown.
        found: String,
        /// The kind that serves.
        expected: &'static str,
    },
    /// A password that was the token's until it expired.
    #[error("the password of the token {0} has expired")]
    TokenPasswordExpired(TokenName),
    /// A token without a password.
    #[error("the token {0} has no password")]
    TokenPasswordMissing(TokenName),
    /// None of the token's passwords.
    #[error("the password of the token {0} is wrong")]
    TokenPasswordWrong(TokenName),
    /// No admin user, no token and no application has this name.
    #[error("there is no user '{0}': no admin user, token or application has this name")]
    UserUnknown(String),
    /// No user can have the name that was given, which may be a password in the wrong place.
    #[error("no user can have the name that was given")]
    UserImpossible,
}

impl LoginRefusal {
    /// Refuses a user whom nobody knows. Only a name that a user could have is kept for the log.
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

    /// Returns true if nobody who may log in has the name, so that another kind of user may have it.
    pub(crate) fn names_nobody(&self) -> bool {
        matches!(
            self,
            Self::AdminDisabled | Self::UserUnknown(_) | Self::UserImpossible
        )
    }

    /// The error of a challenge, by which a client tells what to change.
    ///
    /// <https://www.rfc-editor.org/rfc/rfc6750#section-3.1>
    pub(crate) fn challenge_error(&self) -> Option<&'static str> {
        match self {
            Self::NoCredentials => None,
            Self::ScopeForbidden { .. } | Self::ScopeMissing { .. } => Some("insufficient_scope"),
            _ => Some("invalid_token"),
        }
    }

    /// The text for the client, in ACR's words, which tell less.
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

    /// The reason, for the log.
    pub(crate) fn noted(&self) -> LoginRefusalReason {
        LoginRefusalReason::new(self)
    }
}
