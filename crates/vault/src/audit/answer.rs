use std::convert::Infallible;

use sealock_core::Kid;
use zeroize::Zeroizing;

use crate::{Key, KeyBundle, KeyItem, KeyType, Listing, Policy, RotationPolicyView, Used, Vault};

/// The key version that an operation was about.
pub(crate) struct Subject {
    pub(crate) kid: Kid,
    pub(crate) kty: KeyType,
    pub(crate) key_size: u32,
}

/// The answer of an operation, as far as its audit event tells of it.
pub(crate) trait Answer {
    /// The key version that the operation was about, if it was about one.
    fn subject(&self) -> Option<Subject> {
        None
    }
}

impl Answer for () {}
impl Answer for Infallible {}
impl Answer for Listing<KeyBundle> {}
impl Answer for Listing<KeyItem> {}
impl Answer for Policy {}
impl Answer for RotationPolicyView {}
impl Answer for String {}
impl Answer for Vault {}
impl Answer for Vec<Key> {}
impl Answer for Vec<Policy> {}
impl Answer for Vec<Vault> {}
impl Answer for Zeroizing<Vec<u8>> {}

impl Answer for KeyBundle {
    fn subject(&self) -> Option<Subject> {
        Some(Subject {
            kid: self.kid.clone(),
            kty: self.kty,
            key_size: self.key_size,
        })
    }
}

impl Answer for Key {
    fn subject(&self) -> Option<Subject> {
        self.current.subject()
    }
}

/// A key, and the version of it that was changed.
impl Answer for (Key, KeyBundle) {
    fn subject(&self) -> Option<Subject> {
        self.1.subject()
    }
}

impl<T> Answer for Used<T> {
    fn subject(&self) -> Option<Subject> {
        self.key.subject()
    }
}
