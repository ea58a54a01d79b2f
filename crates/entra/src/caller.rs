use crate::Principal;

/// Who asks a service to do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Whoever uses the control API: the emulator's owner, who may do everything.
    Operator,
    /// A principal, which may do what it was permitted.
    Principal(Principal),
}
