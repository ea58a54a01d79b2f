//! Keys of 32 bytes, and their derivation.

use hkdf::Hkdf;
use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The length of every key, in bytes.
pub(crate) const KEY_LEN: usize = 32;

/// The length that AES-GCM adds to a segment or record in each layer.
pub(crate) const TAG_LEN: usize = 16;

/// Defines a key of 32 bytes for one purpose, which is zeroised when dropped and never shown.
macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name(pub(crate) zeroize::Zeroizing<[u8; $crate::secret::KEY_LEN]>);

        impl $name {
            /// Creates a random key.
            pub fn random() -> Self {
                Self(zeroize::Zeroizing::new(rand::random()))
            }

            /// Creates a key from `bytes`; returns `None` unless there are 32.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                let mut key = zeroize::Zeroizing::new([0; $crate::secret::KEY_LEN]);
                (bytes.len() == $crate::secret::KEY_LEN).then(|| {
                    key.copy_from_slice(bytes);
                    Self(key)
                })
            }

            /// Returns the secret itself, to wrap it or to write it to a file of mode 0600.
            pub fn expose(&self) -> &[u8; $crate::secret::KEY_LEN] {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}
pub(crate) use secret;

/// Derives a key from `secret` with HKDF-SHA256.
pub(crate) fn derive(
    secret: &[u8; KEY_LEN],
    salt: &[u8],
    info: &[&[u8]],
) -> Zeroizing<[u8; KEY_LEN]> {
    let mut key = Zeroizing::new([0; KEY_LEN]);
    #[expect(clippy::expect_used, reason = "HKDF-SHA256 yields up to 8160 bytes")]
    Hkdf::<Sha256>::new(Some(salt), secret)
        .expand_multi_info(info, &mut *key)
        .expect("32 bytes are within HKDF's limit");
    key
}

#[expect(clippy::expect_used, reason = "the type fixes the length")]
pub(crate) fn aes_gcm_key(key: &[u8; KEY_LEN]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("AES-256 keys have 32 bytes"))
}
