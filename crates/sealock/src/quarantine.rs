use serde::Deserialize;

use crate::{
    client::Client,
    error::Error,
    output::{Output, TITLE, record, table},
};

const LIST: &str = "sealock registry gc --orphans --dry-run";
const REMOVE: &str = "sealock registry gc --orphans";

/// The control API's view of the size of the quarantine.
#[derive(Debug, Deserialize)]
pub(crate) struct Quarantine {
    files: u64,
    bytes: u64,
    since: Option<String>,
}

/// The control API's view of the files in quarantine, or of those just removed.
#[derive(Debug, Deserialize)]
struct Files {
    files: Vec<File>,
    bytes: u64,
}

#[derive(Debug, Deserialize)]
struct File {
    name: String,
    bytes: u64,
    since: Option<String>,
}

/// Removes the files in quarantine, or only lists them.
pub(crate) fn remove(client: &Client, output: &mut Output, dry_run: bool) -> Result<(), Error> {
    let answer = if dry_run {
        client.get("quarantine")?
    } else {
        client.delete("quarantine")?
    };
    output.show(&answer, |files: &Files| files.render(dry_run))
}

impl Quarantine {
    /// Renders the quarantine as a record. `None` if it is empty.
    pub(crate) fn render(&self, client: &Client) -> Option<String> {
        (self.files > 0).then(|| {
            record(
                format!("{TITLE}quarantine{TITLE:#}  {}", self.amount()),
                [
                    ("message", "no record mentions them".to_owned()),
                    ("since", self.since.clone().unwrap_or_default()),
                    ("list", client.commands(LIST)),
                    ("remove", client.commands(REMOVE)),
                ],
            )
        })
    }

    /// Renders the quarantine as a line. `None` if it is empty.
    pub(crate) fn note(&self) -> Option<String> {
        let amount = self.amount();
        (self.files > 0)
            .then(|| format!("in quarantine, which is no problem: {amount}; see {LIST}"))
    }

    fn amount(&self) -> String {
        let files = if self.files == 1 { "file" } else { "files" };
        format!("{} {files}, {} bytes", self.files, self.bytes)
    }
}

impl Files {
    fn render(&self, dry_run: bool) -> String {
        let (count, bytes) = (self.files.len(), self.bytes);
        let sum = match (count, dry_run) {
            (0, _) => return "nothing is in quarantine".to_owned(),
            (_, true) => format!("{count} files would go, of {bytes} bytes"),
            (_, false) => format!("{count} files went, of {bytes} bytes"),
        };
        let rows = self.files.iter().map(|file| {
            [
                file.name.clone(),
                file.bytes.to_string(),
                file.since.clone().unwrap_or_default(),
            ]
        });
        format!("{}\n{sum}", table(["FILE", "BYTES", "SINCE"], rows))
    }
}
