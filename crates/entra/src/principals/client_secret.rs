use rand::distr::{Alphanumeric, Distribution as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The marker in every client secret of Azure's, by which scanners recognise leaked secrets.
const MARKER: &str = "8Q~";

/// The number of random characters before the marker.
const BEFORE: usize = 3;

/// The number of random characters behind the marker.
const AFTER: usize = 34;

/// The secret with which an application logs in. It has no `Debug`, so it cannot be printed by mistake.
pub struct ClientSecret(Zeroizing<String>);

impl ClientSecret {
    /// Wraps the text of a secret.
    pub fn new(text: Zeroizing<String>) -> Self {
        Self(text)
    }

    /// Generates a secret in Azure's form. It needs no quotes in a shell.
    pub(crate) fn random() -> Self {
        let mut random = Alphanumeric.sample_iter(rand::rng()).map(char::from);
        let mut secret = Zeroizing::new(String::with_capacity(BEFORE + MARKER.len() + AFTER));
        secret.extend(random.by_ref().take(BEFORE));
        secret.push_str(MARKER);
        secret.extend(random.take(AFTER));
        Self(secret)
    }

    /// Returns the text of the secret. Only its creator sees it, once.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns true if `text` is the secret. Compares in constant time.
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }
}

/// The stored hash of a client secret. A fast hash is enough, since a secret has more than 200 random bits. The slow hashes
/// are for passwords that people choose.
#[derive(Serialize, Deserialize)]
pub(crate) struct SecretHash {
    salt: String,
    sha256: String,
}

impl SecretHash {
    pub(crate) fn of(secret: &ClientSecret) -> Self {
        let salt = hex::encode(rand::random::<[u8; 16]>());
        Self {
            sha256: hash(&salt, secret.as_str()),
            salt,
        }
    }

    /// Returns true if `secret` is the hashed secret. Compares in constant time.
    pub(crate) fn matches(&self, secret: &str) -> bool {
        let given = hash(&self.salt, secret);
        self.sha256.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

fn hash(salt: &str, secret: &str) -> String {
    let hash = Sha256::new()
        .chain_update(salt)
        .chain_update(secret)
        .finalize();
    hex::encode(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_has_azures_form_and_only_it_matches_its_hash() {
        let (secret, another) = (ClientSecret::random(), ClientSecret::random());
        assert_eq!(secret.as_str().len(), 40);
        assert_eq!(&secret.as_str()[BEFORE..BEFORE + 3], MARKER);
        let hash = SecretHash::of(&secret);
        assert!(hash.matches(secret.as_str()));
        for wrong in [another.as_str(), &secret.as_str()[1..], ""] {
            assert!(!hash.matches(wrong));
        }
        let again = SecretHash::of(&secret);
        assert!(again.salt != hash.salt && again.sha256 != hash.sha256);
    }
}
