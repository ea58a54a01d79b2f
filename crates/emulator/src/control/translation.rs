//! The translation between the enums of the services and those of the control API.

use sealock_api as api;

/// A value with an equivalent on the other side.
pub(crate) trait Translate<T> {
    /// Returns the equivalent value.
    fn translate(self) -> T;
}

/// Translates between two enums with the same variants, one way or both.
macro_rules! same {
    ($from:ty => $to:ty: $($variant:ident),+ $(,)?) => {
        impl Translate<$to> for $from {
            fn translate(self) -> $to {
                match self {
                    $(Self::$variant => <$to>::$variant,)+
                }
            }
        }
    };
    ($one:ty => and back $other:ty: $($variant:ident),+ $(,)?) => {
        same!($one => $other: $($variant),+);
        same!($other => $one: $($variant),+);
    };
}

same!(sealock_vault::State => api::State: Active, Deleting, Deleted, Recovering);
same!(sealock_vault::VaultSku => and back api::VaultSku: Standard, Premium);
same!(sealock_vault::DefaultAction => and back api::DefaultAction: Allow, Deny);
same!(sealock_vault::Bypass => and back api::Bypass: AzureServices, None);
same!(sealock_vault::KeyType => and back api::KeyType: Rsa, RsaHsm, Ec, EcHsm, Oct, OctHsm);
same!(sealock_vault::Curve => and back api::Curve: P256, P256K, P384, P521);
same!(sealock_vault::KeyOperation => and back api::KeyOperation:
    Encrypt, Decrypt, Sign, Verify, WrapKey, UnwrapKey, Import, Export);
same!(sealock_vault::KeyPermission => and back api::KeyPermission:
    All, Get, List, Create, Update, Import, Delete, Recover, Backup, Restore, Purge, Encrypt, Decrypt, WrapKey,
    UnwrapKey, Sign, Verify, Release, Rotate, GetRotationPolicy, SetRotationPolicy);
same!(sealock_cmk::Sku => and back api::Sku: Basic, Standard, Premium);
same!(sealock_cmk::Cause => api::Cause:
    ForbiddenByPolicy, ForbiddenByConnection, ForbiddenByFirewall, ForbiddenByRbac, ForbiddenByTrust, IdentityDetached, IdentityNotFound, KeyDeleted,
    KeyDisabled, KeyExpired, KeyNotFound, KeyNotYetValid, KeyOperationForbidden, KeyTypeUnsupported, VaultDeleted, VaultNotFound, VaultUnavailable);
same!(sealock_registry::FindingKind => api::FindingKind:
    DigestMismatch, ObjectDamaged, ObjectMissing, ObjectOrphaned, ReferenceUnresolved, UploadDamaged);

impl Translate<sealock_registry::PasswordName> for api::AdminPasswordName {
    fn translate(self) -> sealock_registry::PasswordName {
        match self {
            Self::First => sealock_registry::PasswordName::Password1,
            Self::Second => sealock_registry::PasswordName::Password2,
        }
    }
}

impl Translate<sealock_registry::PasswordName> for api::TokenPasswordName {
    fn translate(self) -> sealock_registry::PasswordName {
        match self {
            Self::First => sealock_registry::PasswordName::Password1,
            Self::Second => sealock_registry::PasswordName::Password2,
        }
    }
}

impl Translate<api::TokenPasswordName> for sealock_registry::PasswordName {
    fn translate(self) -> api::TokenPasswordName {
        match self {
            Self::Password1 => api::TokenPasswordName::First,
            Self::Password2 => api::TokenPasswordName::Second,
        }
    }
}

impl<T: Translate<U>, U> Translate<Option<U>> for Option<T> {
    fn translate(self) -> Option<U> {
        self.map(T::translate)
    }
}
