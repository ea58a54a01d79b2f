//! Verification without an emulator.

use sealock_emulator::{NamedDataDir, OfflineFlags, OfflineVerification};

use crate::{
    error::Error,
    output::{BAD, Column, GOOD, Output, Screen, printable},
    progress, remedy,
};

/// Verifies a data directory. Succeeds only if it is intact.
pub(crate) fn verify(flags: OfflineFlags, output: &mut Output) -> Result<(), Error> {
    let config_file = flags.config.clone();
    let found = progress::during("verifying", || sealock_emulator::verify_offline(flags));
    let found = found.map_err(|error| remedy::failed(&error))?;
    let screen = output.screen();
    output.report(&found, |found| lines(found, screen))?;
    let message = match found.problems.len() {
        0 => return Ok(()),
        1 => "1 problem in the data directory".to_owned(),
        problems => format!("{problems} problems in the data directory"),
    };
    let repair = remedy::repair(&NamedDataDir {
        dir: found.data_dir,
        config_file,
    });
    Err(Error::Failed {
        message,
        hint: Some(format!(
            "restore as much of the metadata as possible with: {repair}"
        )),
    })
}

fn lines(found: &OfflineVerification, screen: Screen) -> Vec<String> {
    let mut lines: Vec<String> = found
        .problems
        .iter()
        .map(|problem| {
            let description = printable(&problem.description);
            format!("{BAD}{}{BAD:#}: {description}", problem.kind)
        })
        .collect();
    if found.whole {
        let dir = found.data_dir.display();
        lines.push(format!("{GOOD}intact{GOOD:#}: {dir}"));
    }
    if !found.quarantine.is_empty() {
        let rows = found.quarantine.iter().map(|file| {
            [
                printable(&file.name),
                file.since
                    .map_or_else(String::new, |since| since.to_string()),
                file.bytes.to_string(),
            ]
        });
        let columns = ["QUARANTINED FILE", "SINCE", "BYTES"].map(Column::Always);
        lines.push(screen.table(columns, rows));
    }
    lines
}
