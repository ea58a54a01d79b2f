use crate::{Error, Fault};

/// How the store is.
#[derive(Clone, Debug, Default)]
pub struct Condition {
    /// Why the last write failed, until one goes well.
    pub failure: Option<Failure>,
    /// Why no content is taken, whether records can be written or not.
    pub content_failure: Option<Failure>,
    /// How many lines of the journal wait in memory for the disk to take them.
    pub held_lines: usize,
    /// How many lines there was no room for.
    pub lost_lines: u64,
    /// What is damaged, as far as it was looked at.
    pub damage: Vec<String>,
}

/// Why a write failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What the disk lacks, where that is known.
    pub fault: Option<Fault>,
    /// What failed, and on which file.
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
