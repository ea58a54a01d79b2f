//! The services that answer now. A reset and a change of the public name put others in their place.

use std::{
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
};

use sealock_core::PublicName;
use sealock_envelope::ServiceKey;
use sealock_store::Store;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{
    Config, Error,
    routing::{friendly_door::FriendlyDoor, host::Hosts, router::RequestRouter},
    services::Services,
    timekeeping,
    tls::Trust,
};

/// An emulator whose services can be replaced while it serves requests.
pub(crate) struct Instance {
    pub(crate) config: Config,
    service_key: Arc<ServiceKey>,
    friendly_door: FriendlyDoor,
    trust: Trust,
    /// The address at which this machine reaches the emulator.
    address: IpAddr,
    /// Ends everything.
    shutdown: CancellationToken,
    current: RwLock<Current>,
    /// The state after the start. `None` if the data directory holds the state.
    initial: Option<Store>,
    /// Held while services are replaced.
    turn: Mutex<()>,
}

/// The services that answer requests, under their names.
#[derive(Clone)]
struct Current {
    services: Services,
    hosts: Hosts,
    router: RequestRouter,
}

impl Instance {
    /// Creates an emulator with its first services, and starts their background work.
    pub(crate) fn start(
        parts: InstanceParts,
        services: Services,
        initial: Option<Store>,
    ) -> Arc<Self> {
        let InstanceParts {
            config,
            service_key,
            friendly_door,
            trust,
            hosts,
            address,
            shutdown,
        } = parts;
        Arc::new_cyclic(|instance| {
            tokio::spawn(timekeeping::run_due_work(services.clone()));
            let router = RequestRouter::new(
                services.clone(),
                hosts.clone(),
                trust.clone(),
                friendly_door.clone(),
                instance.clone(),
            );
            Self {
                config,
                service_key,
                friendly_door,
                trust,
                address,
                shutdown,
                current: RwLock::new(Current {
                    services,
                    hosts,
                    router,
                }),
                initial,
                turn: Mutex::default(),
            }
        })
    }

    /// Returns the router of the present services.
    pub(crate) fn router(&self) -> RequestRouter {
        self.current().router
    }

    /// Returns the host names that are served.
    pub(crate) fn hosts(&self) -> Hosts {
        self.current().hosts
    }

    /// Restores the state after the start. Returns false if the data directory holds the state, which stays.
    pub(crate) async fn reset(self: &Arc<Self>) -> Result<bool, Error> {
        let Some(initial) = &self.initial else {
            return Ok(false);
        };
        let _turn = self.turn.lock().await;
        let store = initial.copy_to_memory(self.config.audit.journal()).await?;
        self.replace(store, self.hosts()).await?;
        Ok(true)
    }

    /// Renders all URLs with another public name from now on.
    pub(crate) async fn rename(self: &Arc<Self>, name: PublicName) -> Result<(), Error> {
        let _turn = self.turn.lock().await;
        let Current {
            services, hosts, ..
        } = self.current();
        self.replace(services.store, hosts.renamed(name)).await
    }

    /// Opens services over `store`, and lets them answer from now on. Requests that are under way end with the old ones.
    async fn replace(self: &Arc<Self>, store: Store, hosts: Hosts) -> Result<(), Error> {
        let services = open(
            &self.config,
            store,
            &self.service_key,
            &self.friendly_door,
            hosts.names().clone(),
            self.address,
            &self.shutdown,
        )
        .await?;
        tokio::spawn(timekeeping::run_due_work(services.clone()));
        let router = RequestRouter::new(
            services.clone(),
            hosts.clone(),
            self.trust.clone(),
            self.friendly_door.clone(),
            Arc::downgrade(self),
        );
        let next = Current {
            services,
            hosts,
            router,
        };
        let before = {
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, next)
        };
        before.services.shutdown.cancel();
        Ok(())
    }

    fn current(&self) -> Current {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }
}

/// The parts of an emulator beside its services.
pub(crate) struct InstanceParts {
    pub(crate) config: Config,
    pub(crate) service_key: Arc<ServiceKey>,
    pub(crate) friendly_door: FriendlyDoor,
    pub(crate) trust: Trust,
    pub(crate) hosts: Hosts,
    pub(crate) address: IpAddr,
    pub(crate) shutdown: CancellationToken,
}

/// Opens services over `store`, which end with `shutdown` at the latest.
pub(crate) async fn open(
    config: &Config,
    store: Store,
    service_key: &Arc<ServiceKey>,
    friendly_door: &FriendlyDoor,
    names: PublicName,
    address: IpAddr,
    shutdown: &CancellationToken,
) -> Result<Services, Error> {
    let clock = timekeeping::restore(&store).await?;
    let mut services = Services::open(
        store,
        Arc::clone(service_key),
        clock,
        names,
        address,
        config,
        friendly_door.developer_secret(),
    )
    .await?;
    services.shutdown = shutdown.child_token();
    Ok(services)
}
