use jiff::Timestamp;
use sealock_store::Quarantined;
use serde::Serialize;

/// A file in quarantine.
#[derive(Debug, Serialize)]
pub struct QuarantinedFile {
    /// Its path in the data directory before it was moved.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// The time of the move.
    pub since: Option<Timestamp>,
}

impl From<Quarantined> for QuarantinedFile {
    fn from(quarantined: Quarantined) -> Self {
        Self {
            since: Timestamp::from_second(quarantined.since).ok(),
            name: quarantined.name,
            bytes: quarantined.bytes,
        }
    }
}
