use std::path::Path;

use rustix::io::Errno;

/// The kind of an operation on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Create,
    Open,
    Rename,
    Remove,
    CreateDir,
    SyncDir,
    List,
    FreeBytes,
    Len,
    Read,
    Write,
    SetLen,
    Sync,
}

impl Kind {
    /// Returns true if the operation leaves the disk unchanged.
    pub(crate) fn is_read(self) -> bool {
        use Kind::{FreeBytes, Len, List, Open, Read};
        matches!(self, Open | List | FreeBytes | Len | Read)
    }
}

/// An operation on a disk.
#[derive(Debug)]
pub(crate) struct Operation<'a> {
    /// The number of operations before it.
    pub(crate) number: usize,
    pub(crate) kind: Kind,
    pub(crate) path: &'a Path,
}

/// A failure of an operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    pub(crate) errno: Errno,
    /// The number of bytes that a failing write writes.
    pub(crate) written: usize,
    /// True if a failing sync resets the file to its state at the last successful one.
    pub(crate) forgets: bool,
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self {
            errno,
            written: 0,
            forgets: false,
        }
    }
}
