use axum::http::StatusCode;
use sealock_core::{InvalidName, Location, PrincipalId, RegistryName, ResourceGroupName, excerpt};
use sealock_http::UnknownEndpoint;
use sealock_store::Fault;
use uuid::Uuid;

use crate::{Failure, operations::OPERATION_FAILED};

/// An error of Resource Manager.
///
/// <https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors>
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `InvalidApiVersionParameter`
    #[error(
        "The api-version '{0}' is invalid. A version is a date, such as 2024-11-01 or 2026-09-01-preview."
    )]
    ApiVersionInvalid(String),
    /// `MissingApiVersionParameter`
    #[error("The api-version query parameter (?api-version=) is required for all requests.")]
    ApiVersionMissing,
    /// `AuthorizationFailed`: no role of the caller permits the action.
    #[error(
        "The client '{client}' with object id '{object}' does not have authorization to perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials."
    )]
    AuthorizationFailed {
        /// The client id of an application or identity, or the name of a user.
        client: String,
        /// The caller's object id.
        object: PrincipalId,
        /// The action.
        action: &'static str,
        /// The scope.
        scope: String,
    },
    /// `LinkedAuthorizationFailed`: no role of the caller permits it to assign an identity to the resource.
    ///
    /// <https://github.com/Azure/aad-pod-identity/issues/443>
    #[error(
        "The client '{client}' with object id '{object}' has permission to perform action '{action}' on scope '{scope}'; however, it does not have permission to perform action '{linked_action}' on the linked scope(s) '{linked_scope}' or the linked scope(s) are invalid."
    )]
    LinkedAuthorizationFailed {
        /// The client id of an application or identity, or the name of a user.
        client: String,
        /// The caller's object id.
        object: PrincipalId,
        /// The action that a role permits.
        action: &'static str,
        /// Its scope.
        scope: String,
        /// The action that none permits.
        linked_action: &'static str,
        /// Its scope.
        linked_scope: String,
    },
    /// The body is missing, too long, not JSON, or has a field that is wrong.
    #[error("The request content was invalid and could not be deserialized: '{0}'.")]
    BodyInvalid(String),
    /// A filter that the emulator does not know.
    #[error(
        "Invalid $filter '{0}' specified in the query string. The emulator compares resourceType, name, resourceGroup, location, tagName and tagValue by 'eq', combined with 'and'."
    )]
    FilterInvalid(String),
    /// A registry shall have an identity that does not exist.
    #[error(
        "Failed to perform resource identity operation. Status: 'BadRequest'. The resource '{0}' was not found."
    )]
    IdentityUnknown(String),
    /// A new resource needs a location.
    #[error("The location property is required for this definition.")]
    LocationMissing,
    /// The path does not allow the method.
    #[error(
        "The requested resource does not support http method '{method}'. This version of the emulator supports {allowed} here."
    )]
    MethodNotAllowed {
        /// The request's method.
        method: String,
        /// The allowed methods.
        allowed: String,
    },
    /// A name breaks the rules of its kind.
    #[error("{0}.")]
    NameInvalid(#[from] InvalidName),
    /// The operation has ended already.
    #[error("The operation '{0}' has ended already.")]
    OperationEnded(Uuid),
    /// The operation has failed.
    #[error("{}", .0.message)]
    OperationFailed(Failure),
    /// Another operation on the resource is under way.
    #[error(
        "Another operation on this or dependent resource is in progress: '{0}'. Wait until its provisioningState is Succeeded or Failed."
    )]
    OperationInProgress(String),
    /// The operation has never been, or its result has expired.
    #[error("The operation '{0}' was not found.")]
    OperationNotFound(String),
    /// A condition of the request on its resource is not met.
    #[error("The condition '{value}' in the {header} header was not satisfied.")]
    PreconditionFailed {
        /// The header.
        header: &'static str,
        /// Its value.
        value: String,
    },
    /// A value that the emulator does not support yet.
    #[error("This version of the emulator does not support {property} with the value {value}.")]
    PropertyUnsupported {
        /// The path of the property.
        property: &'static str,
        /// The value, as JSON.
        value: String,
    },
    /// The emulator has no provider of this namespace.
    #[error(
        "The resource namespace '{0}' is invalid. This version of the emulator does not have it."
    )]
    ProviderUnknown(String),
    /// The name of the registry is taken.
    #[error(
        "The registry name {0} is already in use. You can check if the name is already claimed using following API: https://aka.ms/acr/check-name-availability"
    )]
    RegistryNameTaken(RegistryName),
    /// No resource of this type and name is in the group.
    #[error(
        "The Resource '{resource_type}/{name}' under resource group '{group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    )]
    ResourceNotFound {
        /// The type, such as `Microsoft.KeyVault/vaults`.
        resource_type: &'static str,
        /// The name.
        name: String,
        /// The resource group.
        group: ResourceGroupName,
    },
    /// The deletion of the group is under way.
    ///
    /// <https://github.com/Azure/azure-cli/issues/21121>
    #[error(
        "The resource group '{0}' is in deprovisioning state and cannot perform this operation."
    )]
    ResourceGroupBeingDeleted(ResourceGroupName),
    /// The group exists in another location.
    #[error(
        "Invalid resource group location '{requested}'. The Resource group already exists in location '{existing}'."
    )]
    ResourceGroupLocation {
        /// The group.
        group: ResourceGroupName,
        /// Its location.
        existing: Location,
        /// The location in the request.
        requested: Location,
    },
    /// The name is not that of a resource group.
    #[error(
        "The provided resource group name '{0}' has these invalid characters or an invalid length. The name can only be 1 to 90 letters, digits, '-', '.', '(', ')' or '_', and must not end with '.'."
    )]
    ResourceGroupNameInvalid(String),
    /// The group does not exist.
    #[error("Resource group '{0}' could not be found.")]
    ResourceGroupNotFound(String),
    /// A resource exists in another location.
    #[error(
        "The resource '{name}' already exists in location '{existing}' in resource group '{group}'. A resource with the same name cannot be created in location '{requested}'. Please select a new resource name."
    )]
    ResourceLocation {
        /// The resource's name.
        name: String,
        /// Its resource group.
        group: ResourceGroupName,
        /// Its location.
        existing: Location,
        /// The location in the request.
        requested: Location,
    },
    /// No built-in role has this id.
    #[error("The specified role definition with ID '{0}' does not exist.")]
    RoleDefinitionUnknown(String),
    /// The name of a role assignment is not a UUID.
    #[error("The role assignment ID '{0}' is not valid. The role assignment ID must be a GUID.")]
    RoleAssignmentNameInvalid(String),
    /// No role assignment has this name.
    #[error("The role assignment '{0}' is not found.")]
    RoleAssignmentUnknown(String),
    /// A new registry needs a SKU.
    #[error("The SKU property is required for this definition.")]
    SkuMissing,
    /// A resource below a registry does not exist.
    #[error("The resource {0} could not be found.")]
    SubresourceNotFound(String),
    /// The subscription is not the emulator's.
    #[error("The subscription '{0}' could not be found.")]
    SubscriptionNotFound(String),
    /// The token is missing or refused. The texts are Azure's, as far as they are public.
    #[error("{text}")]
    Unauthenticated {
        /// The code of the error.
        code: &'static str,
        /// The text.
        text: String,
        /// True if the token is refused for its time alone, so that the client needs another one.
        is_untimely: bool,
    },
    /// No provider has this path.
    #[error(
        "The resource type or action at '{0}' could not be found. This version of the emulator does not support it."
    )]
    UnknownPath(String),
    /// The name of a new vault breaks Azure's rules.
    ///
    /// <https://github.com/MicrosoftDocs/azure-docs/issues/92981>
    #[error(
        "The vault name '{0}' is invalid. A vault's name must be between 3-24 alphanumeric characters. The name must begin with a letter, end with a letter or digit, and not contain consecutive hyphens. Follow this link for more information: https://go.microsoft.com/fwlink/?linkid=2147742"
    )]
    VaultNameInvalid(String),
    /// The vault refuses.
    #[error(transparent)]
    Vault(#[from] sealock_vault::Error),
    /// The directory refuses.
    #[error(transparent)]
    Directory(#[from] sealock_entra::Error),
    /// A registry refuses.
    #[error(transparent)]
    Registry(#[from] sealock_registry::Error),
    /// A rule for customer-managed keys refuses.
    #[error(transparent)]
    Cmk(#[from] sealock_cmk::Error),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] sealock_store::Error),
}

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<UnknownEndpoint> for Error {
    fn from(unknown: UnknownEndpoint) -> Self {
        Self::UnknownPath(unknown.0)
    }
}

impl Error {
    pub(crate) fn precondition_failed(header: &'static str, value: &str) -> Self {
        Self::PreconditionFailed {
            header,
            value: excerpt(value).to_owned(),
        }
    }

    /// Returns the fault of the disk, if that is the cause.
    pub(crate) fn fault(&self) -> Option<Fault> {
        match self {
            Self::Directory(error) => error.fault(),
            Self::Store(error)
            | Self::Cmk(sealock_cmk::Error::Store(error))
            | Self::Registry(sealock_registry::Error::Store(error)) => error.fault(),
            Self::Vault(error) => error.fault(),
            _ => None,
        }
    }

    /// Returns true for an error of a registry, whose provider adds a status.
    pub(crate) fn is_of_registry(&self) -> bool {
        matches!(
            self,
            Self::Cmk(_)
                | Self::IdentityUnknown(_)
                | Self::PropertyUnsupported { .. }
                | Self::Registry(_)
                | Self::RegistryNameTaken(_)
                | Self::SubresourceNotFound(_)
        )
    }

    /// Returns the status and the code of the answer.
    pub fn status_and_code(&self) -> (StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            error if error.fault().is_some() => (S::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
            Self::ApiVersionInvalid(_) => (S::BAD_REQUEST, "InvalidApiVersionParameter"),
            Self::ApiVersionMissing => (S::BAD_REQUEST, "MissingApiVersionParameter"),
            Self::AuthorizationFailed { .. } => (S::FORBIDDEN, "AuthorizationFailed"),
            Self::BodyInvalid(_) => (S::BAD_REQUEST, "InvalidRequestContent"),
            Self::FilterInvalid(_) => (S::BAD_REQUEST, "InvalidFilterInQueryString"),
            Self::IdentityUnknown(_) => (S::BAD_REQUEST, "FailedIdentityOperation"),
            Self::LinkedAuthorizationFailed { .. } => (S::FORBIDDEN, "LinkedAuthorizationFailed"),
            Self::LocationMissing => (S::BAD_REQUEST, "LocationRequired"),
            Self::MethodNotAllowed { .. } => (S::METHOD_NOT_ALLOWED, "UnsupportedHttpMethod"),
            Self::NameInvalid(_) => (S::BAD_REQUEST, "InvalidResourceName"),
            Self::OperationEnded(_) => (S::CONFLICT, "OperationEnded"),
            Self::OperationFailed(_) => (S::CONFLICT, OPERATION_FAILED),
            Self::OperationInProgress(_) => (S::CONFLICT, "AnotherOperationInProgress"),
            Self::OperationNotFound(_) => (S::NOT_FOUND, "OperationNotFound"),
            Self::PreconditionFailed { .. } => (S::PRECONDITION_FAILED, "PreconditionFailed"),
            Self::PropertyUnsupported { .. } => (S::BAD_REQUEST, "NotSupportedByEmulator"),
            Self::RegistryNameTaken(_) => (S::CONFLICT, "RegistryNameAlreadyInUse"),
            Self::RoleAssignmentNameInvalid(_) => (S::BAD_REQUEST, "InvalidRoleAssignmentId"),
            Self::RoleAssignmentUnknown(_) => (S::NOT_FOUND, "RoleAssignmentNotFound"),
            Self::RoleDefinitionUnknown(_) => (S::NOT_FOUND, "RoleDefinitionDoesNotExist"),
            Self::SkuMissing => (S::BAD_REQUEST, "SkuRequired"),
            Self::ProviderUnknown(_) => (S::NOT_FOUND, "InvalidResourceNamespace"),
            Self::ResourceNotFound { .. } | Self::SubresourceNotFound(_) => {
                (S::NOT_FOUND, "ResourceNotFound")
            }
            Self::ResourceGroupBeingDeleted(_) => (S::CONFLICT, "ResourceGroupBeingDeleted"),
            Self::ResourceGroupLocation { .. } => (S::CONFLICT, "InvalidResourceGroupLocation"),
            Self::ResourceGroupNameInvalid(_) => (S::BAD_REQUEST, "InvalidResourceGroupName"),
            Self::ResourceGroupNotFound(_) => (S::NOT_FOUND, "ResourceGroupNotFound"),
            Self::ResourceLocation { .. } => (S::CONFLICT, "InvalidResourceLocation"),
            Self::SubscriptionNotFound(_) => (S::NOT_FOUND, "SubscriptionNotFound"),
            Self::Unauthenticated { code, .. } => (S::UNAUTHORIZED, code),
            Self::UnknownPath(_) => (S::NOT_FOUND, "InvalidResourceType"),
            Self::Vault(error) => match StatusCode::from_u16(error.status()) {
                Ok(S::BAD_REQUEST) => (S::BAD_REQUEST, "BadRequest"),
                Ok(status) => (status, error.code()),
                Err(_) => (S::INTERNAL_SERVER_ERROR, "InternalServerError"),
            },
            Self::VaultNameInvalid(_) => (S::BAD_REQUEST, "VaultNameNotValid"),
            Self::Directory(error) => match error {
                error if error.status_and_code().0.is_client_error() => error.status_and_code(),
                _ => (S::INTERNAL_SERVER_ERROR, "InternalServerError"),
            },
            Self::Cmk(sealock_cmk::Error::Refused(refusal))
            | Self::Registry(sealock_registry::Error::Custody(sealock_cmk::Error::Refused(
                refusal,
            ))) => (S::BAD_REQUEST, refusal.code()),
            Self::Registry(sealock_registry::Error::Refused(refusal)) => {
                (S::BAD_REQUEST, refusal.code())
            }
            Self::Store(sealock_store::Error::Overtaken) => {
                (S::CONFLICT, "AnotherOperationInProgress")
            }
            Self::Cmk(_) | Self::Registry(_) | Self::Store(_) => {
                (S::INTERNAL_SERVER_ERROR, "InternalServerError")
            }
        }
    }
}
