use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Time;

/// The files in quarantine, or those just removed from it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Quarantine {
    /// The files.
    pub files: Vec<QuarantinedFile>,
    /// Their total length in bytes.
    pub bytes: u64,
}

/// A file in quarantine.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct QuarantinedFile {
    /// Its former path in the data directory.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// The time of the move.
    pub since: Option<Time>,
}

/// The size of the quarantine.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct QuarantineSize {
    /// The number of files.
    pub files: u64,
    /// Their total length in bytes.
    pub bytes: u64,
    /// The time at which the first of them was moved.
    pub since: Option<Time>,
}
