use std::{io, net::SocketAddr, path::PathBuf};

use crate::{ConfigError, TlsError};

/// Why the emulator cannot start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address is taken.
    #[error("the address {0} is in use")]
    AddressInUse(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    AddressUnusable {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data directory was changed, or a part of it is missing.
    #[error("{error}")]
    DataDirDamaged {
        /// The data directory.
        data_dir: NamedDataDir,
        /// The store's error.
        error: sealock_store::Error,
    },
    /// The data directory does not exist.
    #[error("there is no data directory {dir}")]
    NoDataDir {
        /// The data directory.
        dir: PathBuf,
    },
    /// A name of ours was given to something else.
    #[error("'{0}' is the name of the emulator's page, and serves nothing else")]
    NameReserved(String),
    /// Everybody on the network could use the registry without a login.
    #[error("{0} is not a loopback address, and on it everybody could push without a login")]
    NotLoopback(SocketAddr),
    /// The disk.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The public name.
    #[error(transparent)]
    PublicName(#[from] sealock_core::InvalidPublicName),
    /// The configuration asks for something that cannot be created.
    #[error("{origin}: {field}: {error}")]
    Seed {
        /// The file with the configuration.
        origin: String,
        /// The field, or the section.
        field: String,
        /// The error of the service that creates it.
        error: Box<SeedError>,
    },
    /// A secret, such as the control API's token, cannot be what it must be.
    #[error("{what} in {path} is damaged: {why}")]
    SecretDamaged {
        /// The secret.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The defect of the file; never its content.
        why: &'static str,
        /// The variable that names another file.
        variable: &'static str,
    },
    /// Nobody could learn a secret, such as the control API's token.
    #[error("{what} has no place: everything is kept in memory")]
    SecretHomeless {
        /// The secret.
        what: &'static str,
        /// The variable that names a file for it.
        variable: &'static str,
    },
    /// The service key's file.
    #[error("the service key {path} is damaged: {why}")]
    ServiceKeyDamaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Another service key than the data directory was written with.
    #[error(
        "the service key {path} is not the one that the data directory was written with, or {format} is damaged"
    )]
    ServiceKeyForeign {
        /// The file.
        path: PathBuf,
        /// The data directory.
        data_dir: NamedDataDir,
        /// The file that identifies the data directory's service key.
        format: PathBuf,
    },
    /// Without the service key, nothing that is stored can be opened.
    #[error("the service key {path} is missing, but the data directory was written with one")]
    ServiceKeyMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The state.
    #[error(transparent)]
    Store(#[from] sealock_store::Error),
    /// The directory of identities.
    #[error(transparent)]
    Entra(#[from] sealock_entra::Error),
    /// The vaults.
    #[error(transparent)]
    Vault(sealock_vault::Error),
    /// The registries.
    #[error(transparent)]
    Registry(#[from] sealock_registry::Error),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// The error of the service that creates what the configuration asks for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeedError {
    /// The configuration names an identity that it does not create.
    #[error(transparent)]
    Identity(#[from] sealock_entra::Error),
    /// A registry breaks a rule, or its key is refused.
    #[error(transparent)]
    Registry(#[from] sealock_cmk::Error),
    /// A vault or key breaks a rule.
    #[error(transparent)]
    Vault(#[from] sealock_vault::Error),
}

/// A data directory, as the user named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedDataDir {
    /// The directory.
    pub dir: PathBuf,
    /// The configuration file. `None` if the user named none.
    pub config_file: Option<PathBuf>,
}
