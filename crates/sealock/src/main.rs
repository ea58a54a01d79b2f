//! The command line of Sealock: it starts an emulator, or talks to a running one.
//!
//! Each noun of the command line has a module with its arguments and the rendering of the control
//! API's records. All decisions are the emulator's.

mod access;
mod app;
mod arguments;
mod audit;
mod az;
mod banner;
mod cache;
mod certificates;
mod cli;
mod client;
mod clock;
mod commands;
mod completion;
mod demo;
mod doctor;
mod effect;
mod env;
mod environment;
mod error;
mod exec;
mod health;
mod hosts;
mod identity;
mod inspect;
mod key;
mod key_reference;
mod man;
mod names;
mod offline;
mod operation;
mod output;
mod principal;
mod progress;
mod quarantine;
mod registry;
mod remedy;
mod repair;
mod report;
mod repository;
mod reset;
mod role;
mod serve;
mod status;
mod target;
mod tls;
mod token;
mod trust;
mod vault;
mod verify;
mod version;
mod wait;

use std::{io::Write as _, process::ExitCode};

use tikv_jemallocator::Jemalloc;

use crate::{
    cli::Cli,
    error::Error,
    output::{BAD, HINT},
};

/// Reuses the buffers of bodies, and returns free memory to the system. The system's allocator does one or the other:
/// with it, a push costs a page fault for each 4 KiB.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::read();
    let is_json = cli.is_json();
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        // The reader closed the pipe, as in `sealock audit --follow | head`.
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            if is_json {
                report_as_json(&error);
            } else {
                report(&error);
            }
            error.exit_code()
        }
    }
}

fn report(error: &Error) {
    let mut stderr = anstream::stderr().lock();
    let Some(message) = error.message() else {
        return;
    };
    let message = message.replace("\r\n", "\n");
    // A closed stderr cannot be reported anywhere.
    let _ = writeln!(
        stderr,
        "{BAD}error:{BAD:#} {}",
        message.trim_end_matches('.')
    );
    if let Some(hint) = error.hint() {
        let _ = writeln!(stderr, "{HINT}hint:{HINT:#} {}", hint.trim_end_matches('.'));
    }
}

/// Writes the control API's problem, or one in the same form.
fn report_as_json(error: &Error) {
    let Some(problem) = error.problem() else {
        return;
    };
    let mut stderr = std::io::stderr().lock();
    if serde_json::to_writer_pretty(&mut stderr, &problem).is_ok() {
        let _ = writeln!(stderr);
    }
}
