//! The verification and repair of a data directory that no emulator uses.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use sealock_api::{Finding, FindingKind, Hint, QuarantinedFile};
use sealock_core::{Clock, Kid, PublicName, RegistryId, RegistryName};
use sealock_envelope::ServiceKey;
use sealock_registry::{DamagedContent, check_contents, rebuild_indexes, unmentioned_objects};
use sealock_store::{Authenticator, DataDir, Repair, Store, StoreFiles};
use sealock_vault::{Requester, unmentioned_private_keys, verify_private_keys};
use serde::Serialize;
use tokio::runtime::Runtime;

use crate::{
    Config, Error, NamedDataDir,
    routing::friendly_door::FriendlyDoor,
    secrets::service_key,
    services::Services,
    startup::{running::data_dir_error, serve::environment},
    storage::quarantined_file,
    timekeeping,
};

/// The environment variable that names the engine.
const ENGINE: &str = "SEALOCK_STORE__ENGINE";

/// The choice of a data directory.
#[derive(Clone, Debug, Default)]
pub struct OfflineFlags {
    /// The configuration file, instead of the built-in quickstart.
    pub config: Option<PathBuf>,
    /// The data directory, instead of the one in the configuration.
    pub data_dir: Option<PathBuf>,
}

/// The result of an offline verification.
#[derive(Debug, Serialize)]
pub struct OfflineVerification {
    /// The data directory.
    pub data_dir: PathBuf,
    /// The damaged and missing parts.
    pub problems: Vec<Finding>,
    /// The files in quarantine.
    pub quarantine: Vec<QuarantinedFile>,
    /// True if there are no problems.
    pub whole: bool,
}

/// The result of a repair, with its losses.
#[derive(Debug, Serialize)]
pub struct Repaired {
    /// The data directory.
    pub data_dir: PathBuf,
    /// The repair of the metadata.
    #[serde(flatten)]
    pub metadata: Repair,
    /// The key versions that were disabled, because the restored state may permit more than the lost state did.
    pub disabled_keys: Vec<DisabledKey>,
    /// The registries whose custody record was restored from its second copy.
    pub restored_custodies: Vec<RegistryName>,
    /// The contents whose object is missing or has the wrong length.
    pub damaged_contents: Vec<DamagedContent>,
    /// The private keys that cannot be opened.
    pub damaged_private_keys: Vec<String>,
    /// The objects that no record mentions. The next start moves them into quarantine.
    pub unmentioned_objects: Vec<String>,
}

/// A key version that was disabled.
#[derive(Debug, Serialize)]
pub struct DisabledKey {
    /// The key version.
    pub kid: String,
    /// The hint to enable it again.
    pub enable: Hint,
}

/// Verifies a data directory that no emulator uses, without changing it.
///
/// # Errors
/// The directory is in use or cannot be read, or its service key is missing.
pub fn verify_offline(flags: OfflineFlags) -> Result<OfflineVerification, Error> {
    let directory = Directory::find(flags)?;
    runtime()?.block_on(verify(directory))
}

async fn verify(directory: Directory) -> Result<OfflineVerification, Error> {
    let data_dir = DataDir::open_for_inspection(&directory.data_dir.dir)?;
    let service_key = Arc::new(service_key::load(data_dir.path())?);
    let files = directory.files(&service_key)?;
    let look = without_panic_messages(|| sealock_store::inspect(&files));
    let look = look.map_err(|error| directory.error(error))?;
    let mut problems = Vec::new();
    let mut report = |kind, description| problems.push(Finding { kind, description });
    for finding in look.findings {
        report(FindingKind::MetadataDamaged, finding);
    }
    let mut quarantine = Vec::new();
    if let Some(store) = look.store {
        for content in check_contents(&store).await? {
            report(FindingKind::ContentDamaged, content.to_string());
        }
        let damaged = verify_private_keys(&store, &service_key).await;
        for private_key in damaged.map_err(Error::Vault)? {
            report(FindingKind::PrivateKeyDamaged, private_key);
        }
        for object in unmentioned(&store).await? {
            let description = format!("no record mentions {object}");
            report(FindingKind::ObjectOrphaned, description);
        }
        let found = store.quarantine.list()?;
        quarantine.extend(found.into_iter().map(quarantined_file));
    }
    Ok(OfflineVerification {
        data_dir: directory.data_dir.dir,
        whole: problems.is_empty(),
        problems,
        quarantine,
    })
}

/// Repairs the metadata of a data directory that no emulator uses. If the result may permit revoked access, disables every
/// key before a registry can unwrap its DEK.
///
/// # Errors
/// The directory is in use, cannot be read or written, lacks its service key, or has nothing to restore. It is then
/// unchanged, or no emulator opens it before a repair succeeds.
pub fn repair(flags: OfflineFlags) -> Result<Repaired, Error> {
    let directory = Directory::find(flags)?;
    let data_dir = DataDir::open(&directory.data_dir.dir)?;
    let service_key = service_key::load(data_dir.path())?;
    let files = directory.files(&service_key)?;
    let now = Clock::system().now().as_second();
    let repaired = without_panic_messages(|| sealock_store::repair(&files, now));
    let metadata = repaired.map_err(|error| directory.error(error))?;
    let mut repaired = Repaired {
        data_dir: directory.data_dir.dir.clone(),
        metadata,
        disabled_keys: Vec::new(),
        restored_custodies: Vec::new(),
        damaged_contents: Vec::new(),
        damaged_private_keys: Vec::new(),
        unmentioned_objects: Vec::new(),
    };
    if !repaired.metadata.is_done() {
        return Ok(repaired);
    }
    let runtime = runtime()?;
    runtime.block_on(async {
        let store = Store::open_repaired(files.clone()).map_err(|error| directory.error(error))?;
        let done = prepare_to_serve(
            &mut repaired,
            &store,
            Arc::new(service_key),
            &directory.config,
            now,
        )
        .await;
        store.close().await;
        done
    })?;
    drop(runtime);
    sealock_store::finish_repair(&files)?;
    Ok(repaired)
}

