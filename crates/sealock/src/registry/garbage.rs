use clap::Args;
use sealock_core::RegistryName;
use serde::Deserialize;

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

#[derive(Debug, Deserialize)]
struct Collection {
    blobs: Vec<Garbage>,
    freed_bytes: u64,
}

#[derive(Debug, Deserialize)]
struct Garbage {
    repository: String,
    digest: String,
    size: u64,
}

#[derive(Debug, Deserialize)]
struct Usage {
    bytes: u64,
    objects: u64,
    repositories: u64,
}

impl Gc {
    pub(super) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        if self.orphans {
            return quarantine::remove(client, output, self.dry_run);
        }
        let path = format!("registries/{}/garbage", self.name);
        let answer = if self.dry_run {
            client.get(&path)?
        } else {
            client.delete(&path)?
        };
        output.show(&answer, |collection: &Collection| {
            collection.render(self.dry_run)
        })
    }
}

impl ShowUsage {
    pub(super) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let answer = client.get(&format!("registries/{}/usage", self.name))?;
        output.show(&answer, |usage: &Usage| {
            format!(
                "{} bytes in {} blobs and manifests of {} repositories",
                usage.bytes, usage.objects, usage.repositories
            )
        })
    }
}

impl Collection {
    fn render(&self, dry_run: bool) -> String {
        let (count, freed) = (self.blobs.len(), self.freed_bytes);
        let sum = match (count, dry_run) {
            (0, _) => {
                return "nothing to collect: each blob is referred to or was asked for lately"
                    .to_owned();
            }
            (_, true) => format!("{count} blobs would go, and free {freed} bytes"),
            (_, false) => format!("{count} blobs went, and freed {freed} bytes"),
        };
        let rows = self.blobs.iter().map(|blob| {
            [
                blob.repository.clone(),
                blob.digest.clone(),
                blob.size.to_string(),
            ]
        });
        format!("{}\n{sum}", table(["REPOSITORY", "BLOB", "BYTES"], rows))
    }
}
