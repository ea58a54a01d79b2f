//! The algorithms of cryptographic operations, by their names in Azure.
//!
//! <https://learn.microsoft.com/azure/key-vault/keys/about-keys-details#rsa-algorithms>

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Curve, Error, Result, error::redact_long_word};

/// An algorithm that encrypts data or wraps another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum EncryptionAlgorithm {
    /// RSAES-OAEP (RFC 8017, 7.1) with SHA-256, in MGF1, too.
    RsaOaep256,
    /// RSAES-OAEP with SHA-1.
    RsaOaep,
    /// RSAES-PKCS1-v1_5 (RFC 8017, 7.2).
    Rsa15,
    /// AES-GCM (NIST SP 800-38D).
    AesGcm(AesSize),
    /// AES-CBC (NIST SP 800-38A). Zeros fill the last block.
    AesCbc(AesSize),
    /// AES-CBC with PKCS#7 padding (RFC 5652, 6.3).
    AesCbcPad(AesSize),
    /// AES key wrap (RFC 3394).
    AesKw(AesSize),
}

/// An algorithm that signs a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SignatureAlgorithm {
    /// RSASSA-PSS (RFC 8017, 8.1) with a salt as long as the hash.
    Ps(Sha),
    /// RSASSA-PKCS1-v1_5 (RFC 8017, 8.2) of a digest.
    Rs(Sha),
    /// RSASSA-PKCS1-v1_5 of arbitrary bytes, normally a `DigestInfo`.
    RsNull,
    /// ECDSA (FIPS 186-5). The signature is r followed by s.
    Es(Curve),
    /// HMAC (RFC 2104).
    Hs(Sha),
}

/// The size of an AES key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AesSize {
    /// 128 bits.
    Aes128,
    /// 192 bits.
    Aes192,
    /// 256 bits.
    Aes256,
}

/// A hash of the SHA-2 family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sha {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl EncryptionAlgorithm {
    pub(crate) const EVERY: [(Self, &str); 15] = [
        (Self::RsaOaep256, "RSA-OAEP-256"),
        (Self::RsaOaep, "RSA-OAEP"),
        (Self::Rsa15, "RSA1_5"),
        (Self::AesGcm(AesSize::Aes128), "A128GCM"),
        (Self::AesGcm(AesSize::Aes192), "A192GCM"),
        (Self::AesGcm(AesSize::Aes256), "A256GCM"),
        (Self::AesCbc(AesSize::Aes128), "A128CBC"),
        (Self::AesCbc(AesSize::Aes192), "A192CBC"),
        (Self::AesCbc(AesSize::Aes256), "A256CBC"),
        (Self::AesCbcPad(AesSize::Aes128), "A128CBCPAD"),
        (Self::AesCbcPad(AesSize::Aes192), "A192CBCPAD"),
        (Self::AesCbcPad(AesSize::Aes256), "A256CBCPAD"),
        (Self::AesKw(AesSize::Aes128), "A128KW"),
        (Self::AesKw(AesSize::Aes192), "A192KW"),
        (Self::AesKw(AesSize::Aes256), "A256KW"),
    ];
}

impl SignatureAlgorithm {
    pub(crate) const EVERY: [(Self, &str); 14] = [
        (Self::Ps(Sha::Sha256), "PS256"),
        (Self::Ps(Sha::Sha384), "PS384"),
        (Self::Ps(Sha::Sha512), "PS512"),
        (Self::Rs(Sha::Sha256), "RS256"),
        (Self::Rs(Sha::Sha384), "RS384"),
        (Self::Rs(Sha::Sha512), "RS512"),
        (Self::RsNull, "RSNULL"),
        (Self::Es(Curve::P256), "ES256"),
        (Self::Es(Curve::P256K), "ES256K"),
        (Self::Es(Curve::P384), "ES384"),
        (Self::Es(Curve::P521), "ES512"),
        (Self::Hs(Sha::Sha256), "HS256"),
        (Self::Hs(Sha::Sha384), "HS384"),
        (Self::Hs(Sha::Sha512), "HS512"),
    ];

    /// Returns the length of a digest, if the algorithm prescribes it.
    pub(crate) fn digest_bytes(self) -> Option<usize> {
        match self {
            Self::Ps(sha) | Self::Rs(sha) => Some(sha.bytes()),
            Self::Es(Curve::P256 | Curve::P256K) => Some(Sha::Sha256.bytes()),
            Self::Es(Curve::P384) => Some(Sha::Sha384.bytes()),
            Self::Es(Curve::P521) => Some(Sha::Sha512.bytes()),
            Self::RsNull | Self::Hs(_) => None,
        }
    }

    /// Returns the minimum length of an RSA key: PSS takes two hashes and two bytes (RFC 8017, 9.1.1).
    pub(crate) fn min_rsa_bytes(self) -> usize {
        match self {
            Self::Ps(sha) => 2 * sha.bytes() + 2,
            _ => 0,
        }
    }
}

impl AesSize {
    pub(crate) fn bits(self) -> u32 {
        match self {
            Self::Aes128 => 128,
            Self::Aes192 => 192,
            Self::Aes256 => 256,
        }
    }
}

impl Sha {
    fn bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

fn name<A: PartialEq>(every: &[(A, &'static str)], algorithm: &A) -> &'static str {
    every
        .iter()
        .find(|(known, _)| known == algorithm)
        .map_or("", |(_, name)| name)
}

fn parse<A: Copy>(every: &[(A, &'static str)], text: &str) -> Result<A> {
    every
        .iter()
        .find(|(_, name)| *name == text)
        .map(|(algorithm, _)| *algorithm)
        .ok_or_else(|| {
            let names: Vec<_> = every.iter().map(|(_, name)| *name).collect();
            Error::BadParameter(format!(
                "The algorithm '{}' is not supported; use one of {}.",
                redact_long_word(text),
                names.join(", ")
            ))
        })
}

impl fmt::Display for EncryptionAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name(&Self::EVERY, self))
    }
}

impl FromStr for EncryptionAlgorithm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse(&Self::EVERY, text)
    }
}

impl TryFrom<String> for EncryptionAlgorithm {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<EncryptionAlgorithm> for String {
    fn from(algorithm: EncryptionAlgorithm) -> Self {
        algorithm.to_string()
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name(&Self::EVERY, self))
    }
}

impl FromStr for SignatureAlgorithm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse(&Self::EVERY, text)
    }
}

impl TryFrom<String> for SignatureAlgorithm {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<SignatureAlgorithm> for String {
    fn from(algorithm: SignatureAlgorithm) -> Self {
        algorithm.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn algorithms_are_parsed_by_their_exact_names_only() {
        for (algorithm, name) in EncryptionAlgorithm::EVERY {
            assert_eq!(algorithm.to_string(), name);
            assert_eq!(name.parse::<EncryptionAlgorithm>().unwrap(), algorithm);
            assert!(name.parse::<SignatureAlgorithm>().is_err());
        }
        for (algorithm, name) in SignatureAlgorithm::EVERY {
            assert_eq!(algorithm.to_string(), name);
            assert_eq!(name.parse::<SignatureAlgorithm>().unwrap(), algorithm);
        }
        for unknown in ["", "rsa-oaep", "RSA-OAEP-512", "A256CBC-HS512", "dir"] {
            let refusal = unknown.parse::<EncryptionAlgorithm>().unwrap_err();
            assert!(
                refusal.to_string().contains(&format!("'{unknown}'")),
                "{refusal}"
            );
        }
    }
}
