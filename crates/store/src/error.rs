use std::{io, path::PathBuf};

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process has the data directory open.
    #[error(
        "the data directory {0} is in use by another sealock; stop that one, or choose another with --data-dir"
    )]
    InUse(String),
    /// The disk, with the path in the message.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The metadata database.
    #[error("metadata: {0}")]
    Metadata(#[from] sled::Error),
    /// An earlier write failed, so what is on disk is no longer known.
    #[error("an earlier write failed ({0}); restart the emulator")]
    Poisoned(String),
    /// A stored record does not parse.
    #[error("the stored record '{key}' is damaged: {why}")]
    Damaged {
        /// The record's key, its parts separated by slashes.
        key: String,
        /// What the parser says.
        why: String,
    },
    /// A record that the database would keep outside of the files that it syncs.
    #[error("the record '{key}' has {bytes} bytes, more than the {limit} that are stored safely")]
    RecordTooLarge {
        /// The record's key, its parts separated by slashes.
        key: String,
        /// The size of key and value.
        bytes: usize,
        /// The most there may be.
        limit: usize,
    },
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
    /// The data directory was written by a newer sealock.
    #[error(
        "the data directory {dir} has format {found}; this sealock knows formats up to {known}: use a newer one"
    )]
    TooNew {
        /// The data directory.
        dir: String,
        /// Its format.
        found: u32,
        /// The newest known format.
        known: u32,
    },
}

/// A result with the store's error.
pub type Result<T> = std::result::Result<T, Error>;
