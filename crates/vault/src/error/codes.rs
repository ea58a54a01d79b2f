use super::Error;
use crate::UnreachableReason;

impl Error {
    pub(super) fn status_and_code(&self) -> (u16, &'static str) {
        match self {
            error if error.fault().is_some() => (503, "ServiceUnavailable"),
            Self::BadParameter(_)
            | Self::KeyTypeNotSupported { .. }
            | Self::KeySizeNotSupported { .. }
            | Self::HardwareKeyInStandardVault
            | Self::JsonWebKeyIncomplete { .. }
            | Self::RsaKeyInvalid { .. }
            | Self::TagsInvalid { .. }
            | Self::NoReplica { .. } => (400, "BadParameter"),
            Self::VaultPropertyInvalid(_) => (400, "BadRequest"),
            Self::BackupCorrupt | Self::BackupNotDecrypted { .. } => (400, "Malformed backup blob"),
            Self::Unauthorized(_) => (401, "Unauthorized"),
            Self::KeyDisabled { .. }
            | Self::KeyOperationForbidden { .. }
            | Self::KeyNotYetValid { .. }
            | Self::KeyExpired { .. }
            | Self::PurgeProtected { .. }
            | Self::ForbiddenByPolicy { .. }
            | Self::ForbiddenByRbac { .. }
            | Self::Unreachable { .. }
            | Self::FailedOver { .. } => (403, "Forbidden"),
            Self::AuthorizationFailed { .. } => (403, "AuthorizationFailed"),
            Self::VaultNotFound { .. } | Self::VaultDeleted { .. } => (404, "VaultNotFound"),
            Self::DeletedVaultNotFound { .. } => (404, "DeletedVaultNotFound"),
            Self::KeyNotFound { .. }
            | Self::KeyDeleted { .. }
            | Self::DeletedKeyNotFound { .. } => (404, "KeyNotFound"),
            Self::ContactsNotFound => (404, "ContactsNotFound"),
            Self::NotAnEndpoint(_) => (404, "NotFound"),
            Self::VaultPurgeProtected { .. } | Self::MethodNotAllowed { .. } => {
                (405, "MethodNotAllowed")
            }
            Self::VaultElsewhere { .. } => (409, "InvalidResourceLocation"),
            Self::VaultNameTaken { .. } => (409, "VaultAlreadyExists"),
            Self::VaultNameReserved { .. } => (409, "ConflictError"),
            Self::ObjectIsDeletedButRecoverable { .. }
            | Self::ObjectIsBeingDeleted { .. }
            | Self::ObjectIsBeingRecovered { .. }
            | Self::StillBeingDeleted
            | Self::StillBeingRecovered
            | Self::RestoreConflict { .. }
            | Self::ConcurrentChange => (409, "Conflict"),
            Self::Throttled { .. } => (429, "Throttled"),
            Self::NotSupported(_) => (501, "NotSupportedByEmulator"),
            Self::Storage(_)
            | Self::Directory(_)
            | Self::Damaged { .. }
            | Self::Rsa(_)
            | Self::Ecdsa(_)
            | Self::Json(_)
            | Self::Interrupted(_) => (500, "InternalServerError"),
        }
    }

    /// Returns Azure's `error.innererror.code`.
    pub fn inner_code(&self) -> Option<&'static str> {
        match self {
            Self::KeyTypeNotSupported { .. } => Some("KeyTypeNotSupported"),
            Self::KeySizeNotSupported { .. } => Some("KeySizeNotSupported"),
            Self::KeyDisabled { .. } => Some("KeyDisabled"),
            Self::KeyOperationForbidden { .. } => Some("KeyOperationForbidden"),
            Self::KeyNotYetValid { .. } => Some("KeyNotYetValid"),
            Self::KeyExpired { .. } => Some("KeyExpired"),
            Self::ForbiddenByPolicy { .. } => Some("ForbiddenByPolicy"),
            Self::ForbiddenByRbac { .. } => Some("ForbiddenByRbac"),
            Self::Unreachable { why, .. } => Some(match why {
                UnreachableReason::PublicAccessDisabled => "ForbiddenByConnection",
                UnreachableReason::AddressNotAuthorized
                | UnreachableReason::BypassDisabled
                | UnreachableReason::IdentityNotTrusted => "ForbiddenByFirewall",
            }),
            Self::FailedOver { .. } => Some("VaultIsReadOnly"),
            Self::ObjectIsDeletedButRecoverable { .. } => Some("ObjectIsDeletedButRecoverable"),
            Self::ObjectIsBeingDeleted { .. } | Self::StillBeingDeleted => {
                Some("ObjectIsBeingDeleted")
            }
            Self::ObjectIsBeingRecovered { .. } | Self::StillBeingRecovered => {
                Some("ObjectIsBeingRecovered")
            }
            _ => None,
        }
    }
}
