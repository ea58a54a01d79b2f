use rand::distr::{Alphanumeric, Distribution as _};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// As long as Azure's. Letters and digits alone, so that no shell or URL needs quotes around it.
const LENGTH: usize = 52;

/// Which of two: one serves while the other is made anew.
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
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Password1, Self::Password2];

    pub(crate) fn index(self) -> usize {
        match self {
            Self::Password1 => 0,
            Self::Password2 => 1,
        }
    }
}

/// A new random password.
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
