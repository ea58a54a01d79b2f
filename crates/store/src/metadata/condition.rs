use crate::{Error, Fault};

/// The condition of the store.
#[derive(Clone, Debug, Default)]
pub struct Condition {
    /// The last failed write. The next successful write clears it.
    pub failure: Option<Failure>,
    /// The reason why content cannot be written, whether or not records can.
    pub content_failure: Option<Failure>,
    /// The number of journal lines held in memory until the disk accepts them.
    pub held_lines: usize,
    /// The number of journal lines lost because too many were held.
    pub lost_lines: u64,
    /// The damage found so far, one sentence each.
    pub damage: Vec<String>,
}

/// A failed write.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The fault of the disk, if it is known.
    pub fault: Option<Fault>,
    /// A description of the failure, with its file.
    pub what: String,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self {
            fault: error.fault(),
            what: error.to_string(),
        }
    }
}
