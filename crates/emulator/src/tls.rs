//! TLS: the CAs, the certificates for each host, and the files with which clients trust them.

mod authority;
mod certificates;
mod error;
mod issuance;
mod own;
mod scope;
mod trust;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{ServerConfig, crypto::ring, version};
use serde::Deserialize;

pub(crate) use self::trust::Trust;
use self::{authority::Authority, certificates::Certificates, scope::Scope};
pub use self::{
    error::TlsError,
    scope::LOCAL_CA_NAME,
    trust::{bundle, fingerprint},
};
use crate::{listener::ALPN_HTTP2, routing::host::Hosts};

/// `[tls]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// True to serve Azure's host names, such as `myregistry.azurecr.io`, with a second CA.
    pub azure_names: bool,
    /// The user's own CA, a PEM file with its certificate and its private key.
    pub ca: Option<PathBuf>,
}

/// Prepares TLS for the names in `hosts`. Loads the emulator's own CAs from `data_dir` or creates them, unless `settings`
/// name another CA. Without a directory, the CAs exist in memory only.
///
/// # Errors
/// A CA cannot be used, or may not sign for an alias or the public name.
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
