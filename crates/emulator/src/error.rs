use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use sealock_store::Fault;

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
        dir: PathBuf,
        /// The configuration file, if one was named.
        config_file: Option<PathBuf>,
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
    /// The configuration speaks of an identity that it does not create.
    #[error("the configuration gives a role to an identity that it does not create: {0}")]
    SeedIdentity(sealock_entra::Error),
    /// A registry could not be created as the configuration says.
    #[error("a registry cannot be created as the configuration says: {0}")]
    SeedRegistry(#[from] sealock_cmk::Error),
    /// A vault or key could not be created as the configuration says.
    #[error("a vault cannot be created as the configuration says: {0}")]
    SeedVault(#[from] sealock_vault::Error),
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

impl Error {
    /// The fault of the disk, if that is the cause.
    pub(crate) fn fault(&self) -> Option<Fault> {
        match self {
            Self::Io(error) | Self::Tls(TlsError::Io(error)) => sealock_store::fault(error),
            Self::Store(error)
            | Self::Tls(TlsError::Store(error))
            | Self::SeedRegistry(sealock_cmk::Error::Store(error)) => error.fault(),
            Self::SeedVault(error) | Self::Vault(error) => error.fault(),
            Self::SeedIdentity(error) | Self::Entra(error) => error.fault(),
            Self::Registry(error) => error.fault(),
            _ => None,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        if let Some(fault) = self.fault() {
            return Some(at_start(fault).to_owned());
        }
        match self {
            Self::AddressInUse(address) if address.port() == 5000 => Some(
                "another sealock or registry may hold port 5000, or on macOS the AirPlay receiver (System Settings, \
                 General, AirDrop & Handoff); choose another port with: sealock serve --listen 127.0.0.1:5001"
                    .to_owned(),
            ),
            Self::AddressInUse(_) => {
                Some("choose another port, or 0 for a free one: sealock serve --listen 127.0.0.1:0".to_owned())
            }
            Self::SeedIdentity(_) => {
                Some("add it to the configuration: [[identities]] with its name".to_owned())
            }
            Self::SecretHomeless { variable, .. } => {
                Some(format!("name a file for it in the variable {variable}"))
            }
            Self::SecretDamaged { path, variable, .. } => Some(format!(
                "remove {} to have a new one made; to bring one of your own, name it in {variable}",
                path.display()
            )),
            Self::NameReserved(_) => Some(
                "choose another name for server.aliases or server.public_name; the page's is served without being named"
                    .to_owned(),
            ),
            Self::NotLoopback(_) => Some(
                "listen on 127.0.0.1 or [::1]; or let the registry ask for a login: server.auth = \"enforced\"; or, if \
                 that is what you want, say so: server.open_to_network = true"
                    .to_owned(),
            ),
            Self::DataDirDamaged {
                dir,
                config_file,
                error,
            } => Some(hint_on_damage(dir, config_file.as_deref(), error)),
            Self::NoDataDir { .. } => Some("name it with --data-dir".to_owned()),
            Self::ServiceKeyForeign { format, .. } => Some(format!(
                "set SEALOCK_SERVICE_KEY_FILE to the file that was used before; or, if this is the right key, have the \
                 other file written anew with: sealock repair --data-dir {}",
                format.parent().unwrap_or(format).display()
            )),
            Self::ServiceKeyMissing { .. } => Some(
                "set SEALOCK_SERVICE_KEY_FILE to the file that was used before, or begin with an empty data directory"
                    .to_owned(),
            ),
            Self::Store(sealock_store::Error::Link { path }) if path.ends_with("service.key") => Some(
                "or, if the key is to lie where the link leads, name that file in SEALOCK_SERVICE_KEY_FILE".to_owned(),
            ),
            Self::Tls(error) => error.hint(),
            _ => None,
        }
    }
}

/// Suggests a remedy for a damaged data directory.
fn hint_on_damage(dir: &Path, config_file: Option<&Path>, error: &sealock_store::Error) -> String {
    let config = config_file.map(|file| format!(" --config {}", file.display()));
    let which = format!("--data-dir {}{}", dir.display(), config.unwrap_or_default());
    let verify = format!("sealock verify --offline {which}");
    let repair = format!("sealock repair {which}");
    match error {
        sealock_store::Error::EngineDiffers { found, .. } => {
            format!("set store.engine = \"{found}\", or convert the directory with: {repair}")
        }
        sealock_store::Error::NothingToRestore(_) => {
            "bring back a backup of it, or begin with an empty data directory".to_owned()
        }
        sealock_store::Error::RepairUnfinished(_) => format!("take it up again with: {repair}"),
        _ => format!(
            "see what is damaged with: {verify}; restore what can be restored with: {repair}"
        ),
    }
}

/// Suggests a remedy for a fault of the disk that prevents a start.
fn at_start(fault: Fault) -> &'static str {
    match fault {
        Fault::Full => "make room on the disk of the data directory, and start again",
        Fault::ReadOnly => {
            "a start has to write: mount the disk of the data directory for writing, or choose another with --data-dir"
        }
        Fault::Failing => {
            "see the system's log; the disk of the data directory may have to be replaced"
        }
        Fault::TooManyFiles => "permit more open files: ulimit -n",
    }
}
