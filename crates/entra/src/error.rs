mod codes;

use jiff::Timestamp;
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
    /// `invalid_client`: no federated credential with the issuer of an assertion has its audience.
    #[error(
        "No matching federated identity record found for presented assertion audience. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
    )]
    AssertionAudienceUnknown,
    /// `invalid_client`: an assertion that the client signed is for another authority.
    #[error(
        "Client assertion audience claim does not match Realm issuer. Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials."
    )]
    AssertionAudienceWrong,
    /// `invalid_client`: the assertion is not valid now.
    #[error(
        "Client assertion is not within its valid time range. Current time: {now}, assertion valid from {from}, expiry time of assertion {until}. Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials."
    )]
    AssertionExpired {
        /// The time by the system's clock.
        now: Timestamp,
        /// The start of its validity.
        from: Timestamp,
        /// The end of its validity.
        until: Timestamp,
    },
    /// `invalid_client`: no federated credential of the client has the issuer of the assertion.
    #[error(
        "No matching federated identity record found for presented assertion issuer '{0}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
    )]
    AssertionIssuerUnknown(String),
    /// `invalid_request`: the assertion is not a JWT, or lacks required claims.
    #[error("JWT token is invalid or malformed.")]
    AssertionMalformed,
    /// `invalid_client`: no key of the issuer signed the assertion.
    #[error("Assertion failed signature validation. [Reason - The key was not found.]")]
    AssertionSignatureWrong,
    /// `invalid_client`: no federated credential with the issuer and audience of the assertion has its subject.
    #[error(
        "No matching federated identity record found for presented assertion subject '{0}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
    )]
    AssertionSubjectUnknown(String),
    /// The body is not what the operation expects.
    #[error("Invalid request body: {0}")]
    BodyInvalid(String),
    /// `authorization_pending`: nobody has typed the code of the device yet.
    #[error("OAuth 2.0 device flow error. Authorization is pending. Continue polling.")]
    AuthorizationPending,
    /// The certificate of an application cannot be used.
    #[error("the certificate is not usable: {0}")]
    CertificateInvalid(&'static str),
    /// `invalid_client`: none of the client's certificates signed the assertion.
    #[error(
        "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - {why}, Thumbprint of key used by client: '{thumbprint}', Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for app.]"
    )]
    CertificateWrong {
        /// The reason.
        why: &'static str,
        /// The certificate's hash in the assertion.
        thumbprint: String,
    },
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
    /// `invalid_grant`: the authorization code has expired.
    #[error(
        "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource."
    )]
    CodeExpired,
    /// `invalid_grant`: the authorization code or refresh token is not ours, or another client's.
    #[error("Invalid request. Request is malformed or invalid.")]
    CodeInvalid,
    /// `invalid_grant`: the authorization code was redeemed before.
    #[error(
        "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token."
    )]
    CodeRedeemed,
    /// The application has no credential of that name.
    #[error("The credential '{0}' was not found.")]
    CredentialNotFound(String),
    /// `expired_token`: the device code has expired.
    #[error(
        "The provided value for the input parameter 'device_code' is not valid. This code has expired."
    )]
    DeviceCodeExpired,
    /// `bad_verification_code`: the device code is not ours, or was redeemed.
    #[error("The provided value for the input parameter 'device_code' is not valid.")]
    DeviceCodeUnknown,
    /// The federated credential of an application cannot be used.
    #[error("the federated credential is not usable: {0}")]
    FederatedCredentialInvalid(String),
    /// Graph cannot filter like this.
    #[error("Unsupported or invalid query filter clause specified: {0}")]
    FilterUnsupported(String),
    /// An application asks Graph who it is.
    #[error("/me request is only valid with delegated authentication flow.")]
    NotDelegated,
    /// Graph has no such object.
    #[error(
        "Resource '{0}' does not exist or one of its queried reference-property objects are not present."
    )]
    ObjectNotFound(String),
    /// `invalid_grant`: the user's password is wrong.
    #[error("Error validating credentials due to invalid username or password.")]
    PasswordWrong,
    /// A redirect leads to another machine, which may be anybody's.
    #[error(
        "The redirect URI '{0}' specified in the request does not match the redirect URIs configured for the application. The emulator accepts http://localhost and loopback addresses."
    )]
    RedirectRefused(String),
    /// `invalid_grant`: a code is redeemed with another redirect URI than it was issued for.
    #[error(
        "The reply address '{given}' does not match the reply address '{expected}' provided when requesting Authorization code."
    )]
    RedirectDiffers {
        /// The redirect URI in the request.
        given: String,
        /// The redirect URI in the authorization request.
        expected: String,
    },
    /// `invalid_grant`: the refresh token has expired.
    #[error(
        "The refresh token has expired due to inactivity. The token was issued on {0} and was inactive for 90.00:00:00."
    )]
    RefreshTokenExpired(Timestamp),
    /// `unsupported_response_type`: the client asks for something else than a code.
    #[error("The response type '{0}' is not supported. Expected 'code'.")]
    ResponseTypeUnsupported(String),
    /// `invalid_scope`: the scopes are those of several resources.
    #[error(
        "Provided value for the input parameter scope is not valid because it contains more than one resource. Scope {0} is not valid."
    )]
    ScopeOfSeveralResources(String),
    /// The application has as many credentials as are possible.
    #[error("an application has at most {0} credentials; remove one first")]
    TooManyCredentials(usize),
    /// A person typed a code that no device shows.
    #[error("no device waits for this code, or it has expired")]
    UserCodeUnknown,
    /// `invalid_grant`: the user does not exist.
    #[error(
        "The user account {{EmailHidden}} does not exist in the {tenant} directory. To sign into this application, the account must be added to the directory."
    )]
    UserUnknown {
        /// The tenant.
        tenant: TenantId,
    },
    /// `invalid_grant`: the verifier is not the one of the authorization request.
    #[error(
        "The Code_Verifier does not match the code_challenge supplied in the authorization request."
    )]
    VerifierWrong,
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
    /// The request has no token.
    #[error("the request has no access token")]
    TokenMissing,
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
