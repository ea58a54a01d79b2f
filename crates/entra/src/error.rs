use axum::http::StatusCode;
use sealock_core::{ApplicationName, ClientId, IdentityName, TenantId};
use sealock_http::{MethodNotAllowed, UnknownEndpoint};
use sealock_store::Fault;

use crate::{Role, RoleScope};

/// What is wrong with a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// It is for another service.
    #[error("it is for '{0}'")]
    Audience(String),
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// Somebody else issued it.
    #[error("'{0}' issued it")]
    Issuer(String),
    /// It is no JWT with the claims that it must have.
    #[error("it cannot be read")]
    Malformed,
    /// Its time has not come.
    #[error("it is not valid yet")]
    NotYetValid,
    /// Whose it is was deleted.
    #[error("its principal does not exist any more")]
    PrincipalUnknown,
    /// Its signature is another's.
    #[error("its signature is not ours")]
    Signature,
}

/// Why the directory, the managed identity endpoint or the authority could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A request to the managed identity endpoint without a version.
    #[error("api-version was not specified in the request")]
    ApiVersionMissing,
    /// A version that it does not have.
    #[error("api-version '{given}' is not supported; expected {expected} or later")]
    ApiVersionUnsupported {
        /// The request's.
        given: String,
        /// The oldest that is supported.
        expected: &'static str,
    },
    /// There is no application of this name.
    #[error("The application '{name}' was not found.")]
    ApplicationNotFound {
        /// The name that was asked for.
        name: ApplicationName,
    },
    /// A token is for something.
    ///
    /// <https://github.com/Azure/aad-pod-identity/issues/450>
    #[error("Required query variable 'resource' is missing")]
    AudienceMissing,
    /// What it is for has a name of a reasonable length.
    #[error("the resource is no name of a service")]
    AudienceInvalid,
    /// A form that did not arrive.
    #[error("the request body did not arrive: {0}")]
    BodyIncomplete(String),
    /// `invalid_client`: how workloads of other providers log in.
    #[error(
        "This version of the emulator does not support the parameter 'client_assertion'; expected 'client_secret'."
    )]
    ClientAssertionUnsupported,
    /// `invalid_client`: an application proves itself.
    ///
    /// <https://github.com/stephaneey/azure-apim-extension/issues/138>
    #[error(
        "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type."
    )]
    ClientCredentialMissing,
    /// `invalid_client`: the secret was the right one.
    #[error(
        "The provided client secret keys for app '{0}' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds."
    )]
    ClientSecretExpired(ClientId),
    /// `invalid_client`
    #[error(
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{0}'."
    )]
    ClientSecretInvalid(ClientId),
    /// `unauthorized_client`
    #[error(
        "Application with identifier '{client}' was not found in the directory '{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant."
    )]
    ClientUnknown {
        /// The one that was named.
        client: String,
        /// The tenant.
        tenant: TenantId,
    },
    /// A request that came through a proxy is not its sender's own.
    #[error("a request with the header X-Forwarded-For gets no token")]
    Forwarded,
    /// `unsupported_grant_type`
    #[error("The app requested an unsupported grant type '{0}'.")]
    GrantUnsupported(String),
    /// Several identities, and none is named.
    #[error(
        "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request"
    )]
    IdentityAmbiguous,
    /// App Service's form of the endpoint, asked with another secret.
    ///
    /// <https://github.com/Azure/azure-sdk-for-net/pull/26578>
    #[error("the header X-IDENTITY-HEADER is not this endpoint's secret")]
    IdentityHeaderWrong,
    /// There is no managed identity of this name.
    #[error("The managed identity '{name}' was not found.")]
    IdentityNotFound {
        /// The name that was asked for.
        name: IdentityName,
    },
    /// The identity that a request for a token names is not there.
    #[error("Identity not found")]
    IdentityUnavailable,
    /// The Instance Metadata Service while the endpoint asks for a secret.
    #[error(
        "auth = \"enforced\" closes the Instance Metadata Service, whose clients have no secret to show; use the endpoint of App Service, with its IDENTITY_ENDPOINT and IDENTITY_HEADER"
    )]
    ImdsClosed,
    /// Whoever can send a header of its choice is no web page, and no server that was talked into a request.
    #[error("Required metadata header not specified")]
    MetadataHeaderMissing,
    /// An endpoint that does not know this method.
    #[error("the method {method} is not allowed here; allowed is {allowed}")]
    MethodNotAllowed {
        /// The request's.
        method: String,
        /// The endpoint's.
        allowed: String,
    },
    /// No endpoint.
    #[error("'{0}' is not an endpoint of this version of the emulator")]
    NotAnEndpoint(String),
    /// Tokens are for whoever sits at this machine.
    #[error("the managed identity endpoint answers on loopback addresses only")]
    NotFromHere,
    /// `invalid_request`
    #[error("The request body must contain the following parameter: '{0}'.")]
    ParameterMissing(&'static str),
    /// The principal has no such role in this very scope.
    #[error("The {principal} has no role {role} assigned at {scope}.")]
    RoleAssignmentNotFound {
        /// Whose, in words.
        principal: String,
        /// Which role.
        role: Role,
        /// Where.
        scope: RoleScope,
    },
    /// Not a role that the emulator knows.
    #[error(
        "'{0}' is not a role; expected one of {roles}",
        roles = Role::ALL.map(Role::as_str).join(", ")
    )]
    RoleUnknown(String),
    /// Not a place where a role can be assigned.
    #[error(
        "'{0}' is not a scope; expected the id of a registry, a vault, a key, an identity, the resource group or the subscription, such as /subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/sealock"
    )]
    ScopeInvalid(String),
    /// `invalid_scope`: an application gets everything that it was permitted, and asks for nothing less.
    #[error(
        "The provided value for scope {0} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."
    )]
    ScopeNotDefault(String),
    /// An identity is named in one way.
    #[error(
        "the identity is named in several ways; expected one of client_id, object_id, principal_id, msi_res_id and mi_res_id"
    )]
    SelectorAmbiguous,
    /// `invalid_tenant`
    #[error(
        "Tenant '{0}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."
    )]
    TenantNotFound(String),
    /// Not a token that was issued here, for this service, and serves now.
    #[error("the token is not valid: {0}")]
    TokenInvalid(#[from] InvalidToken),
    /// The store.
    #[error(transparent)]
    Store(#[from] sealock_store::Error),
    /// The key that signs, or a task of ours.
    #[error("internal: {0}")]
    Internal(String),
}

impl Error {
    /// The fault of the disk, if that is the cause.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::Store(error) => error.fault(),
            _ => None,
        }
    }

    /// The status and the code of the answer. The codes of tokens are those of OAuth (RFC 6749, 5.2) and
    /// Entra's.
    ///
    /// <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>
    pub fn status_and_code(&self) -> (StatusCode, &'static str) {
        let bad_request = StatusCode::BAD_REQUEST;
        match self {
            // The code is one of the authorisation endpoint (RFC 6749, 4.1.2.1).
            error if error.fault().is_some() => {
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
            }
            Self::ApiVersionMissing
            | Self::ApiVersionUnsupported { .. }
            | Self::AudienceMissing
            | Self::BodyIncomplete(_)
            | Self::Forwarded
            | Self::IdentityAmbiguous
            | Self::IdentityUnavailable
            | Self::MetadataHeaderMissing
            | Self::ParameterMissing(_)
            | Self::SelectorAmbiguous => (bad_request, "invalid_request"),
            Self::AudienceInvalid => (bad_request, "invalid_resource"),
            Self::ClientUnknown { .. } => (bad_request, "unauthorized_client"),
            Self::ClientAssertionUnsupported
            | Self::ClientCredentialMissing
            | Self::ClientSecretExpired(_)
            | Self::ClientSecretInvalid(_) => (StatusCode::UNAUTHORIZED, "invalid_client"),
            Self::GrantUnsupported(_) => (bad_request, "unsupported_grant_type"),
            Self::TenantNotFound(_) => (bad_request, "invalid_tenant"),
            Self::TokenInvalid(_) => (StatusCode::UNAUTHORIZED, "invalid_token"),
            Self::IdentityHeaderWrong | Self::ImdsClosed | Self::NotFromHere => {
                (StatusCode::FORBIDDEN, "access_denied")
            }
            Self::MethodNotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, "invalid_request"),
            Self::NotAnEndpoint(_) => (StatusCode::NOT_FOUND, "not_found"),
            Self::ApplicationNotFound { .. } => (StatusCode::NOT_FOUND, "ApplicationNotFound"),
            Self::IdentityNotFound { .. } => (StatusCode::NOT_FOUND, "IdentityNotFound"),
            Self::RoleAssignmentNotFound { .. } => {
                (StatusCode::NOT_FOUND, "RoleAssignmentNotFound")
            }
            Self::RoleUnknown(_) => (bad_request, "RoleUnknown"),
            Self::ScopeInvalid(_) => (bad_request, "ScopeInvalid"),
            Self::ScopeNotDefault(_) => (bad_request, "invalid_scope"),
            Self::Store(sealock_store::Error::Overtaken) => {
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
            }
            Self::Store(_) | Self::Internal(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "server_error")
            }
        }
    }

    /// The number that Entra has for it, if it has one.
    ///
    /// <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>
    pub(crate) fn aadsts(&self) -> Option<u32> {
        match self {
            Self::ClientCredentialMissing => Some(7_000_216),
            Self::ClientSecretExpired(_) => Some(7_000_222),
            Self::ClientSecretInvalid(_) => Some(7_000_215),
            Self::ClientUnknown { .. } => Some(700_016),
            Self::GrantUnsupported(_) => Some(70_003),
            Self::ParameterMissing(_) => Some(900_144),
            Self::ScopeNotDefault(_) => Some(1_002_012),
            Self::TenantNotFound(_) => Some(90_002),
            error if error.fault().is_some() => Some(90_033),
            _ => None,
        }
    }
}

impl From<MethodNotAllowed> for Error {
    fn from(refused: MethodNotAllowed) -> Self {
        Self::MethodNotAllowed {
            method: refused.method,
            allowed: refused.allowed,
        }
    }
}

impl From<UnknownEndpoint> for Error {
    fn from(UnknownEndpoint(path): UnknownEndpoint) -> Self {
        Self::NotAnEndpoint(path)
    }
}

/// A result with the directory's error.
pub type Result<T> = std::result::Result<T, Error>;
