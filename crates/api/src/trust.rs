use std::{net::IpAddr, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The certificate files for clients, and the hosts that need them. The files are null if the emulator keeps everything in
/// memory.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TrustFiles {
    /// The emulator's CA.
    pub ca: Option<PathBuf>,
    /// The system's root certificates and the emulator's CA.
    pub bundle: Option<PathBuf>,
    /// The CA for Azure's host names. Null if they are not served.
    pub azure_ca: Option<PathBuf>,
    /// The host names and ports of registries.
    pub registry_hosts: Vec<String>,
}

/// The host names of the emulator's services.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Hosts {
    /// The address at which this machine reaches the emulator.
    pub address: IpAddr,
    /// The host names, without ports.
    pub hosts: Vec<String>,
    /// The host names of the same services in Azure.
    pub azure_hosts: Vec<String>,
}
