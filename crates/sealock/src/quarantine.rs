use sealock_api::{EmptyQuarantine, Quarantine, QuarantineSize, ShowQuarantine};

use crate::{
    client::Client,
    commands::Commands,
    error::Error,
    output::{Column, Output, Screen, TITLE, record},
    progress,
};

const LIST: &str = "registry gc --orphans --dry-run";
const REMOVE: &str = "registry gc --orphans";

/// Removes the files in quarantine, or only lists them.
pub(crate) fn remove(client: &Client, output: &mut Output, dry_run: bool) -> Result<(), Error> {
    let client = client.patient();
    let answer = progress::during("looking at the quarantine", || {
        if dry_run {
            client.ask(&ShowQuarantine {})
        } else {
            client.ask(&EmptyQuarantine {})
        }
    })?;
    let screen = output.screen();
    output.show(&answer, |quarantine| files(quarantine, dry_run, screen))
}

/// Renders the quarantine as a record. `None` if it is empty.
pub(crate) fn render(quarantine: &QuarantineSize, commands: &Commands) -> Option<String> {
    let since = quarantine.since.map(|since| since.to_string());
    (quarantine.files > 0).then(|| {
        record(
            format!("{TITLE}quarantine{TITLE:#}  {}", amount(quarantine)),
            [
                ("message", "no record mentions them".to_owned()),
                ("since", since.unwrap_or_default()),
                ("list", commands.command(LIST)),
                ("remove", commands.command(REMOVE)),
            ],
        )
    })
}

/// Renders the quarantine as a line. `None` if it is empty.
pub(crate) fn note(quarantine: &QuarantineSize, commands: &Commands) -> Option<String> {
    let (amount, list) = (amount(quarantine), commands.command(LIST));
    (quarantine.files > 0)
        .then(|| format!("in quarantine, which is no problem: {amount}; see {list}"))
}

fn amount(quarantine: &QuarantineSize) -> String {
    let QuarantineSize { files, bytes, .. } = quarantine;
    let noun = if *files == 1 { "file" } else { "files" };
    format!("{files} {noun}, {bytes} bytes")
}

fn files(quarantine: &Quarantine, dry_run: bool, screen: Screen) -> String {
    let (count, bytes) = (quarantine.files.len(), quarantine.bytes);
    let sum = match (count, dry_run) {
        (0, _) => return "nothing is in quarantine".to_owned(),
        (_, true) => format!("{count} files would go, of {bytes} bytes"),
        (_, false) => format!("{count} files went, of {bytes} bytes"),
    };
    let rows = quarantine.files.iter().map(|file| {
        [
            file.name.clone(),
            file.bytes.to_string(),
            file.since
                .map(|since| since.to_string())
                .unwrap_or_default(),
        ]
    });
    let columns = ["FILE", "BYTES", "SINCE"].map(Column::Always);
    format!("{}\n{sum}", screen.table(columns, rows))
}
