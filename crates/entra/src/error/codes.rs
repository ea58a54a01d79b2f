use axum::http::StatusCode;

use super::Error;

impl Error {
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
            | Self::AssertionMalformed
            | Self::AudienceMissing
            | Self::BodyIncomplete(_)
            | Self::BodyInvalid(_)
            | Self::FilterUnsupported(_)
            | Self::Forwarded
            | Self::IdentityAmbiguous
            | Self::IdentityUnavailable
            | Self::MetadataHeaderMissing
            | Self::NotDelegated
            | Self::ParameterMissing(_)
            | Self::RedirectRefused(_)
            | Self::SelectorAmbiguous => (bad_request, "invalid_request"),
            Self::AuthorizationPending => (bad_request, "authorization_pending"),
            Self::CertificateInvalid(_) => (bad_request, "CertificateInvalid"),
            Self::CodeExpired
            | Self::CodeInvalid
            | Self::CodeRedeemed
            | Self::PasswordWrong
            | Self::RedirectDiffers { .. }
            | Self::RefreshTokenExpired(_)
            | Self::UserUnknown { .. }
            | Self::VerifierWrong => (bad_request, "invalid_grant"),
            Self::CredentialNotFound(_) => (StatusCode::NOT_FOUND, "CredentialNotFound"),
            Self::DeviceCodeExpired => (bad_request, "expired_token"),
            Self::DeviceCodeUnknown | Self::UserCodeUnknown => {
                (bad_request, "bad_verification_code")
            }
            Self::FederatedCredentialInvalid(_) => (bad_request, "FederatedCredentialInvalid"),
            Self::ResponseTypeUnsupported(_) => (bad_request, "unsupported_response_type"),
            Self::TooManyCredentials(_) => (bad_request, "TooManyCredentials"),
            Self::AudienceInvalid => (bad_request, "invalid_resource"),
            Self::ClientUnknown { .. } => (bad_request, "unauthorized_client"),
            Self::AssertionAudienceUnknown
            | Self::AssertionAudienceWrong
            | Self::AssertionExpired { .. }
            | Self::AssertionIssuerUnknown(_)
            | Self::AssertionSignatureWrong
            | Self::AssertionSubjectUnknown(_)
            | Self::CertificateWrong { .. }
            | Self::ClientCredentialMissing
            | Self::ClientSecretExpired(_)
            | Self::ClientSecretInvalid(_) => (StatusCode::UNAUTHORIZED, "invalid_client"),
            Self::GrantUnsupported(_) => (bad_request, "unsupported_grant_type"),
            Self::TenantNotFound(_) => (bad_request, "invalid_tenant"),
            Self::TokenInvalid(_) | Self::TokenMissing => {
                (StatusCode::UNAUTHORIZED, "invalid_token")
            }
            Self::IdentityHeaderWrong | Self::ImdsClosed | Self::NotFromHere => {
                (StatusCode::FORBIDDEN, "access_denied")
            }
            Self::MethodNotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, "invalid_request"),
            Self::NotAnEndpoint(_) | Self::ObjectNotFound(_) => {
                (StatusCode::NOT_FOUND, "not_found")
            }
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
            Self::TagsInvalid(_) => (bad_request, "InvalidTags"),
            Self::ScopeInvalid(_) => (bad_request, "ScopeInvalid"),
            Self::ScopeNotDefault(_) | Self::ScopeOfSeveralResources(_) => {
                (bad_request, "invalid_scope")
            }
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
            Self::AssertionAudienceUnknown => Some(700_212),
            Self::AssertionAudienceWrong => Some(700_023),
            Self::AssertionExpired { .. } => Some(700_024),
            Self::AssertionIssuerUnknown(_) => Some(700_211),
            Self::AssertionMalformed => Some(50_027),
            Self::AssertionSignatureWrong => Some(50_013),
            Self::AssertionSubjectUnknown(_) => Some(700_213),
            Self::AuthorizationPending => Some(70_016),
            Self::CertificateWrong { .. } => Some(700_027),
            Self::CodeExpired => Some(70_008),
            Self::CodeInvalid => Some(9_002_313),
            Self::CodeRedeemed => Some(54_005),
            Self::DeviceCodeExpired => Some(70_020),
            Self::DeviceCodeUnknown => Some(70_018),
            Self::PasswordWrong => Some(50_126),
            Self::RedirectDiffers { .. } => Some(500_112),
            Self::RedirectRefused(_) => Some(50_011),
            Self::RefreshTokenExpired(_) => Some(700_082),
            Self::ResponseTypeUnsupported(_) => Some(700_054),
            Self::ScopeOfSeveralResources(_) => Some(28_000),
            Self::UserUnknown { .. } => Some(50_034),
            Self::VerifierWrong => Some(501_481),
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
