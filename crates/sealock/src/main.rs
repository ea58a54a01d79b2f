//! The command line of Sealock: it starts an emulator, or talks to a running one.
//!
//! One module for each noun of the command line holds its arguments, the part of the control API's
//! records that it shows, and how they are shown. Nothing here decides anything: the emulator does.

mod access;
mod app;
mod audit;
mod banner;
mod cli;
mod client;
mod clock;
mod commands;
mod error;
mod health;
mod hosts;
mod identity;
mod inspect;
mod key;
mod offline;
mod output;
mod principal;
mod quarantine;
mod registry;
mod remedy;
mod repair;
mod role;
mod serve;
mod status;
mod tls;
mod token;
mod trust;
mod vault;
mod verify;

use std::{io::Write as _, process::ExitCode};

use crate::{
    cli::Cli,
    error::Error,
    output::{BAD, HINT},
};

fn main() -> ExitCode {
    match Cli::read().run() {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of our output has seen enough, as in `sealock audit --follow | head`.
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

fn report(error: &Error) {
    let mut stderr = anstream::stderr().lock();
    let message = error.to_string().replace("\r\n", "\n");
    // With stderr closed there is nobody left to tell.
    let _ = writeln!(
        stderr,
        "{BAD}error:{BAD:#} {}",
        message.trim_end_matches('.')
    );
    if let Some(hint) = error.hint() {
        let _ = writeln!(stderr, "{HINT}hint:{HINT:#} {}", hint.trim_end_matches('.'));
    }
}
