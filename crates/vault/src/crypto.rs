//! Private keys: their storage, and cryptographic operations with them.

mod algorithm;
pub(crate) mod base64url;
mod curve;
pub(crate) mod key_material;
pub(crate) mod private_keys;
mod public_key;
mod random;
mod use_key;
pub(crate) mod workload;

pub use self::{
    algorithm::{AesSize, EncryptionAlgorithm, Sha, SignatureAlgorithm},
    curve::Curve,
    key_material::{Encrypted, JsonWebKey},
    public_key::PublicKey,
    use_key::{CryptoResult, UnusableReason, UsageAttributes, may_use},
};
