use std::{io, path::PathBuf};

use rustix::io::Errno;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A stored record is not what was written.
    #[error("the stored record '{key}' is damaged: {why}")]
    Damaged {
        /// The record's key, its parts separated by slashes.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file of the data directory is not what was written.
    #[error("{} is damaged: {why}", .file.display())]
    DamagedFile {
        /// The file.
        file: PathBuf,
        /// What is wrong with it, and from where on.
        why: String,
    },
    /// The data directory is another engine's.
    #[error("the data directory {dir} was written with store.engine = \"{found}\"")]
    EngineDiffers {
        /// The data directory.
        dir: String,
        /// The engine that wrote it.
        found: String,
    },
    /// Another process has the data directory open.
    #[error(
        "the data directory {0} is in use by another sealock; stop that one, or choose another with --data-dir"
    )]
    InUse(String),
    /// The disk, with the path in the message.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The service key and the data directory do not belong together.
    #[error(
        "the service key is not the one that the data directory was written with, or {} is damaged",
        .format.display()
    )]
    KeyForeign {
        /// The file that says so.
        format: PathBuf,
    },
    /// A data directory that was used has no database any more.
    #[error("the data directory {dir} was used, but {} is missing", .file.display())]
    Missing {
        /// The data directory.
        dir: String,
        /// What is missing.
        file: PathBuf,
    },
    /// Neither database nor copies have anything that the service key authenticates.
    #[error("nothing of the metadata in the data directory {0} can be restored")]
    NothingToRestore(String),
    /// A record that is larger than every engine can hold.
    #[error("the record '{key}' has {bytes} bytes, more than the {limit} that are stored safely")]
    RecordTooLarge {
        /// The record's key, its parts separated by slashes.
        key: String,
        /// The size of key and value.
        bytes: usize,
        /// The most there may be.
        limit: usize,
    },
    /// A repair was begun and not finished.
    #[error("the repair of the data directory {0} was not finished")]
    RepairUnfinished(String),
    /// The emulator is stopping.
    #[error("the store is closed")]
    Closed,
    /// The system keeps its user from a part of the data directory.
    #[error(
        "{path} is closed to sealock: it belongs to uid {owner}, and sealock runs as uid {user}; as root: \
         chown -R {user} {dir}"
    )]
    Denied {
        /// The file or directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who runs sealock.
        user: u32,
        /// The directory in which there may be more of that kind.
        dir: PathBuf,
    },
    /// Another user put something into the data directory, or made it.
    #[error(
        "{path} belongs to another user: to uid {owner}, and sealock runs as uid {user}; remove it if it was \
         planted, or, if all in {dir} can be trusted, as root: chown -R {user} {dir}"
    )]
    ForeignFile {
        /// The file or directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who runs sealock.
        user: u32,
        /// The directory in which there may be more of that user's.
        dir: PathBuf,
    },
    /// A file that the user named is another user's.
    #[error(
        "{path} belongs to another user: to uid {owner}, and sealock runs as uid {user}; if it holds what it \
         should, as root: chown {user} {path}"
    )]
    ForeignNamed {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who runs sealock.
        user: u32,
    },
    /// A link that leads out of the data directory.
    #[error(
        "{path} is a link; the data directory itself may be one, but links inside of it are not followed: rm {path}"
    )]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// Something in a file's place.
    #[error("{path} is {what}, where a file has to be: rm {path}")]
    NotAFile {
        /// The thing.
        path: PathBuf,
        /// What kind of thing it is.
        what: &'static str,
    },
    /// A file with a secret that anybody may have put there.
    #[error(
        "everyone can write {path}, so what it holds may be anybody's; if it is what it should be: chmod o-w {path}"
    )]
    WritableByEveryone {
        /// The file.
        path: PathBuf,
    },
    /// The data directory was written by another version of sealock.
    #[error(
        "the data directory {dir} has format {found}, as {dir}/format says; this sealock knows format {known}: use the sealock that wrote it, or another directory"
    )]
    UnknownFormat {
        /// The data directory.
        dir: String,
        /// Its format.
        found: String,
        /// The known format.
        known: u32,
    },
}

/// What the disk lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No room.
    #[error("no space is left on the disk of the data directory")]
    Full,
    /// The disk takes no writes.
    #[error("the disk of the data directory is read-only")]
    ReadOnly,
    /// The disk fails.
    #[error("the disk of the data directory fails")]
    Failing,
    /// The process has as many files open as it may.
    #[error("too many files are open")]
    TooManyFiles,
}

impl Error {
    /// Whether the data directory is not what was written, or not all of it.
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Self::Damaged { .. }
                | Self::DamagedFile { .. }
                | Self::EngineDiffers { .. }
                | Self::Missing { .. }
                | Self::NothingToRestore(_)
                | Self::RepairUnfinished(_)
                | Self::UnknownFormat { .. }
        )
    }

    /// What the disk lacks, if it is the disk's fault.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::Io(error) => fault(error),
            _ => None,
        }
    }

    pub(crate) fn damaged_file(file: impl Into<PathBuf>, why: impl Into<String>) -> Self {
        Self::DamagedFile {
            file: file.into(),
            why: why.into(),
        }
    }

    /// The same error for each of several that waited for one write.
    pub(crate) fn share(&self) -> Self {
        match self {
            Self::Io(error) => Self::Io(share(error)),
            Self::Damaged { key, why } => Self::Damaged {
                key: key.clone(),
                why: why.clone(),
            },
            Self::DamagedFile { file, why } => Self::DamagedFile {
                file: file.clone(),
                why: why.clone(),
            },
            other => Self::Io(io::Error::other(other.to_string())),
        }
    }
}

/// The same error again.
pub(crate) fn share(error: &io::Error) -> io::Error {
    match fault(error) {
        Some(fault) => io::Error::new(fault.kind(), SharedFault(fault, error.to_string())),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// A fault that several requests are told of.
#[derive(Debug, thiserror::Error)]
#[error("{1}")]
struct SharedFault(Fault, String);

impl Fault {
    /// Whether a write that met it has surely changed nothing. What becomes of one that fails otherwise, nobody knows.
    pub fn took_nothing(self) -> bool {
        self != Self::Failing
    }

    fn kind(self) -> io::ErrorKind {
        match self {
            Self::Full => io::ErrorKind::StorageFull,
            Self::ReadOnly => io::ErrorKind::ReadOnlyFilesystem,
            Self::Failing | Self::TooManyFiles => io::ErrorKind::Other,
        }
    }
}

/// What the disk lacks, as an operation on a file tells.
pub fn fault(error: &io::Error) -> Option<Fault> {
    use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    if let Some(SharedFault(fault, _)) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
        return Some(*fault);
    }
    match error.kind() {
        StorageFull | QuotaExceeded => return Some(Fault::Full),
        ReadOnlyFilesystem => return Some(Fault::ReadOnly),
        _ => {}
    }
    let mut number = error.raw_os_error();
    let mut source = error.get_ref().and_then(|inner| inner.source());
    while let (None, Some(inner)) = (number, source) {
        number = inner.downcast_ref().and_then(io::Error::raw_os_error);
        source = inner.source();
    }
    match Errno::from_raw_os_error(number?) {
        Errno::MFILE | Errno::NFILE => Some(Fault::TooManyFiles),
        Errno::IO => Some(Fault::Failing),
        _ => None,
    }
}

/// A result with the store's error.
pub type Result<T> = std::result::Result<T, Error>;
