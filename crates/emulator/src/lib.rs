//! The composition root: it joins the services into one emulator behind one port.
//!
//! A request comes through the `listener`, is told apart by its `host` and its path in `door`, and goes
//! to the registry's HTTP or to the `control` API. `chain` is the one place where the registry's way to
//! its key meets the vault: custody, managed identity, access decision, key version.

mod access_log;
mod body;
mod chain;
mod config;
mod control;
mod door;
mod error;
mod friendly_door;
mod hints;
mod host;
mod listener;
mod node;
mod offline;
mod origin;
mod quarantine;
mod ready_file;
mod remedy;
mod resource_manager;
mod secret;
mod seed;
mod serve;
mod service_key;
mod services;
mod storage;
mod timekeeping;
mod tls;
mod transfer_coding;
mod words;

pub use config::{Auth, Config, ConfigError, LogFormat, listen_address};
pub use error::{Error, SeedError};
pub use host::is_azures_own;
pub use listener::Protocol;
pub use node::Node;
pub use offline::{
    DisabledKey, OfflineFlags, OfflineVerification, Repaired, repair, verify_offline,
};
pub use remedy::{Place, Remedy};
pub use resource_manager::WriteCommand;
pub use secret::CONTROL_TOKEN_FILE;
pub use serve::{Flags, Ready, serve};
pub use tls::{LOCAL_CA_NAME, Tls, TlsError, fingerprint};
