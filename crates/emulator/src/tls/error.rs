use std::path::{Path, PathBuf};

use super::scope::Scope;

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A CA that is not one.
    #[error("the CA in {path} cannot be used: {why}")]
    CaInvalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A name that clients would be refused at.
    #[error("the CA may not sign for '{name}': {why}")]
    NameNotSignable {
        /// An alias or the public name.
        name: String,
        /// What a client would say.
        why: String,
    },
    /// A name that is not served.
    #[error("'{name}' is not served over TLS: {why}")]
    NameNotServed {
        /// What a client asked for.
        name: String,
        /// What to do about it.
        why: &'static str,
    },
    /// Cryptography or encoding that fails although nothing is wrong.
    #[error("no certificate could be made: {0}")]
    Failed(String),
    /// The disk.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The data directory.
    #[error(transparent)]
    Store(#[from] sealock_store::Error),
}

impl TlsError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::CaInvalid { path, .. } if is_own(path) => Some(format!(
                "remove {} to have a new CA made, which clients have to trust anew",
                path.display()
            )),
            Self::CaInvalid { .. } => Some(
                "tls.ca names a PEM file with the CA's certificate and, in PKCS #8 (openssl pkcs8 -topk8 -nocrypt), its \
                 private key"
                    .to_owned(),
            ),
            Self::NameNotSignable { name, .. } => {
                let is_label = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
                let example = if is_label && name != "localhost" {
                    format!(", such as {name}.localhost")
                } else {
                    String::new()
                };
                Some(format!(
                    "use a name below localhost{example}, or bring a CA that may sign for it: tls.ca in the configuration"
                ))
            }
            _ => None,
        }
    }
}

/// Returns true for the file of a CA of the emulator's own.
fn is_own(path: &Path) -> bool {
    let mut scopes = [Scope::Loopback, Scope::Azure].into_iter();
    scopes.any(|scope| path.ends_with(Path::new("tls").join(scope.file())))
}

impl From<rcgen::Error> for TlsError {
    fn from(error: rcgen::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        Self::Failed(error.to_string())
    }
}
