use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use rustls::ServerConfig;
use sealock_core::PublicName;
use sealock_envelope::ServiceKey;
use sealock_store::Store;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    instance::{self, Instance, InstanceParts},
    seed,
};
use crate::{
    Config, Error,
    listener::Listener,
    routing::{friendly_door::FriendlyDoor, host::Hosts},
    services::Services,
    tls::{self, Trust},
};

/// The wanted limit of open files. Each connection and each object that is read needs one.
const OPEN_FILES: u64 = 16 * 1024;

/// A bound listener with its names and certificates, before it serves requests.
pub(crate) struct Bound {
    pub(crate) address: SocketAddr,
    pub(crate) trust: Trust,
    listener: Listener,
    names: PublicName,
    pub(crate) hosts: Hosts,
    tls: Arc<ServerConfig>,
    /// The limit of open files.
    open_files: u64,
    /// The setting `server.write_timeout`.
    write_timeout: Duration,
    /// Ends the emulator.
    pub(crate) shutdown: CancellationToken,
}

impl Bound {
    /// Binds the addresses in `config`, and loads the CA from `dir` or creates it.
    pub(crate) fn bind(config: &Config, dir: Option<&Path>) -> Result<Self, Error> {
        let open_files = raise_open_file_limit();
        let listener = Listener::bind(&config.server.listen)?;
        let address = reachable_address(listener.addresses())?;
        let public_name = config.server.public_name.as_deref().unwrap_or("localhost");
        let names = PublicName::parse(public_name, address.port())?;
        let hosts = Hosts::new(names.clone(), &config.server.aliases);
        if let Some(name) = hosts.configured().find(|name| hosts.is_page(name)) {
            return Err(Error::NameReserved(name.to_owned()));
        }
        let (tls, trust) = tls::prepare(&config.tls, &hosts, dir)?;
        Ok(Self {
            address,
            trust,
            listener,
            names,
            hosts,
            tls,
            open_files,
            write_timeout: config.server.write_timeout,
            shutdown: CancellationToken::new(),
        })
    }

    /// Opens the services over `store`, and starts their sweep in the background.
    pub(crate) async fn open(
        &self,
        config: &Config,
        store: Store,
        service_key: &Arc<ServiceKey>,
        friendly_door: &FriendlyDoor,
    ) -> Result<Services, Error> {
        let names = self.names.clone();
        let (address, shutdown) = (self.address.ip(), &self.shutdown);
        let services = instance::open(
            config,
            store,
            service_key,
            friendly_door,
            names,
            address,
            shutdown,
        )
        .await?;
        services.sweep().await?;
        Ok(services)
    }

    /// Serves requests until the shutdown.
    pub(crate) fn serve(self, instance: Arc<Instance>) -> JoinHandle<()> {
        let answer = move |request| Arc::clone(&instance).answer(request);
        tokio::spawn(self.listener.serve(
            self.tls,
            answer,
            self.open_files,
            self.write_timeout,
            self.shutdown,
        ))
    }
}

/// One of several emulators over one store in the same process.
pub struct Node {
    address: SocketAddr,
    shutdown: CancellationToken,
    served: JoinHandle<()>,
}

impl Node {
    /// Starts an emulator over the shared `store`. It writes no files of its own.
    ///
    /// # Errors
    /// The emulator cannot start.
    pub async fn start(
        config: &Config,
        store: Store,
        service_key: Arc<ServiceKey>,
    ) -> Result<Self, Error> {
        let bound = Bound::bind(config, None)?;
        let address = bound.address;
        let door = FriendlyDoor::Open { exposed: None };
        let services = bound.open(config, store, &service_key, &door).await?;
        seed::seed(&services, config).await?;
        let shutdown = bound.shutdown.clone();
        let parts = InstanceParts {
            config: config.clone(),
            service_key,
            friendly_door: door,
            trust: bound.trust.clone(),
            hosts: bound.hosts.clone(),
            address: address.ip(),
            shutdown: shutdown.clone(),
        };
        let instance = Instance::start(parts, services);
        instance.end_seeding(Ok(()));
        Ok(Self {
            address,
            shutdown,
            served: bound.serve(instance),
        })
    }

    /// Returns the address at which clients reach it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops serving requests, and leaves the store open.
    pub async fn stop(self) {
        self.shutdown.cancel();
        let _ = self.served.await;
    }
}

/// Raises the limit of open files, and returns it.
fn raise_open_file_limit() -> u64 {
    rlimit::increase_nofile_limit(OPEN_FILES).unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot raise the limit of open files");
        OPEN_FILES
    })
}

/// Returns the address at which this machine reaches a listener on `addresses`.
fn reachable_address(addresses: &[SocketAddr]) -> io::Result<SocketAddr> {
    let is_local = |address: &&SocketAddr| {
        let ip = address.ip();
        ip.is_loopback() || ip.is_unspecified()
    };
    let found = addresses.iter().find(is_local).or(addresses.first());
    let mut address = *found.ok_or(io::ErrorKind::AddrNotAvailable)?;
    address.set_ip(loopback_if_unspecified(address.ip()));
    Ok(address)
}

/// Replaces an unspecified address with the loopback address of its family.
fn loopback_if_unspecified(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}
