use std::{net::SocketAddr, path::Path, sync::Arc};

use sealock_envelope::ServiceKey;
use sealock_store::{Authenticator, DataDir, Store, StoreFiles};
use tokio::task::JoinHandle;

use super::{
    instance::{Instance, InstanceParts},
    node::Bound,
    seed,
};
use crate::{
    Auth, Config, Error, NamedDataDir, config::Server, routing::friendly_door::FriendlyDoor,
    secrets::service_key, services::Services, timekeeping,
};

/// An emulator that serves requests until it is dropped. They wait until the resources in its configuration are created.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) instance: Arc<Instance>,
    /// `None` if everything is in memory.
    pub(crate) data_dir: Option<DataDir>,
    served: JoinHandle<()>,
    seeding: JoinHandle<Result<(), Error>>,
}

impl Running {
    /// Starts an emulator with a configuration from `config_file`.
    pub(crate) async fn start(config: Config, config_file: Option<&Path>) -> Result<Self, Error> {
        check_exposure(&config.server)?;
        let data_dir = if config.server.ephemeral {
            None
        } else {
            Some(DataDir::open(&config.server.data_dir)?)
        };
        let dir = data_dir.as_ref().map(DataDir::path);
        let bound = Bound::bind(&config, dir)?;
        let (store, service_key) = match &data_dir {
            Some(dir) => {
                let service_key = service_key::load_or_create(dir)?;
                let store = open_store(dir, &service_key, &config);
                let store = store.map_err(|error| {
                    let data_dir = NamedDataDir {
                        dir: dir.path().to_owned(),
                        config_file: config_file.map(Path::to_owned),
                    };
                    data_dir_error(error, &data_dir)
                })?;
                (store, service_key)
            }
            None => (
                Store::ephemeral_with(config.audit.journal()),
                ServiceKey::random(),
            ),
        };
        let friendly_door = FriendlyDoor::load(&config.server, dir, &store).await?;
        let service_key = Arc::new(service_key);
        let services = bound
            .open(&config, store, &service_key, &friendly_door)
            .await?;
        let address = bound.address;
        let parts = InstanceParts {
            config,
            service_key,
            friendly_door,
            trust: bound.trust.clone(),
            hosts: bound.hosts.clone(),
            address: address.ip(),
            shutdown: bound.shutdown.clone(),
        };
        let instance = Instance::start(parts, services.clone());
        let served = bound.serve(Arc::clone(&instance));
        let seeding = tokio::spawn(create_resources(Arc::clone(&instance), services));
        Ok(Self {
            address,
            instance,
            data_dir,
            served,
            seeding,
        })
    }

    /// Waits until the resources in the configuration are created. Called once.
    pub(crate) async fn seeded(&mut self) -> Result<(), Error> {
        match (&mut self.seeding).await {
            Ok(seeded) => seeded,
            Err(error) => Err(std::io::Error::from(error).into()),
        }
    }

    /// Stops serving requests, and closes the store.
    pub(crate) async fn stop(mut self) {
        let services = self.instance.services();
        self.instance.shutdown.cancel();
        let _ = (&mut self.served).await;
        let stored = timekeeping::store_confirmed_time(&services.store, &services.clock);
        if let Err(error) = stored.await {
            tracing::warn!(%error, "cannot store the time of this stop");
        }
        services.store.close().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.instance.shutdown.cancel();
    }
}

/// Creates the resources in the configuration. If the disk refuses some, the next start creates them.
async fn create_resources(instance: Arc<Instance>, services: Services) -> Result<(), Error> {
    let seeded = match seed::seed(&services, &instance.config).await {
        Err(error) if error.fault().is_some() => {
            tracing::error!(%error, "cannot create all resources in the configuration; the next start tries again");
            Ok(())
        }
        seeded => seeded,
    };
    let seeded = match seeded {
        Ok(()) => instance.keep_initial_state(&services.store).await,
        Err(error) => Err(error),
    };
    let shown = seeded.as_ref().map(drop);
    instance.end_seeding(shown.map_err(|error| error.to_string().into()));
    seeded
}

fn open_store(
    dir: &DataDir,
    service_key: &ServiceKey,
    config: &Config,
) -> sealock_store::Result<Store> {
    let authenticator = Authenticator::new(&service_key.store_key());
    Store::open(StoreFiles {
        engine: config.store.engine,
        journal: config.audit.journal(),
        ..StoreFiles::new(dir.path(), authenticator)
    })
}

/// Adds the data directory to an error of its store.
pub(crate) fn data_dir_error(error: sealock_store::Error, data_dir: &NamedDataDir) -> Error {
    match error {
        sealock_store::Error::KeyForeign { format } => Error::ServiceKeyForeign {
            path: service_key::path(&data_dir.dir),
            data_dir: data_dir.clone(),
            format,
        },
        error if error.is_damage() => Error::DataDirDamaged {
            data_dir: data_dir.clone(),
            error,
        },
        error => error.into(),
    }
}

/// Checks that the friendly door is closed to the network, unless the configuration explicitly opens it.
fn check_exposure(server: &Server) -> Result<(), Error> {
    let exposed = server
        .listen
        .iter()
        .find(|address| !address.ip().is_loopback());
    match exposed {
        Some(address) if server.auth == Auth::Friendly && !server.open_to_network => {
            Err(Error::NotLoopback(*address))
        }
        _ => Ok(()),
    }
}
