use std::{io, path::PathBuf};

use rustix::io::Errno;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A stored record differs from what was written.
    #[error("the stored record '{key}' is damaged: {why}")]
    Damaged {
        /// The record's key, its segments separated by slashes.
        key: String,
        /// A description of the damage.
        why: String,
    },
    /// A file of the data directory differs from what was written.
    #[error("{} is damaged: {why}", .file.display())]
    DamagedFile {
        /// The file.
        file: PathBuf,
        /// A description of the damage, and its position.
        why: String,
    },
    /// Another engine wrote the data directory.
    #[error("the data directory {dir} was written with store.engine = \"{found}\"")]
    EngineDiffers {
        /// The data directory.
        dir: String,
        /// The engine that wrote it.
        found: String,
    },
    /// Another process uses the data directory.
    #[error(
        "the data directory {0} is in use by another sealock; stop that one, or choose another directory with --data-dir"
    )]
    InUse(String),
    /// A failure of the disk. The message names the file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The service key and the data directory do not belong together.
    #[error("the data directory was written with another service key, or {} is damaged", .format.display())]
    KeyForeign {
        /// The file `format`, which the service key does not authenticate.
        format: PathBuf,
    },
    /// The data directory was used before, but its database or its file `format` is missing.
    #[error("the data directory {dir} was used before, but {} is missing", .file.display())]
    Missing {
        /// The data directory.
        dir: String,
        /// The missing file.
        file: PathBuf,
    },
    /// The commit is done, but an object that it removes could not be removed. The next start removes the object.
    #[error("the change is done, but a file that it removes will stay until the next start: {0}")]
    NotRemoved(#[source] Box<Error>),
    /// Neither the database nor any copy contains a record that the service key authenticates.
    #[error("no metadata in the data directory {0} can be restored")]
    NothingToRestore(String),
    /// Other commits kept changing the records that an update read.
    #[error("other changes kept overtaking this one; try again")]
    Overtaken,
    /// A record exceeds the size that every engine can hold.
    #[error("the record '{key}' has {bytes} bytes; the limit is {limit}")]
    RecordTooLarge {
        /// The record's key, its segments separated by slashes.
        key: String,
        /// The size of key and value.
        bytes: usize,
        /// The maximum size.
        limit: usize,
    },
    /// A repair was started but not finished.
    #[error("the repair of the data directory {0} was not finished")]
    RepairUnfinished(String),
    /// The emulator is stopping.
    #[error("the store is closed")]
    Closed,
    /// The user of this process has no access to a part of the data directory.
    #[error(
        "sealock has no access to {path}: it belongs to uid {owner}, and sealock runs as uid {user}; to hand it over, \
         run as root: chown -R {user} {dir}"
    )]
    Denied {
        /// The file or directory.
        path: PathBuf,
        /// The user id of the owner.
        owner: u32,
        /// The user id of the sealock process.
        user: u32,
        /// The directory that may contain more such files.
        dir: PathBuf,
    },
    /// The data directory or one of its parents is a file.
    #[error("the data directory {} cannot be used: {} is not a directory", .dir.display(), .file.display())]
    NotADirectory {
        /// The data directory.
        dir: PathBuf,
        /// The file that stands in place of the directory or its parent.
        file: PathBuf,
    },
    /// Another user owns the data directory, or something in it.
    #[error(
        "{path} belongs to another user: its owner is uid {owner}, and sealock runs as uid {user}; remove it if someone \
         planted it, or, if you trust everything in {dir}, run as root: chown -R {user} {dir}"
    )]
    ForeignFile {
        /// The file or directory.
        path: PathBuf,
        /// The user id of the owner.
        owner: u32,
        /// The user id of the sealock process.
        user: u32,
        /// The directory that may contain more files of that user.
        dir: PathBuf,
    },
    /// A file that the user named belongs to another user.
    #[error(
        "{path} belongs to another user: its owner is uid {owner}, and sealock runs as uid {user}; if you trust its \
         content, run as root: chown {user} {path}"
    )]
    ForeignNamed {
        /// The file.
        path: PathBuf,
        /// The user id of the owner.
        owner: u32,
        /// The user id of the sealock process.
        user: u32,
    },
    /// A symbolic link in the data directory. It may lead out of the directory.
    #[error(
        "{path} is a link; the data directory may be a link, but links inside it are not followed: rm {path}"
    )]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// Something that is neither a file nor a directory, such as a socket.
    #[error("{path} is {what}, but must be a file: rm {path}")]
    NotAFile {
        /// Its path.
        path: PathBuf,
        /// Its kind, with an article: "a socket".
        what: &'static str,
    },
    /// A file with a secret that everyone can write: anyone may have put the secret there.
    #[error(
        "everyone can write {path}, so anyone may have changed it; if its content is right: chmod o-w {path}"
    )]
    WritableByEveryone {
        /// The file.
        path: PathBuf,
    },
    /// The data directory has the format of another version of sealock.
    #[error(
        "the data directory {dir} has format {found}, according to {dir}/format{unless}; this sealock reads format \
         {known}: use the sealock that wrote it, or another directory",
        unless = if *.is_authentic { "" } else { " (unless that file is damaged)" }
    )]
    UnknownFormat {
        /// The data directory.
        dir: String,
        /// Its format.
        found: u32,
        /// The format that this version reads.
        known: u32,
        /// True if the service key authenticates the file `format`.
        is_authentic: bool,
    },
}

