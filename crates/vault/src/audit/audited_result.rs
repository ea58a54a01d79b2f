use std::convert::Infallible;

use sealock_core::Kid;
use zeroize::Zeroizing;

use crate::{
    AccessPolicy, CryptoResult, Key, KeyBundle, KeyItem, KeyType, Listing, RotationPolicyView,
    Vault,
};

/// The key version that an audit event describes.
pub(crate) struct AuditedVersion {
    pub(crate) kid: Kid,
    pub(crate) kty: KeyType,
    pub(crate) key_size: u32,
}

/// The result of an operation, as its audit event describes it.
pub(crate) trait AuditedResult {
    /// Returns the key version that the operation used or made, if any.
    fn audited_version(&self) -> Option<AuditedVersion> {
        None
    }
}

impl AuditedResult for () {}
impl AuditedResult for Infallible {}
impl AuditedResult for Listing<KeyBundle> {}
impl AuditedResult for Listing<KeyItem> {}
impl AuditedResult for AccessPolicy {}
impl AuditedResult for RotationPolicyView {}
impl AuditedResult for String {}
impl AuditedResult for Vault {}
impl AuditedResult for Vec<Key> {}
impl AuditedResult for Vec<AccessPolicy> {}
impl AuditedResult for Vec<Vault> {}
impl AuditedResult for Zeroizing<Vec<u8>> {}

impl AuditedResult for KeyBundle {
    fn audited_version(&self) -> Option<AuditedVersion> {
        Some(AuditedVersion {
            kid: self.kid.clone(),
            kty: self.kty,
            key_size: self.key_size,
        })
    }
}

impl AuditedResult for Key {
    fn audited_version(&self) -> Option<AuditedVersion> {
        self.current.audited_version()
    }
}

/// A key, and its changed version.
impl AuditedResult for (Key, KeyBundle) {
    fn audited_version(&self) -> Option<AuditedVersion> {
        self.1.audited_version()
    }
}

impl<T> AuditedResult for CryptoResult<T> {
    fn audited_version(&self) -> Option<AuditedVersion> {
        self.key.audited_version()
    }
}
