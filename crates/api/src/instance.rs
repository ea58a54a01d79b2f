use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The public name, under which the emulator shows its URLs.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublicName {
    /// `HOST` or `HOST:PORT`, where the host is one that the emulator serves. Without a port, the port stays.
    pub public_name: String,
}