/// Prepares a restored store for an emulator, and records its losses in `repaired`.
async fn prepare_to_serve(
    repaired: &mut Repaired,
    store: &Store,
    service_key: Arc<ServiceKey>,
    config: &Config,
    now: i64,
) -> Result<(), Error> {
    let damaged = verify_private_keys(store, &service_key).await;
    repaired.damaged_private_keys = damaged.map_err(Error::Vault)?;
    repaired.damaged_contents = check_contents(store).await?;
    repaired.unmentioned_objects = unmentioned(store).await?;
    rebuild_indexes(store).await?;
    let clock = timekeeping::restore(store).await?;
    let public_name = config.server.public_name.as_deref().unwrap_or("localhost");
    let port = config.server.listen.first().map_or(0, SocketAddr::port);
    let names = PublicName::parse(public_name, port)?;
    let address = Ipv4Addr::LOCALHOST.into();
    // Nobody can log in.
    let secret = FriendlyDoor::Open { exposed: None }.developer_secret();
    let services = Services::open(
        store.clone(),
        service_key,
        clock,
        names,
        address,
        config,
        secret,
    );
    let services = services.await?;
    if repaired.metadata.control_state_is_older {
        let operator = Requester::operator();
        let disabled = services.vault.disable_every_key(&operator).await;
        let disabled = disabled.map_err(Error::Vault)?;
        repaired.disabled_keys = disabled.iter().map(DisabledKey::new).collect();
    }
    let registries: Vec<(RegistryId, RegistryName)> = services
        .registries
        .list()
        .await?
        .into_iter()
        .filter(|registry| registry.record.encrypted)
        .map(|registry| (registry.record.id, registry.record.name.clone()))
        .collect();
    repaired.restored_custodies = services
        .custodian
        .restore(&registries, now)
        .await
        .map_err(sealock_registry::Error::from)?;
    Ok(())
}

impl DisabledKey {
    fn new(kid: &Kid) -> Self {
        Self {
            enable: Hint::EnableKey {
                vault: kid.vault.clone(),
                key: kid.key.clone(),
                version: kid.version.clone(),
            },
            kid: kid.to_string(),
        }
    }
}

fn runtime() -> Result<Runtime, Error> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    Ok(builder.enable_all().build()?)
}

/// Runs `work` without printing panic messages. A database library may panic over a damaged file, which is reported as
/// damage instead.
fn without_panic_messages<T>(work: impl FnOnce() -> T) -> T {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let done = work();
    std::panic::set_hook(hook);
    done
}

/// Lists the objects that no record mentions, as paths in the data directory.
async fn unmentioned(store: &Store) -> Result<Vec<String>, Error> {
    let blobs = unmentioned_objects(store).await?.into_iter();
    let mut unmentioned: Vec<String> = blobs.map(|object| format!("blobs/{object}")).collect();
    let private_keys = unmentioned_private_keys(store)
        .await
        .map_err(Error::Vault)?;
    let private_keys = private_keys.into_iter();
    unmentioned.extend(private_keys.map(|object| format!("vault-keys/{object}")));
    Ok(unmentioned)
}

/// A data directory with its configuration.
struct Directory {
    config: Config,
    data_dir: NamedDataDir,
}

impl Directory {
    fn find(flags: OfflineFlags) -> Result<Self, Error> {
        let config = Config::load(flags.config.as_deref(), environment())?;
        let dir = flags
            .data_dir
            .unwrap_or_else(|| config.server.data_dir.clone());
        sealock_store::check_directory(&dir)?;
        if !dir.is_dir() {
            return Err(Error::NoDataDir { dir });
        }
        Ok(Self {
            config,
            data_dir: NamedDataDir {
                dir,
                config_file: flags.config,
            },
        })
    }

    /// Returns the files of the directory. They keep their engine unless the user names another one to convert them.
    fn files(&self, service_key: &ServiceKey) -> Result<StoreFiles, Error> {
        let authenticator = Authenticator::new(&service_key.store_key());
        let mut files = StoreFiles {
            engine: self.config.store.engine,
            journal: self.config.audit.journal(),
            ..StoreFiles::new(&self.data_dir.dir, authenticator)
        };
        if self.data_dir.config_file.is_none() && std::env::var_os(ENGINE).is_none() {
            let engine = sealock_store::detect_engine(&files);
            files.engine = engine.map_err(|error| self.error(error))?;
        }
        Ok(files)
    }

    fn error(&self, error: sealock_store::Error) -> Error {
        data_dir_error(error, &self.data_dir)
    }
}
