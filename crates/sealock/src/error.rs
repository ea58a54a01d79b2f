use std::{io, path::PathBuf, process::ExitCode};

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
    /// A registry is revoked, as was just shown.
    #[error("a registry is revoked")]
    Revoked,
}

/// The exit code of `sealock status` while a registry is revoked. clap has 2.
const REVOKED: u8 = 3;

impl Error {
    /// Turns the system's refusal to change one of its files into an error.
    pub(crate) fn system(error: &io::Error) -> Self {
        // A program that was run says in words alone that it may not.
        let is_permission = matches!(
            error.kind(),
            io::ErrorKind::PermissionDenied | io::ErrorKind::Other
        );
        let needs_sudo = is_permission && !rustix::process::geteuid().is_root();
        Self::Failed {
            message: error.to_string(),
            hint: needs_sudo.then(|| "run it with sudo".to_owned()),
        }
    }

    /// Makes an error without a hint.
    #[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
    pub(crate) fn failed(message: impl ToString) -> Self {
        Self::Failed {
            message: message.to_string(),
            hint: None,
        }
    }

    /// Refuses what cannot be undone and what nobody agreed to.
    pub(crate) fn unconfirmed(consequence: &str) -> Self {
        Self::Failed {
            message: format!("{consequence}, and that cannot be undone"),
            hint: Some("if that is what you want, say it with: --yes".to_owned()),
        }
    }

    /// Returns the exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Revoked => ExitCode::from(REVOKED),
            _ => ExitCode::FAILURE,
        }
    }

    /// Returns the sentence to print. `None` if the output says it already.
    pub(crate) fn message(&self) -> Option<String> {
        match self {
            Self::Revoked => None,
            error => Some(error.to_string()),
        }
    }

    /// Returns the error as the control API would write it. `None` if the output says it already.
    pub(crate) fn problem(&self) -> Option<Problem> {
        if let Self::Refused { problem, .. } = self {
            return Some((**problem).clone());
        }
        let detail = self.message()?;
        let hints = self.hint().map(|text| Hint::Advice { text });
        let hints = hints.into_iter().collect();
        let (status, code) = match self {
            Self::NoEmulator(_) => (StatusCode::SERVICE_UNAVAILABLE, "NoEmulator"),
            Self::NoSealock(_) => (StatusCode::BAD_GATEWAY, "NoSealock"),
            Self::Unproven { .. } => (StatusCode::BAD_GATEWAY, "Unproven"),
            Self::Incomplete { .. } => (StatusCode::BAD_GATEWAY, "Incomplete"),
            Self::Unexpected { .. } => (StatusCode::BAD_GATEWAY, "Unexpected"),
            _ => (StatusCode::BAD_REQUEST, "Failed"),
        };
        Some(Problem::new(status, code, detail, hints))
    }

    /// Says what to do next, if that is known.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Refused { problem, commands } => return commands.advice(problem),
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
            Self::Incomplete { .. } | Self::Output(_) | Self::Revoked => return None,
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
        Self::failed(error)
    }
}
