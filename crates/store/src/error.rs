use std::io;

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
