use std::{io, path::PathBuf};

use rustix::io::Errno;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A stored record differs from what was written.
    #[error("the stored record '{key}' is damaged: {why}")]
    Damaged {
        /// The record's key, its parts separated by slashes.
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
        /// The file `format`, which the service key does not authenticate.
        format: PathBuf,
    },
    /// The data directory was used before, but its database or its file `format` is missing.
    #[error("the data directory {dir} was used, but {} is missing", .file.display())]
    Missing {
        /// The data directory.
        dir: String,
        /// The missing file.
        file: PathBuf,
    },
    /// The commit is done, but an object that it removes is still there. The next start removes the object.
    #[error(
        "the change is made, but a file that goes with it is still there until the next start: {0}"
    )]
    NotRemoved(#[source] Box<Error>),
    /// Neither the database nor a copy contains anything that the service key authenticates.
    #[error("nothing of the metadata in the data directory {0} can be restored")]
    NothingToRestore(String),
    /// Other changes came first time and again.
    #[error("other changes came before this one, again and again; try it again")]
    Overtaken,
    /// A record exceeds the size that every engine can hold.
    #[error("the record '{key}' has {bytes} bytes, more than the {limit} that are stored safely")]
    RecordTooLarge {
        /// The record's key, its parts separated by slashes.
        key: String,
        /// The size of key and value.
        bytes: usize,
        /// The most there may be.
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
        "{path} is closed to sealock: it belongs to uid {owner}, and sealock runs as uid {user}; as root: \
         chown -R {user} {dir}"
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
    /// The data directory, or a directory above it, is a file.
    #[error("the data directory {} cannot be used: {} is no directory", .dir.display(), .file.display())]
    NotADirectory {
        /// The data directory.
        dir: PathBuf,
        /// The file in its place, or in the place of a directory above it.
        file: PathBuf,
    },
    /// Another user owns the data directory, or something in it.
    #[error(
        "{path} belongs to another user: to uid {owner}, and sealock runs as uid {user}; remove it if it was \
         planted, or, if all in {dir} can be trusted, as root: chown -R {user} {dir}"
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
        "{path} belongs to another user: to uid {owner}, and sealock runs as uid {user}; if it holds what it \
         should, as root: chown {user} {path}"
    )]
    ForeignNamed {
        /// The file.
        path: PathBuf,
        /// The user id of the owner.
        owner: u32,
        /// The user id of the sealock process.
        user: u32,
    },
    /// A symbolic link in the data directory, which may lead out of it.
    #[error(
        "{path} is a link; the data directory itself may be one, but links inside of it are not followed: rm {path}"
    )]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// A thing of another kind in the place of a file.
    #[error("{path} is {what}, where a file has to be: rm {path}")]
    NotAFile {
        /// The path of the thing.
        path: PathBuf,
        /// The kind of the thing, as in "a socket".
        what: &'static str,
    },
    /// A file with a secret that everyone can write, so that anybody may have put it there.
    #[error(
        "everyone can write {path}, so what it holds may be anybody's; if it is what it should be: chmod o-w {path}"
    )]
    WritableByEveryone {
        /// The file.
        path: PathBuf,
    },
    /// The data directory was written by another version of sealock.
    #[error(
        "the data directory {dir} has format {found}, as {dir}/format says{unless}; this sealock knows format {known}: use the sealock that wrote it, or another directory",
        unless = if *.is_authentic { "" } else { ", unless that file is damaged" }
    )]
    UnknownFormat {
        /// The data directory.
        dir: String,
        /// Its format.
        found: u32,
        /// The known format.
        known: u32,
        /// True if the service key authenticates the file that names the format.
        is_authentic: bool,
    },
}

/// A fault of the disk, or of the limits of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No space is left.
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
            Self::Io(error) => fault(error),
            Self::NotRemoved(error) => error.fault(),
            _ => None,
        }
    }

    /// Returns true unless a commit that ended so has certainly written nothing.
    pub fn may_be_written(&self) -> bool {
        match self {
            Self::NotRemoved(_) => true,
            Self::Overtaken => false,
            error => !error.fault().is_some_and(Fault::took_nothing),
        }
    }

    pub(crate) fn damaged_file(file: impl Into<PathBuf>, why: impl Into<String>) -> Self {
        Self::DamagedFile {
            file: file.into(),
            why: why.into(),
        }
    }

    /// Copies the error, for each of the commits that waited for one write.
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

/// Copies an I/O error together with its fault.
pub(crate) fn share(error: &io::Error) -> io::Error {
    match fault(error) {
        Some(fault) => io::Error::new(fault.kind(), SharedFault(fault, error.to_string())),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// A fault that is reported to several requests.
#[derive(Debug, thiserror::Error)]
#[error("{1}")]
struct SharedFault(Fault, String);

impl Fault {
    /// Returns true if a write with this fault has certainly changed nothing. The effect of any other failed write is
    /// unknown.
    fn took_nothing(self) -> bool {
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

/// Returns the fault behind the error of a file operation, if there is one.
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

/// A result, by default with the store's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;
