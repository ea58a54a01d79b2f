use sealock_api::{EmptyQuarantine, Quarantine, QuarantineSize, ShowQuarantine};

use crate::{
    client::Client,
    commands::Commands,
    error::Error,
    output::{Column, Output, Screen, TITLE, counted, record},
    progress,
};

const LIST: &str = "registry gc --orphans --dry-run";
const REMOVE: &str = "registry gc --orphans";

/// Removes the files in quarantine, or only lists them.
pub(crate) fn remove(client: &Client, output: &mut Output, dry_run: bool) -> Result<(), Error> {
    let client = client.without_timeout();
    let answer = progress::during("reading the quarantine", || {
        if dry_run {
            client.ask(&ShowQuarantine {})
        } else {
            client.ask(&EmptyQuarantine {})
        }
    })?;
    let screen = output.screen();
    output.show(&answer, |quarantine| list(quarantine, dry_run, screen))
}

/// Renders the quarantine as a record, or `None` if it is empty.
pub(crate) fn render(quarantine: &QuarantineSize, commands: &Commands) -> Option<String> {
    let since = quarantine.since.map(|since| since.to_string());
    (quarantine.files > 0).then(|| {
        record(
            format!("{TITLE}quarantine{TITLE:#}  {}", amount(quarantine)),
            [
                (
                    "message",
                    "no registry or vault refers to these files".to_owned(),
                ),
                ("since", since.unwrap_or_default()),
                ("list", commands.command(LIST)),
                ("remove", commands.command(REMOVE)),
            ],
        )
    })
}

/// Renders the quarantine as a line, or `None` if it is empty.
pub(crate) fn summary(quarantine: &QuarantineSize, commands: &Commands) -> Option<String> {
    let (amount, list) = (amount(quarantine), commands.command(LIST));
    (quarantine.files > 0).then(|| {
        format!("{amount} in quarantine, which is not a problem; list the files with: {list}")
    })
}

fn amount(quarantine: &QuarantineSize) -> String {
    let QuarantineSize { files, bytes, .. } = quarantine;
    format!("{}, {bytes} bytes", counted(*files, "file"))
}

fn list(quarantine: &Quarantine, dry_run: bool, screen: Screen) -> String {
    let bytes = quarantine.bytes;
    let files = counted(quarantine.files.len(), "file");
    let sum = match (quarantine.files.len(), dry_run) {
        (0, _) => return "the quarantine is empty".to_owned(),
        (_, true) => format!("{files} would be removed, freeing {bytes} bytes"),
        (_, false) => format!("removed {files}, freeing {bytes} bytes"),
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
