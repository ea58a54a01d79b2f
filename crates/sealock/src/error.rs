use std::{io, path::PathBuf, process::ExitCode};

use sealock_api::{Hint, Problem, UnknownWord};
use ureq::http::StatusCode;

use crate::commands::Commands;

/// The failure of a command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The emulator refused the request.
    #[error("{}", problem.detail)]
    Refused {
        problem: Box<Problem>,
        commands: Commands,
    },
    /// The command could not do its work, or found problems.
    #[error("{message}")]
    Failed {
        message: String,
        hint: Option<String>,
    },
    /// Nothing listens at the emulator's address.
    #[error("no emulator answers at {0}")]
    NoEmulator(String),
    /// Another program listens at the emulator's address.
    #[error("the server at {0} is not Sealock")]
    NoSealock(String),
    /// The server may be another program, so it was not sent the token.
    #[error(
        "the server at {emulator} did not prove that it is the emulator with the CA {}, so the control API's token was not \
         sent: {why}", ca.display()
    )]
    Unproven {
        emulator: String,
        ca: PathBuf,
        why: String,
    },
    /// The answer did not come, or broke off.
    #[error("{request} failed: {why}")]
    Incomplete { request: String, why: String },
    /// The answer is not one that the control API gives.
    #[error("unexpected response to {request}: {status} ({why}): {excerpt}")]
    Unexpected {
        request: String,
        status: StatusCode,
        why: String,
        excerpt: String,
    },
    /// The output could not be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    /// A program could not be started.
    #[error("cannot run {program}: {error}")]
    NotStarted { program: String, error: io::Error },
    /// The program that was run ended with this exit code, and has said why.
    #[error("the program ended with exit code {0}")]
    Ended(u8),
    /// A registry is revoked, which the output already shows.
    #[error("a registry is revoked")]
    Revoked,
    /// A checkup has problems or advice, which the output already shows.
    #[error("a registry needs attention")]
    Unsound,
}

/// The exit code of `sealock status` while a registry is revoked, and of `sealock doctor` for one that needs attention.
/// clap uses 2.
const NEEDS_ATTENTION: u8 = 3;

/// The exit codes of a shell for a program that is not found, and for one that cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

impl Error {
    /// Wraps an error of the operating system, and suggests `sudo` if permissions may be the reason.
    pub(crate) fn system(error: &io::Error) -> Self {
        // A program that was run reports missing permissions in its text alone.
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

    /// Creates an error without a hint.
    #[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
    pub(crate) fn failed(message: impl ToString) -> Self {
        Self::Failed {
            message: message.to_string(),
            hint: None,
        }
    }

    /// Creates the refusal of an action that cannot be undone and lacks `--yes`.
    pub(crate) fn unconfirmed(message: String) -> Self {
        Self::Failed {
            message,
            hint: Some("to confirm, add --yes".to_owned()),
        }
    }

    /// Returns the exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Revoked | Self::Unsound => ExitCode::from(NEEDS_ATTENTION),
            Self::Ended(code) => ExitCode::from(*code),
            Self::NotStarted { error, .. } if error.kind() == io::ErrorKind::NotFound => {
                ExitCode::from(NOT_FOUND)
            }
            Self::NotStarted { .. } => ExitCode::from(NOT_EXECUTABLE),
            _ => ExitCode::FAILURE,
        }
    }

    /// Returns the message to print, or `None` if the output already shows it.
    pub(crate) fn message(&self) -> Option<String> {
        match self {
            Self::Revoked | Self::Unsound | Self::Ended(_) => None,
            error => Some(error.to_string()),
        }
    }

    /// Returns the error in the control API's form, or `None` if the output already shows it.
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

    /// Returns a suggestion for the next step, if there is one.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Refused { problem, commands } => return commands.advice(problem),
            Self::Failed { hint, .. } => return hint.clone(),
            Self::NoEmulator(_) => {
                "start one with: sealock serve; or choose another with --emulator http://localhost:PORT"
            }
            Self::NoSealock(_) => {
                "start Sealock on another port with: sealock serve --listen 127.0.0.1:5001; \
                 and add --emulator http://localhost:5001 to the command"
            }
            Self::Unproven { .. } => {
                "find out which process listens on that port; if it is another emulator of yours, run the command beside \
                 its data directory, or set SEALOCK_CONTROL_TOKEN_FILE to its token file"
            }
            Self::Unexpected { .. } => {
                "check that the emulator has the same version as this command"
            }
            Self::Incomplete { .. }
            | Self::Output(_)
            | Self::NotStarted { .. }
            | Self::Ended(_)
            | Self::Revoked
            | Self::Unsound => return None,
        };
        Some(hint.to_owned())
    }

    /// Removes the hints to create what is missing: useless to somebody who wants it deleted.
    pub(crate) fn without_creation_hints(mut self) -> Self {
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

    /// Returns true if the reader of the output closed the pipe.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl From<UnknownWord> for Error {
    fn from(error: UnknownWord) -> Self {
        Self::failed(error)
    }
}
