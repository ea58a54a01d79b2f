use crate::{Error, Fault};

/// The condition of the store.
#[derive(Clone, Debug, Default)]
pub struct Condition {
    /// The reason for the last failed write; the next good write clears it.
    pub failure: Option<Failure>,
    /// The reason why no content is taken, whether or not records can be written.
    pub content_failure: Option<Failure>,
    /// The number of journal lines that wait in memory for the disk to take them.
    pub held_lines: usize,
    /// The number of lines that were lost for lack of room.
    pub lost_lines: u64,
    /// The damage found so far, one sentence each.
    pub damage: Vec<String>,
}

/// The reason for a failed write.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The fault of the disk, if it is known.
    pub fault: Option<Fault>,
    /// A description of the failure and its file.
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