/// A fault of the disk, or of the limits of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The disk is full.
    #[error("no space is left on the disk of the data directory")]
    Full,
    /// The disk is read-only.
    #[error("the disk of the data directory is read-only")]
    ReadOnly,
    /// The disk fails.
    #[error("the disk of the data directory fails")]
    Failing,
    /// The process has reached its limit of open files.
    #[error("too many files are open")]
    TooManyFiles,
}

impl Error {
    /// Returns true if the content of the data directory is damaged or incomplete.
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

    /// Returns the fault of the disk that caused this error, if one did.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::Io(error) => Fault::of(error),
            Self::NotRemoved(error) => error.fault(),
            _ => None,
        }
    }

    /// Returns true if a commit that failed with this error may have written something.
    pub fn may_be_written(&self) -> bool {
        match self {
            Self::NotRemoved(_) => true,
            Self::Overtaken => false,
            error => !error.fault().is_some_and(Fault::wrote_nothing),
        }
    }

    pub(crate) fn damaged_file(file: impl Into<PathBuf>, why: impl Into<String>) -> Self {
        Self::DamagedFile {
            file: file.into(),
            why: why.into(),
        }
    }

    /// Copies the error for each commit that awaited the same write.
    pub(crate) fn duplicate(&self) -> Self {
        match self {
            Self::Io(error) => Self::Io(duplicate(error)),
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

/// Copies an I/O error together with its fault.
pub(crate) fn duplicate(error: &io::Error) -> io::Error {
    match Fault::of(error) {
        Some(fault) => io::Error::new(fault.kind(), SharedFault(fault, error.to_string())),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// A fault reported to several requests, with its message.
#[derive(Debug, thiserror::Error)]
#[error("{1}")]
struct SharedFault(Fault, String);

impl Fault {
    /// Returns the fault that caused an I/O error, or `None` if another problem did.
    pub fn of(error: &io::Error) -> Option<Self> {
        use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        if let Some(SharedFault(fault, _)) = error.get_ref().and_then(|inner| inner.downcast_ref())
        {
            return Some(*fault);
        }
        match error.kind() {
            StorageFull | QuotaExceeded => return Some(Self::Full),
            ReadOnlyFilesystem => return Some(Self::ReadOnly),
            _ => {}
        }
        let mut number = error.raw_os_error();
        let mut source = error.get_ref().and_then(|inner| inner.source());
        while let (None, Some(inner)) = (number, source) {
            number = inner.downcast_ref().and_then(io::Error::raw_os_error);
            source = inner.source();
        }
        match Errno::from_raw_os_error(number?) {
            Errno::MFILE | Errno::NFILE => Some(Self::TooManyFiles),
            Errno::IO => Some(Self::Failing),
            _ => None,
        }
    }

    /// Returns true if a write with this fault has certainly changed nothing. The effect of any other failed write is
    /// unknown.
    fn wrote_nothing(self) -> bool {
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

/// A result, by default with the store's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;
