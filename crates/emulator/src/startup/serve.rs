use std::{
    io::{self, IsTerminal as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sealock_api::{Environment, PendingPurge, Problem, Registry};
use sealock_core::RegistryName;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::{instance::Instance, ready_file, running::Running};
use crate::{Auth, Config, Error, LogFormat, control, storage::Storage, tls::Trust};

/// The default filter of the log. h2 warns about each client that exceeds a limit, which any client can do.
const LOG_FILTER: &str = "warn,sealock=info,h2=error";

/// The default filter of the log beside another program's output.
const QUIET_LOG_FILTER: &str = "warn,h2=error";

/// The interval between attempts to write the ready file while the disk refuses it.
const READY_FILE_INTERVAL: Duration = Duration::from_secs(1);

/// The time for which blocking tasks may delay the end of the process.
const BLOCKING_LIMIT: Duration = Duration::from_millis(500);

/// The flags of the command line. They override the configuration.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// The configuration file, instead of the built-in quickstart.
    pub config: Option<PathBuf>,
    /// The addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// The data directory.
    pub data_dir: Option<PathBuf>,
    /// True to keep everything in memory.
    pub ephemeral: bool,
    /// The file to write once requests are served.
    pub ready_file: Option<PathBuf>,
    /// The host name at which clients reach the emulator, with an optional port.
    pub public_name: Option<String>,
    /// The format of log lines.
    pub log_format: Option<LogFormat>,
}

/// An emulator that serves requests.
#[derive(Debug)]
pub struct Ready {
    /// The address at which this machine reaches it.
    pub address: SocketAddr,
    /// The authentication at the friendly door.
    pub auth: Auth,
    /// The data directory. `None` if everything is in memory.
    pub data_dir: Option<PathBuf>,
    /// The file of the CA. `None` if everything is in memory.
    pub ca_file: Option<PathBuf>,
    /// The SHA-256 fingerprint of the CA.
    pub ca_fingerprint: String,
    /// The CA, in PEM.
    pub ca_pem: Arc<str>,
    /// The system's roots and the CA, in PEM.
    pub bundle_pem: Arc<str>,
    /// The endpoints for clients of Azure, and the developer's login.
    pub environment: Result<Environment, Problem>,
    /// The name of the default registry.
    pub default_registry: RegistryName,
    /// The default registry.
    pub registry: Result<Registry, Problem>,
    /// The state of the store.
    pub storage: sealock_api::Storage,
    /// The pending purges.
    pub pending_purges: Result<Vec<PendingPurge>, Problem>,
}

/// The signals that stop an emulator: SIGTERM, and SIGINT from ctrl-c.
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for one of the signals.
    pub async fn recv(&mut self) -> SignalKind {
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
        }
    }
}

/// Runs an emulator until SIGTERM or ctrl-c. Calls `on_ready` once it serves requests.
///
/// # Errors
/// The emulator cannot start. [`Error::remedy`] suggests what to do.
pub fn serve(flags: Flags, on_ready: impl FnOnce(Ready)) -> Result<(), Error> {
    let until_signal = async |ready, signals: &mut StopSignals| {
        on_ready(ready);
        signals.recv().await;
    };
    run_until(flags, LOG_FILTER, until_signal).map(|_| ())
}

/// Runs an emulator for the duration of `work`, which starts once requests are served and receives the signals from then on.
/// Logs warnings and errors only, and returns what `work` returns. `None` if a signal stopped the emulator before.
///
/// # Errors
/// The emulator cannot start. [`Error::remedy`] suggests what to do.
pub fn serve_during<T>(
    flags: Flags,
    work: impl AsyncFnOnce(Ready, &mut StopSignals) -> T,
) -> Result<Option<T>, Error> {
    run_until(flags, QUIET_LOG_FILTER, work)
}

