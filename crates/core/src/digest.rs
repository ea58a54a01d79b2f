use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{excerpt, schema::text_schema};

/// The content address of a blob or manifest: `sha256:` or `sha512:`, then the hash in lower-case hexadecimal digits.
///
/// <https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests>
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Digest {
    /// A SHA-256 hash.
    Sha256([u8; 32]),
    /// A SHA-512 hash.
    Sha512([u8; 64]),
}

/// The hash algorithm of a digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// SHA-256, which every client supports.
    #[default]
    Sha256,
    /// SHA-512.
    Sha512,
}

/// A text that is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDigest {
    /// The text is not `algorithm:encoded`, or does not have the algorithm's number of lower-case digits.
    #[error(
        "'{0}' is not a digest; expected sha256: and 64 lower-case hexadecimal digits, or sha512: and 128"
    )]
    Malformed(String),
    /// The algorithm is well-formed but not supported.
    #[error("the digest algorithm '{0}' is not supported; use sha256 or sha512")]
    UnsupportedAlgorithm(String),
}

impl Digest {
    /// Returns the hash algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Returns the hash alone, in hexadecimal.
    pub fn encoded(&self) -> String {
        match self {
            Self::Sha256(hash) => hex::encode(hash),
            Self::Sha512(hash) => hex::encode(hash),
        }
    }
}

impl FromStr for Algorithm {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let well_formed =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+._-".contains(c);
        match text {
            "sha256" => Ok(Self::Sha256),
            "sha512" => Ok(Self::Sha512),
            _ if (1..=32).contains(&text.len()) && text.chars().all(well_formed) => {
                Err(InvalidDigest::UnsupportedAlgorithm(text.to_owned()))
            }
            _ => Err(InvalidDigest::Malformed(excerpt(text).to_owned())),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        })
    }
}

text_schema!(Digest, "^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$", 135);

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let malformed = || InvalidDigest::Malformed(excerpt(text).to_owned());
        let (algorithm, encoded) = text.split_once(':').ok_or_else(malformed)?;
        let algorithm: Algorithm = algorithm.parse().map_err(|error| match error {
            InvalidDigest::Malformed(_) => malformed(),
            unsupported @ InvalidDigest::UnsupportedAlgorithm(_) => unsupported,
        })?;
        if encoded.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(malformed());
        }
        match algorithm {
            Algorithm::Sha256 => decode(encoded).map(Self::Sha256),
            Algorithm::Sha512 => decode(encoded).map(Self::Sha512),
        }
        .ok_or_else(malformed)
    }
}

fn decode<const N: usize>(encoded: &str) -> Option<[u8; N]> {
    let mut hash = [0; N];
    hex::decode_to_slice(encoded, &mut hash).ok()?;
    Some(hash)
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm(), self.encoded())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, InvalidDigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_digests_parse() {
        for (algorithm, length) in [("sha256", 32), ("sha512", 64)] {
            let text = format!("{algorithm}:{}", "0a".repeat(length));
            let digest: Digest = text.parse().unwrap();
            assert_eq!(digest.to_string(), text);
            assert_eq!(digest.algorithm().to_string(), algorithm);
            for bad in [
                format!("{algorithm}:"),
                format!("{algorithm}:baddigeststring"),
                format!("{algorithm}:{}", "0A".repeat(length)),
                format!("{algorithm}:{}", "0a".repeat(length - 1)),
                format!("{algorithm}:{}", "0a".repeat(length + 1)),
                format!("{}:{}", algorithm.to_uppercase(), "0a".repeat(length)),
                format!(" {text}"),
                format!("{text} "),
            ] {
                let refused = bad.parse::<Digest>();
                assert!(matches!(refused, Err(InvalidDigest::Malformed(_))), "{bad}");
            }
        }
        for bad in ["", "sha256", ":00", "SHA256:00"] {
            let refused = bad.parse::<Digest>();
            assert!(matches!(refused, Err(InvalidDigest::Malformed(_))), "{bad}");
        }
        assert_eq!(
            "blake3:00".parse::<Digest>(),
            Err(InvalidDigest::UnsupportedAlgorithm("blake3".to_owned()))
        );
    }
}
