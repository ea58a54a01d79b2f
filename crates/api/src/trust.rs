use std::{net::IpAddr, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The files with the certificates that a client has to trust, and the names that they are for. Each file is null if
/// everything is in memory.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TrustFiles {
    /// The emulator's CA.
    pub ca: Option<PathBuf>,
    /// The system's roots and the emulator's CA.
    pub bundle: Option<PathBuf>,
    /// The CA of Azure's own names. Null if they are not served.
    pub azure_ca: Option<PathBuf>,
    /// The names and ports at which clients find registries.
    pub registry_hosts: Vec<String>,
}

/// The names under which clients look for the emulator's services.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Hosts {
    /// The address at which this machine reaches the emulator.
    pub address: IpAddr,
    /// The names, without port.
    pub hosts: Vec<String>,
    /// The names of the same services in Azure.
    pub azure_hosts: Vec<String>,
}
