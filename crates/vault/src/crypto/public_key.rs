use serde::{Deserialize, Serialize};

use crate::Curve;

/// The public members of a JSON Web Key (RFC 7518, 6). Numbers are big-endian in base64url.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PublicKey {
    /// An RSA key.
    Rsa {
        /// The modulus.
        n: String,
        /// The exponent.
        e: String,
    },
    /// An EC key.
    Ec {
        /// The curve.
        crv: Curve,
        /// The point's x coordinate.
        x: String,
        /// The point's y coordinate.
        y: String,
    },
    /// A symmetric key, which has no public half.
    Oct,
}

impl PublicKey {
    /// Returns the curve of an EC key.
    pub fn curve(&self) -> Option<Curve> {
        match self {
            Self::Ec { crv, .. } => Some(*crv),
            Self::Rsa { .. } | Self::Oct => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_keys_are_stored_as_members_of_a_jwk() {
        for (json, key) in [
            (
                r#"{"n":"wbdx","e":"AQAB"}"#,
                PublicKey::Rsa {
                    n: "wbdx".to_owned(),
                    e: "AQAB".to_owned(),
                },
            ),
            (
                r#"{"crv":"P-256K","x":"AQ","y":"Ag"}"#,
                PublicKey::Ec {
                    crv: Curve::P256K,
                    x: "AQ".to_owned(),
                    y: "Ag".to_owned(),
                },
            ),
            ("null", PublicKey::Oct),
        ] {
            assert_eq!(serde_json::from_str::<PublicKey>(json).unwrap(), key);
            assert_eq!(serde_json::to_string(&key).unwrap(), json);
        }
        assert!(serde_json::from_str::<PublicKey>(r#"{"n":"wbdx"}"#).is_err());
    }
}
