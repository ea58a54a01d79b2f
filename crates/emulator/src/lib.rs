//! The composition root, which joins the services into one emulator behind one port.
//!
//! The `listener` accepts connections. `routing` sends each request to the service that its host and path name: a
//! registry, a vault, Entra or the `control` API. `chain` connects a registry to its key in the vault: managed identity,
//! access decision, key version.

mod chain;
mod config;
mod control;
pub mod embedded;
mod error;
mod listener;
mod offline;
mod routing;
mod secrets;
mod services;
mod startup;
mod storage;
mod timekeeping;
mod tls;

pub use config::{Auth, Config, ConfigError, LogFormat, listen_address};
pub use embedded::Emulator;
pub use error::{Error, NamedDataDir, SeedError};
pub use listener::Protocol;
pub use offline::{
    DisabledKey, OfflineFlags, OfflineVerification, Repaired, repair, verify_offline,
};
pub use routing::host::is_azure_host;
pub use secrets::shared_secret::CONTROL_TOKEN_FILE;
pub use startup::{
    node::Node,
    remedy::Remedy,
    serve::{Flags, Ready, StopSignals, serve, serve_during},
};
pub use tls::{LOCAL_CA_NAME, Tls, TlsError, bundle, fingerprint};