fn run_until<T>(
    flags: Flags,
    log_filter: &str,
    work: impl AsyncFnOnce(Ready, &mut StopSignals) -> T,
) -> Result<Option<T>, Error> {
    let mut config = Config::load(flags.config.as_deref(), environment())?;
    if !flags.listen.is_empty() {
        config.server.listen = flags.listen;
    }
    if let Some(data_dir) = flags.data_dir {
        config.server.data_dir = data_dir;
        config.server.ephemeral = false;
    }
    config.server.ephemeral |= flags.ephemeral;
    if flags.public_name.is_some() {
        config.server.public_name = flags.public_name;
    }
    log_to_stderr(flags.log_format.unwrap_or(config.log.format), log_filter);

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let config_file = flags.config.as_deref();
    let run = run(config, config_file, flags.ready_file, work);
    let result = runtime.block_on(run);
    runtime.shutdown_timeout(BLOCKING_LIMIT);
    result
}

async fn run<T>(
    config: Config,
    config_file: Option<&Path>,
    ready_file: Option<PathBuf>,
    work: impl AsyncFnOnce(Ready, &mut StopSignals) -> T,
) -> Result<Option<T>, Error> {
    // Comes first, so that a signal during the start already ends the emulator in order.
    let mut signals = StopSignals::listen()?;

    if let Some(path) = &ready_file {
        // A killed process may have left one.
        ready_file::remove(path);
    }
    let mut running = Running::start(config, config_file).await?;
    let seeded = tokio::select! {
        seeded = running.seeded() => Some(seeded),
        // The next start creates the rest.
        _ = signals.recv() => None,
    };
    match seeded {
        Some(Ok(())) => {}
        Some(Err(error)) => {
            running.stop().await;
            return Err(error);
        }
        None => {
            running.stop().await;
            return Ok(None);
        }
    }
    if let Some(path) = &ready_file {
        let Instance {
            trust, shutdown, ..
        } = &*running.instance;
        write_ready_file(path, running.address, trust, shutdown)?;
    }
    let ready = ready(&running).await;
    let done = work(ready, &mut signals).await;
    tracing::info!("stopping");
    running.stop().await;
    if let Some(path) = &ready_file {
        ready_file::remove(path);
    }
    Ok(Some(done))
}

/// Describes an emulator that serves requests.
async fn ready(running: &Running) -> Ready {
    let Running {
        address,
        instance,
        data_dir,
        ..
    } = running;
    let (trust, services) = (&instance.trust, &instance.services());
    Storage::check(&services.store).await.log();
    Ready {
        address: *address,
        auth: instance.config.server.auth,
        data_dir: data_dir.as_ref().map(|dir| dir.path().to_owned()),
        ca_file: trust.files.as_ref().map(|files| files.ca.clone()),
        ca_fingerprint: trust.ca_fingerprint.clone(),
        ca_pem: Arc::clone(&trust.ca_pem),
        bundle_pem: Arc::clone(&trust.bundle_pem),
        environment: control::environment(services, &instance.friendly_door).await,
        default_registry: services.default_registry.clone(),
        registry: control::default_registry(services).await,
        storage: control::storage(services).await,
        pending_purges: control::pending_purges(services).await,
    }
}

/// Writes the ready file, now or as soon as the disk accepts it.
fn write_ready_file(
    path: &Path,
    address: SocketAddr,
    trust: &Trust,
    shutdown: &CancellationToken,
) -> Result<(), Error> {
    match ready_file::write(path, address, trust) {
        Err(error) if error.fault().is_some() => {
            tracing::error!(%error, "cannot write the ready file yet");
        }
        written => return written,
    }
    let (path, trust, shutdown) = (path.to_owned(), trust.clone(), shutdown.clone());
    tokio::spawn(async move {
        let mut attempts = tokio::time::interval(READY_FILE_INTERVAL);
        while shutdown
            .run_until_cancelled(attempts.tick())
            .await
            .is_some()
            && ready_file::write(&path, address, &trust).is_err()
        {}
    });
    Ok(())
}

pub(crate) fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn log_to_stderr(format: LogFormat, filter: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(filter));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    match format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().flatten_event(true).init(),
    }
}
