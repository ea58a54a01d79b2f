use std::{io, net::SocketAddr, path::PathBuf};

use crate::{ConfigError, TlsError};

/// An error that keeps the emulator from starting or running.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process uses the address.
    #[error("the address {0} is in use")]
    AddressInUse(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    AddressUnusable {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// The configuration is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Parts of the data directory are damaged or missing.
    #[error("{error}")]
    DataDirDamaged {
        /// The data directory.
        data_dir: NamedDataDir,
        /// The store's error.
        error: sealock_store::Error,
    },
    /// The data directory does not exist.
    #[error("the data directory {dir} does not exist")]
    NoDataDir {
        /// The data directory.
        dir: PathBuf,
    },
    /// The configuration uses a reserved host name.
    #[error("the host name '{0}' is reserved for the emulator's page")]
    NameReserved(String),
    /// The address would expose the friendly door to the network.
    #[error("{0} is not a loopback address, so anyone on the network could push without a login")]
    NotLoopback(SocketAddr),
    /// An I/O operation fails.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The public name is invalid.
    #[error(transparent)]
    PublicName(#[from] sealock_core::InvalidPublicName),
    /// A resource of the configuration cannot be created.
    #[error("{origin}: {field}: {error}")]
    Seed {
        /// The configuration file.
        origin: String,
        /// The field or section.
        field: String,
        /// The error of the service that creates it.
        error: Box<SeedError>,
    },
    /// The file of a secret, such as the control API's token, is damaged.
    #[error("{secret} in {path} is damaged: {why}")]
    SecretDamaged {
        /// The name of the secret.
        secret: &'static str,
        /// The file.
        path: PathBuf,
        /// The defect of the file, without its content.
        why: &'static str,
        /// The environment variable that names another file.
        variable: &'static str,
    },
    /// A secret, such as the control API's token, needs a file, and there is no data directory.
    #[error("{secret} needs a file, but the emulator keeps everything in memory")]
    SecretWithoutFile {
        /// The name of the secret.
        secret: &'static str,
        /// The environment variable that names a file for it.
        variable: &'static str,
    },
    /// The file of the service key is damaged.
    #[error("the service key {path} is damaged: {why}")]
    ServiceKeyDamaged {
        /// The file.
        path: PathBuf,
        /// The defect of the file, without its content.
        why: &'static str,
    },
    /// The data directory belongs to another service key.
    #[error(
        "the service key {path} is not the one that wrote the data directory, or {format} is damaged"
    )]
    ServiceKeyForeign {
        /// The file.
        path: PathBuf,
        /// The data directory.
        data_dir: NamedDataDir,
        /// The file that identifies the data directory's service key.
        format: PathBuf,
    },
    /// The service key of a used data directory is missing.
    #[error("the service key {path} is missing, and without it the data directory cannot be read")]
    ServiceKeyMissing {
        /// The expected path.
        path: PathBuf,
    },
    /// The store fails.
    #[error(transparent)]
    Store(#[from] sealock_store::Error),
    /// The directory fails.
    #[error(transparent)]
    Entra(#[from] sealock_entra::Error),
    /// The vault fails.
    #[error(transparent)]
    Vault(sealock_vault::Error),
    /// The registry fails.
    #[error(transparent)]
    Registry(#[from] sealock_registry::Error),
    /// TLS cannot be prepared.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// The error of a service that cannot create a resource of the configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeedError {
    /// The configuration names an identity that it does not create.
    #[error(transparent)]
    Identity(#[from] sealock_entra::Error),
    /// A registry breaks a rule, or the vault refuses its key.
    #[error(transparent)]
    Registry(#[from] sealock_registry::Error),
    /// A vault or key breaks a rule.
    #[error(transparent)]
    Vault(#[from] sealock_vault::Error),
}

/// A data directory and the user's way of naming it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedDataDir {
    /// The directory.
    pub dir: PathBuf,
    /// The configuration file. `None` if the user named none.
    pub config_file: Option<PathBuf>,
}
