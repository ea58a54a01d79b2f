use axum::http::StatusCode;
use sealock_core::{ApplicationName, ClientId, IdentityName, PrincipalId, TenantId};
use sealock_http::{MethodNotAllowed, UnknownEndpoint};
use sealock_store::Fault;

use crate::{PrincipalType, Role, RoleScope};

/// The reason why a token is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// Its audience is another service.
    #[error("it is for '{0}'")]
    Audience(String),
    /// Its lifetime has ended.
    #[error("it has expired")]
    Expired,
    /// Another issuer issued it.
    #[error("it was issued by '{0}'")]
    Issuer(String),
    /// It is not a JWT, or lacks required claims.
    #[error("it is malformed")]
    Malformed,
    /// Its lifetime has not begun.
    #[error("it is not valid yet")]
    NotYetValid,
    /// Its principal was deleted.
    #[error("its principal no longer exists")]
    PrincipalUnknown,
    /// Another key signed it.
    #[error("its signature is not from this emulator")]
    Signature,
}

/// An error of the directory, the managed identity endpoint or the authority.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A request to the managed identity endpoint lacks a version.
    #[error("api-version was not specified in the request")]
    ApiVersionMissing,
    /// The managed identity endpoint does not support the requested version.
    #[error("api-version '{given}' is not supported; expected {expected} or later")]
    ApiVersionUnsupported {
        /// The requested version.
        given: String,
        /// The oldest supported version.
        expected: &'static str,
    },
    /// The application does not exist.
    #[error("The application '{name}' was not found.")]
    ApplicationNotFound {
        /// The name of the application.
        name: ApplicationName,
    },
    /// A request for a token lacks the audience.
    ///
    /// <https://github.com/Azure/aad-pod-identity/issues/450>
    #[error("Required query variable 'resource' is missing")]
    AudienceMissing,
    /// The requested audience is empty or too long.
    #[error("the resource must be the URL or id of a service, with 1 to 256 characters")]
    AudienceInvalid,
    /// The body could not be read to its end.
    #[error("the request body is incomplete: {0}")]
    BodyIncomplete(String),
    /// `invalid_client`: a client assertion, with which workloads of other identity providers log in.
    #[error(
        "This version of the emulator does not support the parameter 'client_assertion'; expected 'client_secret'."
    )]
    ClientAssertionUnsupported,
    /// `invalid_client`: the request carries no credential.
    ///
    /// <https://github.com/stephaneey/azure-apim-extension/issues/138>
    #[error(
        "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type."
    )]
    ClientCredentialMissing,
    /// `invalid_client`: the secret is correct, but has expired.
    #[error(
        "The provided client secret keys for app '{0}' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds."
    )]
    ClientSecretExpired(ClientId),
    /// `invalid_client`: the secret is wrong.
    #[error(
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{0}'."
    )]
    ClientSecretInvalid(ClientId),
    /// `unauthorized_client`: the application does not exist.
    #[error(
        "Application with identifier '{client}' was not found in the directory '{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant."
    )]
    ClientUnknown {
        /// The client id in the request.
        client: String,
        /// The tenant.
        tenant: TenantId,
    },
    /// The request came through a proxy, which may forward requests from elsewhere.
    #[error(
        "requests with the header X-Forwarded-For get no token; send the request without a proxy"
    )]
    Forwarded,
    /// `unsupported_grant_type`: the grant is not `client_credentials`.
    #[error("The app requested an unsupported grant type '{0}'.")]
    GrantUnsupported(String),
    /// The request names no identity, and several exist.
    #[error(
        "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request"
    )]
    IdentityAmbiguous,
    /// A request to App Service's form of the endpoint carries the wrong secret.
    ///
    /// <https://github.com/Azure/azure-sdk-for-net/pull/26578>
    #[error("the header X-IDENTITY-HEADER does not hold the secret of this endpoint")]
    IdentityHeaderWrong,
    /// Several resource groups have a managed identity of this name, and none of them is the default one.
    #[error("Several resource groups have a managed identity '{name}'. Name it by its client id.")]
    IdentityNameAmbiguous {
        /// The name of the identities.
        name: IdentityName,
    },
    /// The managed identity does not exist.
    #[error("The managed identity '{name}' was not found.")]
    IdentityNotFound {
        /// The name of the identity.
        name: IdentityName,
    },
    /// A request for a token selects an identity that does not exist.
    #[error("Identity not found")]
    IdentityUnavailable,
    /// The Instance Metadata Service is closed while tokens require a secret.
    #[error(
        "auth = \"enforced\" closes the Instance Metadata Service, because its clients send no secret; use App Service's endpoint instead, with IDENTITY_ENDPOINT and IDENTITY_HEADER"
    )]
    ImdsClosed,
    /// A request for a token lacks the header that neither a web page nor a server tricked into a request can send.
    #[error("Required metadata header not specified")]
    MetadataHeaderMissing,
    /// The endpoint does not support the method.
    #[error("the method {method} is not allowed here; expected {allowed}")]
    MethodNotAllowed {
        /// The request's method.
        method: String,
        /// The endpoint's methods.
        allowed: String,
    },
    /// The path has no endpoint.
    #[error("'{0}' is not an endpoint of this version of the emulator")]
    NotAnEndpoint(String),
    /// The request comes from another machine. Tokens are for workloads on this one.
    #[error("the managed identity endpoint answers on loopback addresses only")]
    NotFromHere,
    /// `invalid_request`: the form lacks a parameter.
    #[error("The request body must contain the following parameter: '{0}'.")]
    ParameterMissing(&'static str),
    /// The description of a role assignment is too long.
    #[error("the description of a role assignment has more than {limit} characters")]
    DescriptionTooLong {
        /// The limit of its length.
        limit: usize,
    },
    /// A role assignment's principal does not exist, and the request does not say what it is.
    ///
    /// <https://learn.microsoft.com/azure/role-based-access-control/troubleshooting#symptom---assigning-a-role-to-a-new-principal-sometimes-fails>
    #[error(
        "Principal {} does not exist in the directory {tenant}. Check that you have the correct principal ID. If you are creating this principal and then immediately assigning a role, this error might be related to a replication delay. In this case, set the role assignment principalType property to a value, such as ServicePrincipal, User, or Group. See https://aka.ms/docs-principaltype",
        id.as_uuid().simple()
    )]
    PrincipalNotFound {
        /// The id of the principal.
        id: PrincipalId,
        /// The tenant.
        tenant: TenantId,
    },
    /// A role assignment's principal is of another kind than the request says.
    ///
    /// <https://github.com/Azure/azure-cli/issues/20325>
    #[error(
        "The PrincipalId '{}' has type '{actual}' , which is different from specified PrinciaplType '{given}'.",
        id.as_uuid().simple()
    )]
    PrincipalTypeDiffers {
        /// The id of the principal.
        id: PrincipalId,
        /// Its kind.
        actual: PrincipalType,
        /// The kind in the request.
        given: PrincipalType,
    },
    /// The kind of a principal is unknown.
    #[error(
        "'{0}' is not a type of principals; expected User, Group, ServicePrincipal, ForeignGroup or Device"
    )]
    PrincipalTypeUnknown(String),
    /// The principal has the role at this scope already, by an assignment of another name.
    #[error("The role assignment already exists.")]
    RoleAssignmentExists,
    /// The name belongs to an assignment with another principal, role or scope.
    ///
    /// <https://learn.microsoft.com/azure/role-based-access-control/troubleshooting#symptom---arm-template-role-assignment-returns-badrequest-status>
    #[error("Tenant ID, application ID, principal ID, and scope are not allowed to be updated.")]
    RoleAssignmentUnchangeable,
    /// No assignment of the role exists at exactly this scope.
    #[error("The {principal} has no role {role} assigned at {scope}.")]
    RoleAssignmentNotFound {
        /// The kind and name of the principal.
        principal: String,
        /// The role.
        role: Role,
        /// The scope.
        scope: RoleScope,
    },
    /// The emulator does not know the role.
    #[error(
        "'{0}' is not a role; expected one of {roles}",
        roles = Role::ALL.map(Role::as_str).join(", ")
    )]
    RoleUnknown(String),
    /// No role can be assigned there.
    #[error(
        "'{0}' is not a scope; expected the id of a registry, a vault, a key, an identity, the resource group or the subscription, such as /subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/sealock"
    )]
    ScopeInvalid(String),
    /// The tags break a limit.
    #[error("The tags are not valid: {0}.")]
    TagsInvalid(String),
    /// `invalid_scope`: an application must request all its permissions, with the scope `/.default`.
    #[error(
        "The provided value for scope {0} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."
    )]
    ScopeNotDefault(String),
    /// The request selects an identity with more than one parameter.
    #[error(
        "the identity is selected more than once; expected only one of client_id, object_id, principal_id, msi_res_id and mi_res_id"
    )]
    SelectorAmbiguous,
    /// `invalid_tenant`: the emulator has another tenant.
    #[error(
        "Tenant '{0}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."
    )]
    TenantNotFound(String),
    /// The token is invalid.
    #[error("the token is not valid: {0}")]
    TokenInvalid(#[from] InvalidToken),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] sealock_store::Error),
    /// The signing key is unusable, or a background task panicked.
    #[error("internal: {0}")]
    Internal(String),
}

