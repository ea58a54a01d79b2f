use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How a key wraps another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum WrapAlgorithm {
    /// RSAES-OAEP (RFC 8017, 7.1) with SHA-256 as its hash and in MGF1.
    RsaOaep256,
}

impl fmt::Display for WrapAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RsaOaep256 => "RSA-OAEP-256",
        })
    }
}

impl FromStr for WrapAlgorithm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "RSA-OAEP-256" => Ok(Self::RsaOaep256),
            _ => Err(Error::BadParameter(format!(
                "The algorithm '{}' is not supported yet; use RSA-OAEP-256.",
                text.chars().take(80).collect::<String>()
            ))),
        }
    }
}

impl TryFrom<String> for WrapAlgorithm {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<WrapAlgorithm> for String {
    fn from(algorithm: WrapAlgorithm) -> Self {
        algorithm.to_string()
    }
}
