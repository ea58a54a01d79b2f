use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The content address of a blob or manifest: `sha256:` and 64 lower-case hexadecimal digits.
///
/// <https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests>
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

/// A text that is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDigest {
    /// Not `algorithm:encoded`, or not the algorithm's number of lower-case digits.
    #[error("'{0}' is not a digest; expected sha256: and 64 lower-case hexadecimal digits")]
    Malformed(String),
    /// A well-formed algorithm that is not served.
    #[error("the digest algorithm '{0}' is not supported; use sha256")]
    UnsupportedAlgorithm(String),
}

impl Digest {
    /// The digest whose SHA-256 value is `hash`.
    pub const fn sha256(hash: [u8; 32]) -> Self {
        Self(hash)
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let malformed = || InvalidDigest::Malformed(text.chars().take(160).collect());
        let (algorithm, encoded) = text.split_once(':').ok_or_else(malformed)?;
        if algorithm != "sha256" {
            let well_formed =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+._-".contains(c);
            return Err(
                if algorithm.len() <= 32
                    && !algorithm.is_empty()
                    && algorithm.chars().all(well_formed)
                {
                    InvalidDigest::UnsupportedAlgorithm(algorithm.to_owned())
                } else {
                    malformed()
                },
            );
        }
        if encoded.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(malformed());
        }
        let mut hash = [0; 32];
        hex::decode_to_slice(encoded, &mut hash).map_err(|_| malformed())?;
        Ok(Self(hash))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex::encode(self.0))
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
    fn only_the_canonical_form_parses() {
        let text = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(text.parse::<Digest>().unwrap().to_string(), text);
        for bad in [
            "",
            "sha256",
            "sha256:",
            "sha256:baddigeststring",
            &format!("sha256:{}", "0A".repeat(32)),
            &format!("sha256:{}", "0a".repeat(31)),
            &format!("SHA256:{}", "0a".repeat(32)),
            &format!(" sha256:{}", "0a".repeat(32)),
            &format!("sha256:{} ", "0a".repeat(32)),
        ] {
            assert!(
                matches!(bad.parse::<Digest>(), Err(InvalidDigest::Malformed(_))),
                "{bad}"
            );
        }
        assert_eq!(
            "blake3:00".parse::<Digest>(),
            Err(InvalidDigest::UnsupportedAlgorithm("blake3".to_owned()))
        );
    }
}