impl Error {
    /// Returns the fault of the disk, if that is the cause.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::Store(error) => error.fault(),
            _ => None,
        }
    }

    /// Returns the status and the code of the response. The codes for tokens are those of OAuth (RFC 6749, 5.2) and
    /// Entra.
    ///
    /// <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>
    pub fn status_and_code(&self) -> (StatusCode, &'static str) {
        let bad_request = StatusCode::BAD_REQUEST;
        match self {
            // OAuth defines this code for the authorization endpoint (RFC 6749, 4.1.2.1).
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
            Self::IdentityNameAmbiguous { .. } => (StatusCode::CONFLICT, "IdentityNameAmbiguous"),
            Self::IdentityNotFound { .. } => (StatusCode::NOT_FOUND, "IdentityNotFound"),
            Self::RoleAssignmentNotFound { .. } => {
                (StatusCode::NOT_FOUND, "RoleAssignmentNotFound")
            }
            Self::DescriptionTooLong { .. } => (bad_request, "DescriptionTooLong"),
            Self::PrincipalNotFound { .. } => (bad_request, "PrincipalNotFound"),
            Self::PrincipalTypeDiffers { .. } => (bad_request, "UnmatchedPrincipalType"),
            Self::PrincipalTypeUnknown(_) => (bad_request, "InvalidPrincipalType"),
            Self::RoleAssignmentExists => (StatusCode::CONFLICT, "RoleAssignmentExists"),
            Self::RoleAssignmentUnchangeable => (bad_request, "RoleAssignmentUpdateNotPermitted"),
            Self::RoleUnknown(_) => (bad_request, "RoleUnknown"),
            Self::ScopeInvalid(_) => (bad_request, "ScopeInvalid"),
            Self::TagsInvalid(_) => (bad_request, "InvalidTags"),
            Self::ScopeNotDefault(_) => (bad_request, "invalid_scope"),
            Self::Store(sealock_store::Error::Overtaken) => {
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
            }
            Self::Store(_) | Self::Internal(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "server_error")
            }
        }
    }

    /// Returns Entra's number of the error, if it has one.
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

/// A result with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;
