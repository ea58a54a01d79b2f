use std::path::{Path, PathBuf};

use super::scope::Scope;

/// An error that prevents TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The CA cannot be used.
    #[error("the CA in {path} cannot be used: {why}")]
    CaInvalid {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// Clients would reject a certificate for the name.
    #[error("the CA may not sign for '{name}': {why}")]
    NameNotSignable {
        /// The alias or the public name.
        name: String,
        /// The client's reason.
        why: String,
    },
    /// A client requests a name that the emulator does not serve.
    #[error("'{name}' is not served over TLS: {remedy}")]
    NameNotServed {
        /// The requested name.
        name: String,
        /// A way to serve it.
        remedy: &'static str,
    },
    /// A cryptographic operation or an encoding fails unexpectedly.
    #[error("cannot create a certificate: {0}")]
    Failed(String),
    /// An I/O operation fails.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The data directory cannot be used.
    #[error(transparent)]
    Store(#[from] sealock_store::Error),
}

impl TlsError {
    /// Suggests what to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::CaInvalid { path, .. } if is_own(path) => Some(format!(
                "remove {} to create a new CA, which clients then have to trust",
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

/// Returns true for a file of the emulator's own CAs.
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
