use std::net::SocketAddr;

use sealock_cmk::{Cause, Refusal};
use sealock_store::Fault;

use crate::{Error, NamedDataDir, SeedError, TlsError};

/// A remedy for an error that keeps the emulator from starting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Follow the advice.
    Advice(String),
    /// Configure the engine of the data directory, or convert the directory.
    ConvertDataDir {
        /// The engine.
        engine: String,
        /// The data directory.
        data_dir: NamedDataDir,
    },
    /// Finish an interrupted repair.
    FinishRepair(NamedDataDir),
    /// Listen on another port, since this address is in use.
    ListenElsewhere(SocketAddr),
    /// Name a data directory that exists.
    NameDataDir,
    /// Name a directory, or move away the file in its place.
    NameDirectory,
    /// Restore the former service key. If this key is the right one, repair the data directory.
    RepairKeyCheck(NamedDataDir),
    /// Verify the data directory, and repair the damage.
    RestoreDataDir(NamedDataDir),
    /// Mount the disk of the data directory for writing, or use another directory.
    UseWritableDataDir,
}

impl Error {
    /// Returns the remedy, if there is one.
    pub fn remedy(&self) -> Option<Remedy> {
        if let Some(fault) = self.fault() {
            return Some(remedy_for_fault(fault));
        }
        Some(Remedy::Advice(match self {
            Self::AddressInUse(address) => return Some(Remedy::ListenElsewhere(*address)),
            Self::DataDirDamaged { data_dir, error } => return remedy_for_damage(data_dir, error),
            Self::NoDataDir { .. } => return Some(Remedy::NameDataDir),
            Self::ServiceKeyForeign { data_dir, .. } => {
                return Some(Remedy::RepairKeyCheck(data_dir.clone()));
            }
            Self::Seed { error, .. } => advice_for_seed(error)?.to_owned(),
            Self::SecretWithoutFile { variable, .. } => {
                format!("name a file for it in the environment variable {variable}")
            }
            Self::SecretDamaged { path, variable, .. } => format!(
                "remove {} to create a new one; to use your own, name its file in {variable}",
                path.display()
            ),
            Self::NameReserved(_) => {
                "remove it from server.aliases or server.public_name; the page is always served at this name"
                    .to_owned()
            }
            Self::NotLoopback(_) => {
                "listen on 127.0.0.1 or [::1]; or require a login: server.auth = \"enforced\"; or, to serve the network \
                 without a login: server.open_to_network = true"
                    .to_owned()
            }
            Self::ServiceKeyMissing { .. } => {
                "set SEALOCK_SERVICE_KEY_FILE to the file of the former key, or use an empty data directory".to_owned()
            }
            Self::Store(sealock_store::Error::Link { path }) if path.ends_with("service.key") => {
                "or, to keep the key where the link leads, name that file in SEALOCK_SERVICE_KEY_FILE".to_owned()
            }
            Self::Store(sealock_store::Error::NotADirectory { .. }) => {
                return Some(Remedy::NameDirectory);
            }
            Self::Tls(error) => return error.hint().map(Remedy::Advice),
            _ => return None,
        }))
    }

    /// Returns the fault of the disk, if that is the cause.
    pub(crate) fn fault(&self) -> Option<Fault> {
        match self {
            Self::Io(error) | Self::Tls(TlsError::Io(error)) => Fault::of(error),
            Self::Store(error) | Self::Tls(TlsError::Store(error)) => error.fault(),
            Self::Seed { error, .. } => match &**error {
                SeedError::Registry(error) => error.fault(),
                SeedError::Identity(error) => error.fault(),
                SeedError::Vault(error) => error.fault(),
            },
            Self::Vault(error) => error.fault(),
            Self::Entra(error) => error.fault(),
            Self::Registry(error) => error.fault(),
            _ => None,
        }
    }
}

/// Suggests a remedy for a damaged data directory.
fn remedy_for_damage(data_dir: &NamedDataDir, error: &sealock_store::Error) -> Option<Remedy> {
    let data_dir = data_dir.clone();
    Some(match error {
        sealock_store::Error::EngineDiffers { found, .. } => Remedy::ConvertDataDir {
            engine: found.clone(),
            data_dir,
        },
        sealock_store::Error::NothingToRestore(_) => {
            Remedy::Advice("restore a backup of it, or use an empty data directory".to_owned())
        }
        sealock_store::Error::RepairUnfinished(_) => Remedy::FinishRepair(data_dir),
        // The directory is not damaged, and the error itself says what to do.
        sealock_store::Error::UnknownFormat {
            is_authentic: true, ..
        } => return None,
        _ => Remedy::RestoreDataDir(data_dir),
    })
}

/// Suggests how to correct a configuration whose resources cannot be created.
fn advice_for_seed(error: &SeedError) -> Option<&'static str> {
    let SeedError::Registry(sealock_registry::Error::Custody(sealock_cmk::Error::Refused(refusal))) =
        error
    else {
        return match error {
            SeedError::Identity(_) => {
                Some("add it to the configuration: [[identities]] with its name")
            }
            _ => None,
        };
    };
    Some(match refusal {
        Refusal::EncryptionNeedsPremium { .. } => "set sku = \"Premium\", or omit key and identity",
        Refusal::KeyInaccessible(key) => advice_for_key(key.cause)?,
        Refusal::KeyTypeUnsupported { .. } => {
            "set the type of the key to RSA or RSA-HSM: kty in its section [[vaults.keys]]"
        }
        Refusal::PropertiesIncomplete(_) => "name both, or neither",
        _ => return None,
    })
}

/// Suggests how to give a registry access to its key in the configuration.
fn advice_for_key(cause: Cause) -> Option<&'static str> {
    Some(match cause {
        Cause::ForbiddenByPolicy => {
            "no access policy permits it; add one to the vault: [[vaults.access]] with the identity and the permissions \
             get, wrapKey and unwrapKey"
        }
        Cause::ForbiddenByRbac => {
            "the vault uses roles, and a configuration cannot assign them; set rbac = false, or create the registry \
             when the emulator runs"
        }
        Cause::KeyNotFound => {
            "the vault has no such key; add it to the vault: [[vaults.keys]] with its name, and omit the version"
        }
        Cause::VaultNotFound => {
            "the vault does not exist; add it to the configuration: [[vaults]] with its name"
        }
        _ => return None,
    })
}

/// Suggests a remedy for a fault of the disk that prevents a start.
fn remedy_for_fault(fault: Fault) -> Remedy {
    let text = match fault {
        Fault::Full => "free space on the disk of the data directory, and start again",
        Fault::ReadOnly => return Remedy::UseWritableDataDir,
        Fault::Failing => {
            "check the system's log; the disk of the data directory may have to be replaced"
        }
        Fault::TooManyFiles => "raise the limit of open files: ulimit -n",
    };
    Remedy::Advice(text.to_owned())
}
