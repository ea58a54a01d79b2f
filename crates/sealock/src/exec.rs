use std::{
    ffi::OsString,
    io,
    net::{Ipv4Addr, SocketAddr},
    os::unix::process::ExitStatusExt as _,
    path::PathBuf,
    process::ExitStatus,
};

use clap::Args;
use rustix::process::{Pid, Signal, getpgrp, kill_process};
use sealock_emulator::{Flags, Ready, StopSignals};
use tokio::{
    process::Command,
    signal::unix::{SignalKind, signal},
};

use crate::{
    cache::Cache, certificates::Certificates, commands::Commands, environment::Variables,
    error::Error, names, remedy,
};

/// The number that a shell adds to a signal for the exit code of a program which that signal ended.
const ENDED_BY_SIGNAL: i32 = 128;

/// Run a command with an emulator of its own, which lives in memory until the command ends
///
/// The emulator listens on a free port of this machine. The command has the environment variables that sealock env prints.
/// Its exit code becomes that of sealock exec.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealock exec -- pytest
  sealock exec --config sealock.toml -- make test")]
pub(crate) struct Exec {
    /// Configuration file of the emulator
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Command to run, with its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Exec {
    pub(crate) fn run(self) -> Result<(), Error> {
        let flags = Flags {
            config: self.config.clone(),
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))],
            ephemeral: true,
            ..Flags::default()
        };
        let run = async |ready, signals: &mut StopSignals| self.run_beside(ready, signals).await;
        let ended = sealock_emulator::serve_during(flags, run);
        match ended.map_err(|error| remedy::failed(&error))? {
            Some(ended) => exit_code(ended?),
            // A signal came before the command started.
            None => Err(Error::Ended(code(ENDED_BY_SIGNAL + Signal::TERM.as_raw()))),
        }
    }

    /// Runs the command beside an emulator that is ready.
    async fn run_beside(
        &self,
        ready: Ready,
        signals: &mut StopSignals,
    ) -> Result<ExitStatus, Error> {
        let emulator = format!("http://localhost:{}", ready.address.port());
        let cache = RemovedAtEnd(Cache::open_empty(&emulator)?);
        let certificates = Certificates::write(&cache.0, &ready.ca_pem, &ready.bundle_pem)?;
        let environment = ready.environment.map_err(|problem| Error::Refused {
            problem: Box::new(problem),
            commands: Commands::default(),
        })?;
        let variables = Variables::new(&environment, &emulator, &certificates)?;
        names::warn_of_unresolved(
            &environment,
            "sealock exec -- sh -c 'sudo sealock hosts --write --emulator $SEALOCK_EMULATOR'",
        )?;
        let listen = |kind| signal(kind).map_err(|error| Error::system(&error));
        let mut hangup = listen(SignalKind::hangup())?;
        let mut quit = listen(SignalKind::quit())?;
        let [program, arguments @ ..] = self.command.as_slice() else {
            return Err(Error::failed("there is no command to run"));
        };
        let not_started = |error| Error::NotStarted {
            program: program.display().to_string(),
            error,
        };
        let mut child = Command::new(program)
            .args(arguments)
            .envs(variables.iter().map(|it| (it.name, it.value.as_str())))
            .spawn()
            .map_err(not_started)?;
        loop {
            let received = tokio::select! {
                ended = child.wait() => return ended.map_err(|error| Error::system(&error)),
                received = signals.recv() => received,
                _ = hangup.recv() => SignalKind::hangup(),
                _ = quit.recv() => SignalKind::quit(),
            };
            pass_on(received, child.id());
        }
    }
}

/// The directory of the emulator's files, which are worthless after its end.
struct RemovedAtEnd(Cache);

impl Drop for RemovedAtEnd {
    fn drop(&mut self) {
        self.0.remove();
    }
}

/// Passes a signal on to the command. Leaves that to a terminal, which sends its signals to the command, too.
fn pass_on(received: SignalKind, command: Option<u32>) {
    let is_of_terminal = [SignalKind::interrupt(), SignalKind::quit()].contains(&received);
    if is_of_terminal && is_in_foreground() {
        return;
    }
    let command = command.and_then(|id| Pid::from_raw(id.try_into().ok()?));
    if let (Some(command), Some(signal)) =
        (command, Signal::from_named_raw(received.as_raw_value()))
    {
        // The command may just have ended.
        let _ = kill_process(command, signal);
    }
}

/// Returns true if a terminal sends its signals to this process and the command.
fn is_in_foreground() -> bool {
    let own = getpgrp();
    let foreground = [
        rustix::termios::tcgetpgrp(io::stdin()),
        rustix::termios::tcgetpgrp(io::stdout()),
        rustix::termios::tcgetpgrp(io::stderr()),
    ];
    foreground.contains(&Ok(own))
}

/// Returns the exit code as a shell does.
fn exit_code(status: ExitStatus) -> Result<(), Error> {
    let by_signal = || ENDED_BY_SIGNAL + status.signal().unwrap_or_default();
    match status.code().unwrap_or_else(by_signal) {
        0 => Ok(()),
        failure => Err(Error::Ended(code(failure))),
    }
}

fn code(code: i32) -> u8 {
    u8::try_from(code).unwrap_or(u8::MAX)
}
