use sealock_core::IdentityName;

/// Why the directory could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no managed identity of this name.
    #[error("The managed identity '{name}' was not found.")]
    IdentityNotFound {
        /// The name that was asked for.
        name: IdentityName,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] sealock_store::Error),
}

impl Error {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::IdentityNotFound { name } => Some(format!(
                "see the identities with: sealock identity list; create it with: sealock identity create {name}"
            )),
            Self::Store(_) => None,
        }
    }
}

/// A result with the directory's error.
pub type Result<T> = std::result::Result<T, Error>;
