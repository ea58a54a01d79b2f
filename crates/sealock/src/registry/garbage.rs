use clap::Args;
use sealock_api::{CollectGarbage, Garbage, ShowGarbage, ShowUsage, Usage};
use sealock_core::RegistryName;

use crate::{
    client::Client,
    error::Error,
    output::{Column, Output, Screen, shortened_digest},
    progress, quarantine,
    which::Which,
};

#[derive(Debug, Args)]
pub(crate) struct Gc {
    #[command(flatten)]
    registry: Which<RegistryName>,
    /// Remove the files in quarantine instead, which no record of any registry or vault mentions
    #[arg(long, conflicts_with_all = ["name", "registry"])]
    orphans: bool,
    /// List what would go, and leave it
    #[arg(long)]
    dry_run: bool,
}

impl Gc {
    pub(super) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        if self.orphans {
            return quarantine::remove(client, output, self.dry_run);
        }
        let (client, registry) = (client.patient(), self.registry.name);
        let answer = progress::during("looking for garbage", || {
            if self.dry_run {
                client.ask(&ShowGarbage { registry })
            } else {
                client.ask(&CollectGarbage { registry })
            }
        })?;
        let screen = output.screen();
        output.show(&answer, |garbage| render(garbage, self.dry_run, screen))
    }
}

/// Shows how much a registry holds.
pub(super) fn show_usage(
    Which { name: registry }: Which<RegistryName>,
    client: &Client,
    output: &mut Output,
) -> Result<(), Error> {
    output.show(&client.ask(&ShowUsage { registry })?, |usage: &Usage| {
        format!(
            "{} bytes in {} blobs and manifests; repositories: {}",
            usage.bytes, usage.objects, usage.repositories
        )
    })
}

fn render(garbage: &Garbage, dry_run: bool, screen: Screen) -> String {
    let (count, freed) = (garbage.blobs.len(), garbage.freed_bytes);
    let sum = match (count, dry_run) {
        (0, _) => {
            return "nothing to collect: each blob is referred to or was asked for lately"
                .to_owned();
        }
        (_, true) => format!("{count} blobs would go, and free {freed} bytes"),
        (_, false) => format!("{count} blobs went, and freed {freed} bytes"),
    };
    let rows = garbage.blobs.iter().map(|blob| {
        [
            blob.repository.clone(),
            shortened_digest(&blob.digest),
            blob.digest.to_string(),
            blob.size.to_string(),
        ]
    });
    let columns = [
        Column::Always("REPOSITORY"),
        Column::Narrow("BLOB"),
        Column::Wide("BLOB"),
        Column::Always("BYTES"),
    ];
    format!("{}\n{sum}", screen.table(columns, rows))
}
