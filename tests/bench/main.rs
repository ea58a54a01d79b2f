//! Compares Sealock with other registries, and measures the machine's limits: `make bench`.
//!
//! Absolute figures depend on the machine and its load, so all registries get the same requests, in shuffled turns, in
//! one run, and only ratios count. Each figure is the median of ten, unless its row or section says otherwise.
//!
//! Arguments choose sections (`transfer small manifests start memory rotation revocation machine`) and media (`tmpfs
//! disk`); without any, everything is measured. The variable `PEERS` names more registries, `NAME=URL` or
//! `NAME=COMMAND`, and `ROUNDS` changes the number of samples.
#![expect(clippy::unwrap_used, reason = "a measurement that fails has no value")]

mod choice;
mod connection;
mod cpu;
mod load;
mod location;
mod machine;
mod manifests;
mod median;
mod medium;
mod memory;
mod peer;
mod product;
mod report;
mod revocation;
mod rotation;
mod small;
mod start;
mod transfer;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use crate::{
    choice::Choice, machine::Pushed, medium::Medium, peer::Scheme, report::Report, transfer::Source,
};

fn main() -> ExitCode {
    let words = env::args().skip(1).collect();
    let variable = |name| env::var(name).unwrap_or_default();
    let choice = match Choice::parse(words, &variable("PEERS"), &variable("ROUNDS")) {
        Ok(choice) => choice,
        Err(why) => {
            anstream::eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };
    let scratch = target().join("bench");
    fs::create_dir_all(&scratch).unwrap();
    let mut source = Source::random();
    let mut report = Report::new(choice.products.clone());
    let mut pushes = Vec::new();
    for medium in choice.media() {
        let rate = measure(&choice, medium, &mut source, &mut report);
        pushes.extend(rate.map(|rate| Pushed { medium, rate }));
    }
    if choice.wants("machine") {
        machine::measure(&choice, &scratch, &source, &pushes, &mut report);
    }
    let path = scratch.join("report.md");
    fs::write(&path, report.to_string()).unwrap();
    anstream::println!("\n{report}\nwritten to {}", path.display());
    ExitCode::SUCCESS
}

/// Measures the chosen sections on a medium, and returns the rate of Sealock's pushes of 1 GiB, if they are among them.
fn measure(
    choice: &Choice,
    medium: &Medium,
    source: &mut Source,
    report: &mut Report,
) -> Option<f64> {
    let mut pushed = None;
    if choice.wants("transfer") {
        pushed = transfer::measure(choice, medium, Scheme::Plain, source, report);
    }
    if choice.wants("small") {
        small::measure(choice, medium, report);
    }
    if choice.wants("start") {
        start::measure(choice, medium, report);
    }
    if medium.is_disk() {
        // The remaining sections do not use the disk, or use it like those above.
        return pushed;
    }
    if choice.wants("transfer") {
        transfer::measure(choice, medium, Scheme::Tls, source, report);
    }
    if choice.wants("manifests") {
        manifests::measure(choice, medium, report);
    }
    if choice.wants("memory") {
        memory::measure(choice, medium, source, report);
    }
    if choice.wants("rotation") {
        rotation::measure(medium, report);
    }
    if choice.wants("revocation") {
        revocation::measure(choice, medium, report);
    }
    pushed
}

/// Returns the directory of build artifacts.
fn target() -> PathBuf {
    let binary = sealock_tests::Emulator::binary();
    binary.ancestors().nth(2).map(Path::to_owned).unwrap()
}
