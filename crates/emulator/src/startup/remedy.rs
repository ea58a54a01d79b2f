use std::net::SocketAddr;

use sealock_cmk::{Cause, Refusal};
use sealock_store::Fault;

use crate::{Error, NamedDataDir, SeedError, TlsError};

/// A thing to do about an emulator that does not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Do what the text says.
    Advice(String),
    /// Set the engine that the data directory was written with, or convert the directory.
    ConvertDataDir {
        /// The engine.
        engine: String,
        /// The data directory.
        data_dir: NamedDataDir,
    },
    /// Take up a repair that did not end.
    FinishRepair(NamedDataDir),
    /// Listen on another port than that of this address, which is taken.
    ListenElsewhere(SocketAddr),
    /// Name a data directory that exists.
    NameDataDir,
    /// Name a data directory, or move the file away that is in its place.
    NameDirectory,
    /// Bring back the service key that was used before. If this is the right one, repair the data directory.
    RepairKeyCheck(NamedDataDir),
    /// See what is damaged, and restore what can be restored.
    RestoreDataDir(NamedDataDir),
    /// Mount the disk of the data directory for writing, or use another directory.
    UseWritableDataDir,
}

impl Error {
    /// Returns the thing to do about it.
    pub fn remedy(&self) -> Option<Remedy> {
        if let Some(fault) = self.fault() {
            return Some(at_start(fault));
        }
        Some(Remedy::Advice(match self {
            Self::AddressInUse(address) => return Some(Remedy::ListenElsewhere(*address)),
            Self::DataDirDamaged { data_dir, error } => return on_damage(data_dir, error),
            Self::NoDataDir { .. } => return Some(Remedy::NameDataDir),
            Self::ServiceKeyForeign { data_dir, .. } => {
                return Some(Remedy::RepairKeyCheck(data_dir.clone()));
            }
            Self::Seed { error, .. } => of_seed(error)?.to_owned(),
            Self::SecretHomeless { variable, .. } => {
                format!("name a file for it in the variable {variable}")
            }
            Self::SecretDamaged { path, variable, .. } => format!(
                "remove {} to have a new one made; to bring one of your own, name it in {variable}",
                path.display()
            ),
            Self::NameReserved(_) => {
                "choose another name for server.aliases or server.public_name; the page's is served without being named"
                    .to_owned()
            }
            Self::NotLoopback(_) => {
                "listen on 127.0.0.1 or [::1]; or let the registry ask for a login: server.auth = \"enforced\"; or, if \
                 that is what you want, say so: server.open_to_network = true"
                    .to_owned()
            }
            Self::ServiceKeyMissing { .. } => {
                "set SEALOCK_SERVICE_KEY_FILE to the file that was used before, or begin with an empty data directory"
                    .to_owned()
            }
            Self::Store(sealock_store::Error::Link { path }) if path.ends_with("service.key") => {
                "or, if the key is to lie where the link leads, name that file in SEALOCK_SERVICE_KEY_FILE".to_owned()
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
            Self::Io(error) | Self::Tls(TlsError::Io(error)) => sealock_store::fault(error),
            Self::Store(error) | Self::Tls(TlsError::Store(error)) => error.fault(),
            Self::Seed { error, .. } => match &**error {
                SeedError::Registry(sealock_cmk::Error::Store(error)) => error.fault(),
                SeedError::Registry(_) => None,
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
fn on_damage(data_dir: &NamedDataDir, error: &sealock_store::Error) -> Option<Remedy> {
    let data_dir = data_dir.clone();
    Some(match error {
        sealock_store::Error::EngineDiffers { found, .. } => Remedy::ConvertDataDir {
            engine: found.clone(),
            data_dir,
        },
        sealock_store::Error::NothingToRestore(_) => Remedy::Advice(
            "bring back a backup of it, or begin with an empty data directory".to_owned(),
        ),
        sealock_store::Error::RepairUnfinished(_) => Remedy::FinishRepair(data_dir),
        // Nothing is damaged, and the error says what to do.
        sealock_store::Error::UnknownFormat {
            is_authentic: true, ..
        } => return None,
        _ => Remedy::RestoreDataDir(data_dir),
    })
}

/// Suggests how to mend a configuration that asks for something that cannot be created.
fn of_seed(error: &SeedError) -> Option<&'static str> {
    let SeedError::Registry(sealock_cmk::Error::Refused(refusal)) = error else {
        return match error {
            SeedError::Identity(_) => {
                Some("add it to the configuration: [[identities]] with its name")
            }
            _ => None,
        };
    };
    Some(match refusal {
        Refusal::EncryptionNeedsPremium { .. } => {
            "set sku = \"Premium\", or leave out key and identity"
        }
        Refusal::KeyInaccessible(key) => of_key(key.cause)?,
        Refusal::KeyTypeUnsupported { .. } => {
            "name a key of the type RSA or RSA-HSM: kty in its section [[vaults.keys]]"
        }
        Refusal::PropertiesIncomplete(_) => "name both, or neither",
        _ => return None,
    })
}

/// Suggests how to give a registry its key by the configuration.
fn of_key(cause: Cause) -> Option<&'static str> {
    Some(match cause {
        Cause::ForbiddenByPolicy => {
            "no access policy permits it; add it to the vault: [[vaults.access]] with the identity and the permissions \
             get, wrapKey and unwrapKey"
        }
        Cause::ForbiddenByRbac => {
            "roles decide in the vault, and the configuration assigns none; set rbac = false, or create the registry \
             once the emulator runs"
        }
        Cause::KeyNotFound => {
            "the vault has no such key; add it to the vault: [[vaults.keys]] with its name, and name no version"
        }
        Cause::VaultNotFound => {
            "there is no such vault; add it to the configuration: [[vaults]] with its name"
        }
        _ => return None,
    })
}

/// Suggests a remedy for a fault of the disk that prevents a start.
fn at_start(fault: Fault) -> Remedy {
    let text = match fault {
        Fault::Full => "make room on the disk of the data directory, and start again",
        Fault::ReadOnly => return Remedy::UseWritableDataDir,
        Fault::Failing => {
            "see the system's log; the disk of the data directory may have to be replaced"
        }
        Fault::TooManyFiles => "permit more open files: ulimit -n",
    };
    Remedy::Advice(text.to_owned())
}
