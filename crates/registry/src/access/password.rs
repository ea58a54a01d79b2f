use rand::distr::{Alphanumeric, Distribution as _};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The length of Azure's passwords. Ours have only letters and digits, so that no shell or URL needs to quote them.
const LENGTH: usize = 52;

/// One of two passwords. One works while the other is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PasswordName {
    /// `password` of the admin user, `password1` of a token.
    #[serde(alias = "password")]
    Password1,
    /// `password2`
    Password2,
}

impl PasswordName {
    /// Both names.
    pub const BOTH: [Self; 2] = [Self::Password1, Self::Password2];

    pub(crate) fn index(self) -> usize {
        match self {
            Self::Password1 => 0,
            Self::Password2 => 1,
        }
    }
}

/// Generates a random password.
pub(crate) fn generate() -> Zeroizing<String> {
    let mut password = Zeroizing::new(String::with_capacity(LENGTH));
    password.extend(
        Alphanumeric
            .sample_iter(rand::rng())
            .take(LENGTH)
            .map(char::from),
    );
    password
}
