use rand::distr::{Alphanumeric, Distribution as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// In every client secret of Azure's, and what looks for leaked secrets knows them by it.
const MARK: &str = "8Q~";

/// How many characters are before the mark, and after it.
const BEFORE: usize = 3;
const AFTER: usize = 34;

/// What an application proves itself with. It cannot be printed by mistake.
pub struct ClientSecret(Zeroizing<String>);

impl ClientSecret {
    /// A new random secret, of Azure's form. Letters and digits, so that no shell needs quotes around it.
    pub(crate) fn random() -> Self {
        let mut random = Alphanumeric.sample_iter(rand::rng()).map(char::from);
        let mut secret = Zeroizing::new(String::with_capacity(BEFORE + MARK.len() + AFTER));
        secret.extend(random.by_ref().take(BEFORE));
        secret.push_str(MARK);
        secret.extend(random.take(AFTER));
        Self(secret)
    }

    /// The secret itself, to be shown once, to whoever made it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// All that is kept of a client secret. It has more than 200 random bits, which nobody finds by trying: a
/// hash that is slow on purpose, as for passwords that people choose, would only slow down each login.
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

    /// Compares in constant time.
    pub(crate) fn is_of(&self, secret: &str) -> bool {
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
    fn a_secret_looks_like_azures_and_is_known_by_its_hash_alone() {
        let (secret, another) = (ClientSecret::random(), ClientSecret::random());
        assert_eq!(secret.as_str().len(), 40);
        assert_eq!(&secret.as_str()[BEFORE..BEFORE + 3], MARK);
        let hash = SecretHash::of(&secret);
        assert!(hash.is_of(secret.as_str()));
        for wrong in [another.as_str(), &secret.as_str()[1..], ""] {
            assert!(!hash.is_of(wrong));
        }
        let again = SecretHash::of(&secret);
        assert!(again.salt != hash.salt && again.sha256 != hash.sha256);
    }
}
