//! TLS, on the port that also speaks plain HTTP: whose certificate is served under which name, and
//! what clients need so that they trust it.

mod authority;
mod certificates;
mod own;
mod trust;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{ServerConfig, crypto::ring, version};
use serde::Deserialize;

pub(crate) use self::trust::Trust;
pub use self::trust::fingerprint;
use self::{authority::Authority, certificates::Certificates, own::Scope};
use crate::{host::Hosts, listener::ALPN_HTTP2};

/// The common name of the emulator's own CA.
pub const LOCAL_CA_NAME: &str = "Sealock CA for localhost";

/// `[tls]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// Whether names such as `myregistry.azurecr.io` are served, too, under a second CA.
    pub azure_names: bool,
    /// One's own CA: a PEM file with its certificate and its private key.
    pub ca: Option<PathBuf>,
}

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

/// Prepares TLS for the names that `hosts` serves, with CAs of this emulator's own that lie in
/// `data_dir` (or, without one, in memory), unless `settings` bring another.
///
/// # Errors
/// If a CA cannot be used, or may not sign for an alias or the public name.
pub(crate) fn prepare(
    settings: &Tls,
    hosts: &Hosts,
    data_dir: Option<&Path>,
) -> Result<(Arc<ServerConfig>, Trust), TlsError> {
    let dir = data_dir.map(trust::create_dir).transpose()?;
    let authority = match &settings.ca {
        Some(path) => Authority::read_named(path)?,
        None => Authority::load_or_create(dir.as_deref(), Scope::Loopback)?,
    };
    let azure_authority = settings
        .azure_names
        .then(|| Authority::load_or_create(dir.as_deref(), Scope::Azure))
        .transpose()?;
    let trust = Trust::publish(
        dir.as_deref(),
        settings.ca.is_some(),
        hosts.configured().map(str::to_owned).collect(),
        &authority,
        azure_authority.as_ref(),
    )?;

    let certificates = Certificates::new(hosts.clone(), authority, azure_authority)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(certificates));
    config.alpn_protocols = vec![ALPN_HTTP2.to_vec(), b"http/1.1".to_vec()];
    Ok((Arc::new(config), trust))
}
