use clap::Args;
use sealock_api::{CollectGarbage, Garbage, ShowGarbage, Usage};
use sealock_core::RegistryName;

use super::DEFAULT_REGISTRY;
use crate::{
    client::Client,
    error::Error,
    output::{Output, table},
    quarantine,
};

#[derive(Debug, Args)]
pub(crate) struct Gc {
    /// The registry
    #[arg(default_value = DEFAULT_REGISTRY)]
    name: RegistryName,
    /// Remove what is in quarantine instead: files that no record of any registry or vault mentions
    #[arg(long, conflicts_with = "name")]
    orphans: bool,
    /// Say what would go, and leave it
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowUsage {
    /// The registry
    #[arg(default_value = DEFAULT_REGISTRY)]
    name: RegistryName,
}

impl Gc {
    pub(super) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        if self.orphans {
            return quarantine::remove(client, output, self.dry_run);
        }
        let registry = self.name;
        let answer = if self.dry_run {
            client.ask(&ShowGarbage { registry })?
        } else {
            client.ask(&CollectGarbage { registry })?
        };
        output.show(&answer, |garbage| render(garbage, self.dry_run))
    }
}

impl ShowUsage {
    pub(super) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let registry = self.name;
        let answer = client.ask(&sealock_api::ShowUsage { registry })?;
        output.show(&answer, |usage: &Usage| {
            format!(
                "{} bytes in {} blobs and manifests of {} repositories",
                usage.bytes, usage.objects, usage.repositories
            )
        })
    }
}

fn render(garbage: &Garbage, dry_run: bool) -> String {
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
            blob.digest.to_string(),
            blob.size.to_string(),
        ]
    });
    format!("{}\n{sum}", table(["REPOSITORY", "BLOB", "BYTES"], rows))
}
