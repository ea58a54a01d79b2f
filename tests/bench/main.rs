//! Compares Sealock with Debian's `docker-registry`, and measures the machine's limits: `make bench`.
//!
//! Absolute figures depend on the machine and its load, so both peers are measured by the same requests, in turn, in
//! one run, and only ratios count. Each figure is the median of five, unless its row or section says otherwise.
//!
//! Arguments choose sections (`transfer small manifests start memory rotation revocation machine`) and
//! media (`tmpfs disk`); without any, everything is measured.
#![expect(clippy::unwrap_used, reason = "a measurement that fails has no value")]

mod choice;
mod load;
mod machine;
mod manifests;
mod median;
mod medium;
mod memory;
mod peer;
mod report;
mod revocation;
mod rotation;
mod small;
mod start;
mod transfer;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use crate::{choice::Choice, medium::Medium, peer::Scheme, report::Report, transfer::Source};

fn main() -> ExitCode {
    let choice = match Choice::parse(std::env::args().skip(1).collect()) {
        Ok(choice) => choice,
        Err(why) => {
            anstream::eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };
    let scratch = target().join("bench");
    fs::create_dir_all(&scratch).unwrap();
    let source = Source::random();
    let mut report = Report::default();
    for medium in choice.media() {
        measure(&choice, medium, &source, &mut report);
    }
    if choice.wants("machine") {
        machine::measure(&scratch, &mut report);
    }
    let path = scratch.join("report.md");
    fs::write(&path, report.to_string()).unwrap();
    anstream::println!("\n{report}\nwritten to {}", path.display());
    ExitCode::SUCCESS
}

fn measure(choice: &Choice, medium: &Medium, source: &Source, report: &mut Report) {
    if choice.wants("transfer") {
        transfer::measure(medium, Scheme::Plain, source, report);
    }
    if choice.wants("small") {
        small::measure(medium, report);
    }
    if choice.wants("start") {
        start::measure(medium, report);
    }
    if medium.is_disk() {
        // The remaining sections do not use the disk, or use it like those above.
        return;
    }
    if choice.wants("transfer") {
        transfer::measure(medium, Scheme::Tls, source, report);
    }
    if choice.wants("manifests") {
        manifests::measure(medium, report);
    }
    if choice.wants("memory") {
        memory::measure(medium, source, report);
    }
    if choice.wants("rotation") {
        rotation::measure(medium, report);
    }
    if choice.wants("revocation") {
        revocation::measure(medium, report);
    }
}

/// Returns the directory of build artifacts.
fn target() -> PathBuf {
    let binary = sealock_tests::Emulator::binary();
    binary.ancestors().nth(2).map(Path::to_owned).unwrap()
}
