//! The services that answer now. A reset and a change of the public name put others in their place.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use axum::{extract::Request, http::StatusCode, response::Response};
use sealock_core::PublicName;
use sealock_envelope::ServiceKey;
use sealock_store::Store;
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    Config, Error, control,
    routing::{friendly_door::FriendlyDoor, host::Hosts, router::RequestRouter},
    services::Services,
    timekeeping,
    tls::Trust,
};

/// An emulator whose services can be replaced while it serves requests.
pub(crate) struct Instance {
    pub(crate) config: Config,
    service_key: Arc<ServiceKey>,
    pub(crate) friendly_door: FriendlyDoor,
    pub(crate) trust: Trust,
    /// The address at which this machine reaches the emulator.
    address: IpAddr,
    /// Ends everything.
    pub(crate) shutdown: CancellationToken,
    current: RwLock<Current>,
    seeding: watch::Sender<Seeding>,
    /// The state after the start, unless a data directory holds the state.
    initial: OnceLock<Store>,
    /// Held while services are replaced.
    turn: Mutex<()>,
}

/// The creation of the resources in the configuration.
#[derive(Clone, Debug)]
enum Seeding {
    UnderWay,
    Ended(Result<(), Arc<str>>),
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
    pub(crate) fn start(parts: InstanceParts, services: Services) -> Arc<Self> {
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
                seeding: watch::Sender::new(Seeding::UnderWay),
                initial: OnceLock::new(),
                turn: Mutex::default(),
            }
        })
    }

    /// Answers a request, once the resources in the configuration are created.
    pub(crate) async fn answer(self: Arc<Self>, request: Request) -> Response {
        if !control::is_open(request.uri().path())
            && let Err(error) = self.seeded().await
        {
            return control::refuse(StatusCode::SERVICE_UNAVAILABLE, "NotSeeded", &error);
        }
        self.current().router.answer(request).await
    }

    /// Waits until the resources in the configuration are created, or returns the error that prevents it.
    pub(crate) async fn seeded(&self) -> Result<(), Arc<str>> {
        if let Seeding::Ended(result) = &*self.seeding.borrow() {
            return result.clone();
        }
        let mut seeding = self.seeding.subscribe();
        let ended = seeding.wait_for(|it| matches!(it, Seeding::Ended(_)));
        match ended.await.as_deref() {
            Ok(Seeding::Ended(result)) => result.clone(),
            // The sender lives in `self`.
            _ => Err("the emulator stops".into()),
        }
    }

    /// Keeps the state of a store in memory for a reset.
    pub(crate) async fn keep_initial_state(&self, store: &Store) -> Result<(), Error> {
        if self.config.server.ephemeral {
            let copy = store.copy_to_memory(self.config.audit.journal()).await?;
            let _first = self.initial.set(copy);
        }
        Ok(())
    }

    /// Lets requests be answered from now on, or refuses them with the error that prevents the resources in the configuration.
    pub(crate) fn end_seeding(&self, result: Result<(), Arc<str>>) {
        self.seeding.send_replace(Seeding::Ended(result));
    }

    /// Returns the present services.
    pub(crate) fn services(&self) -> Services {
        self.current().services
    }

    /// Returns the host names that are served.
    pub(crate) fn hosts(&self) -> Hosts {
        self.current().hosts
    }

    /// Restores the state after the start. Returns false if the data directory holds the state, which stays.
    pub(crate) async fn reset(self: &Arc<Self>) -> Result<bool, Error> {
        let Some(initial) = self.initial.get() else {
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
