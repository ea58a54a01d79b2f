use std::fmt;

/// The reason for which a login was refused, as an extension of the answer. It is for the log: clients are told less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedLogin(String);

impl RefusedLogin {
    /// Notes a reason.
    pub fn new(reason: impl fmt::Display) -> Self {
        Self(reason.to_string())
    }

    /// The reason, in a sentence without a full stop.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
