use std::{io, path::PathBuf};

use ureq::http::StatusCode;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The emulator refused, or what it found is bad news.
    #[error("{message}")]
    Failed {
        message: String,
        hint: Option<String>,
    },
    /// Nothing listens where an emulator was expected.
    #[error("no emulator answers at {0}")]
    NoEmulator(String),
    /// Something else answers there.
    #[error("what answers at {0} is no Sealock")]
    NoSealock(String),
    /// The process at the port may be another one, so the token was not shown.
    #[error(
        "what answers at {emulator} does not prove that it is the emulator of {}, so it was not shown the control API's \
         token, nor asked anything: {why}", ca.display()
    )]
    Unproven {
        emulator: String,
        ca: PathBuf,
        why: String,
    },
    /// There was no answer, or not all of it.
    #[error("{request} failed: {why}")]
    Incomplete { request: String, why: String },
    /// An answer that the control API does not give.
    #[error("{request} answered {status} with something unexpected ({why}): {excerpt}")]
    Unexpected {
        request: String,
        status: StatusCode,
        why: String,
        excerpt: String,
    },
    /// The output could not be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
}

impl Error {
    /// What the system refused when it was asked to change one of its files.
    pub(crate) fn system(error: &io::Error) -> Self {
        let is_permission = error.kind() == io::ErrorKind::PermissionDenied;
        Self::Failed {
            message: error.to_string(),
            hint: is_permission.then(|| "run it with sudo".to_owned()),
        }
    }

    /// What to do next, if that is known.
    pub(crate) fn hint(&self) -> Option<&str> {
        match self {
            Self::Failed { hint, .. } => hint.as_deref(),
            Self::NoEmulator(_) => Some(
                "start one with: sealock serve; or name it with --emulator http://localhost:PORT",
            ),
            Self::NoSealock(_) => Some(
                "start one on another port with: sealock serve --listen 127.0.0.1:5001; \
                 and name it with --emulator http://localhost:PORT",
            ),
            Self::Unproven { .. } => Some(
                "find out which process has that port; if it is another emulator of yours, run the command where the data \
                 directory of that one lies, or name the file of its token: SEALOCK_CONTROL_TOKEN_FILE=PATH",
            ),
            Self::Unexpected { .. } => {
                Some("is that an emulator of this version? name another one with --emulator")
            }
            Self::Incomplete { .. } | Self::Output(_) => None,
        }
    }

    /// The same error, with the commands that it tells of mapped.
    pub(crate) fn map_commands(self, commands: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Failed { message, hint } => Self::Failed {
                message: commands(&message),
                hint: hint.map(|hint| commands(&hint)),
            },
            error => error,
        }
    }

    /// The same error, for who wants no more than to be rid of what it says is missing.
    pub(crate) fn without_creation(self) -> Self {
        match self {
            Self::Failed {
                message,
                hint: Some(hint),
            } => {
                let hint = match hint.split_once("; create it with: ") {
                    Some((before, _)) => before.to_owned(),
                    None => hint,
                };
                Self::Failed {
                    message,
                    hint: Some(hint),
                }
            }
            error => error,
        }
    }

    /// Whether the reader of the output went away.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
