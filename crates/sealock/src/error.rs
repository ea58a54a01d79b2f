use std::{io, path::PathBuf};

use sealock_api::{Hint, Problem, UnknownWord};
use ureq::http::StatusCode;

use crate::commands::Commands;

/// The reason for which a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The emulator refused.
    #[error("{}", problem.detail)]
    Refused {
        problem: Box<Problem>,
        commands: Commands,
    },
    /// The command cannot be carried out, or what it found is bad news.
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
    /// Turns the system's refusal to change one of its files into an error.
    pub(crate) fn system(error: &io::Error) -> Self {
        let is_permission = error.kind() == io::ErrorKind::PermissionDenied;
        Self::Failed {
            message: error.to_string(),
            hint: is_permission.then(|| "run it with sudo".to_owned()),
        }
    }

    /// Says what to do next, if that is known.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Refused { problem, commands } => return commands.sentence(&problem.hints),
            Self::Failed { hint, .. } => return hint.clone(),
            Self::NoEmulator(_) => {
                "start one with: sealock serve; or name it with --emulator http://localhost:PORT"
            }
            Self::NoSealock(_) => {
                "start one on another port with: sealock serve --listen 127.0.0.1:5001; \
                 and name it with --emulator http://localhost:PORT"
            }
            Self::Unproven { .. } => {
                "find out which process has that port; if it is another emulator of yours, run the command where the data \
                 directory of that one lies, or name the file of its token: SEALOCK_CONTROL_TOKEN_FILE=PATH"
            }
            Self::Unexpected { .. } => {
                "is that an emulator of this version? name another one with --emulator"
            }
            Self::Incomplete { .. } | Self::Output(_) => return None,
        };
        Some(hint.to_owned())
    }

    /// The same error, for who wants no more than to be rid of what it says is missing.
    pub(crate) fn without_creation(mut self) -> Self {
        if let Self::Refused { problem, .. } = &mut self {
            problem.hints.retain(|hint| {
                !matches!(
                    hint,
                    Hint::CreateApplication { .. } | Hint::CreateIdentity { .. }
                )
            });
        }
        self
    }

    /// Returns true if the reader of the output went away.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl From<UnknownWord> for Error {
    fn from(error: UnknownWord) -> Self {
        Self::Failed {
            message: error.to_string(),
            hint: None,
        }
    }
}
