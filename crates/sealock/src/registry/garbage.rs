use clap::Args;
use sealock_api::{CollectGarbage, Garbage, ShowGarbage, ShowUsage, Usage};
use sealock_core::RegistryName;

use crate::{
    client::Client,
    error::Error,
    output::{Column, Output, Screen, counted, shortened_digest},
    progress, quarantine,
    target::TargetArgs,
};

#[derive(Debug, Args)]
pub(crate) struct Gc {
    #[command(flatten)]
    registry: TargetArgs<RegistryName>,
    /// Remove the quarantined files instead, which no registry or vault refers to
    #[arg(long, conflicts_with_all = ["name", "registry"])]
    orphans: bool,
    /// Only list what would be removed
    #[arg(long)]
    dry_run: bool,
}

impl Gc {
    pub(super) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        if self.orphans {
            return quarantine::remove(client, output, self.dry_run);
        }
        let (client, registry) = (client.without_timeout(), self.registry.name);
        let answer = progress::during("collecting garbage", || {
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

/// Prints a registry's storage usage.
pub(super) fn show_usage(
    TargetArgs { name: registry }: TargetArgs<RegistryName>,
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
    let freed = garbage.freed_bytes;
    let blobs = counted(garbage.blobs.len(), "blob");
    let sum = match (garbage.blobs.len(), dry_run) {
        (0, _) => {
            return "nothing to collect: every blob is referenced or was requested recently"
                .to_owned();
        }
        (_, true) => format!("{blobs} would be removed, freeing {freed} bytes"),
        (_, false) => format!("removed {blobs}, freeing {freed} bytes"),
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
