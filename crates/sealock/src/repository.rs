use clap::{Args, Subcommand};
use sealock_api::{
    DeleteRepository, DeletedRepository, ListRepositories, Repositories, RepositoryDetails,
    RepositoryReference, ShowRepository, Time,
};
use sealock_core::RegistryName;

use crate::{
    client::Client,
    error::Error,
    output::{Column, Output, Screen, TITLE, counted, record, shortened_digest},
    progress,
    target::{ParentArgs, TargetArgs},
};

#[derive(Debug, Subcommand)]
pub(crate) enum RepositoryCommand {
    /// List a registry's repositories
    #[command(after_help = "Example:\n  sealock repository list --registry sealock")]
    List(TargetArgs<RegistryName>),
    /// Show a repository with its manifests and their tags
    #[command(after_help = "Example:\n  sealock repository show hello")]
    Show(Named),
    /// Delete a repository with its manifests, tags and blobs for good
    #[command(after_help = "Example:\n  sealock repository delete hello --yes")]
    Delete(Named),
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// Name of the repository
    #[arg(value_name = "REPOSITORY")]
    name: RepositoryReference,
    #[command(flatten)]
    registry: ParentArgs<RegistryName>,
}

impl RepositoryCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output, yes: bool) -> Result<(), Error> {
        let screen = output.screen();
        match self {
            Self::List(TargetArgs { name: registry }) => {
                let answer = client.ask(&ListRepositories { registry })?;
                output.show(&answer, |repositories| list(repositories, screen))
            }
            Self::Show(Named { name, registry }) => {
                let answer = client.ask(&ShowRepository {
                    registry: registry.name,
                    repository: name,
                })?;
                output.show(&answer, |repository| render(repository, screen))
            }
            Self::Delete(Named { name, registry }) => {
                if !yes {
                    let registry = registry.name;
                    return Err(Error::unconfirmed(format!(
                        "deleting repository {name} of registry {registry} cannot be undone; its manifests, tags and \
                         blobs are lost"
                    )));
                }
                let delete = DeleteRepository {
                    registry: registry.name,
                    repository: name.clone(),
                };
                let client = client.without_timeout();
                let answer = progress::during("deleting", || client.ask(&delete))?;
                output.show(&answer, |deleted: &DeletedRepository| {
                    let manifests = counted(deleted.manifests.len(), "manifest");
                    let tags = counted(deleted.tags.len(), "tag");
                    format!("deleted repository {name} with {manifests} and {tags}")
                })
            }
        }
    }
}

/// Formats a registry's time, which has fractions of a second, as other commands do.
fn whole_seconds(time: Time) -> String {
    format!("{time:.0}")
}

fn list(list: &Repositories, screen: Screen) -> String {
    let rows = list.repositories.iter().map(|repository| {
        [
            repository.name.clone(),
            repository.manifest_count.to_string(),
            repository.tag_count.to_string(),
            whole_seconds(repository.created),
            whole_seconds(repository.updated),
        ]
    });
    let columns = [
        Column::Always("NAME"),
        Column::Always("MANIFESTS"),
        Column::Always("TAGS"),
        Column::Wide("CREATED"),
        Column::Always("UPDATED"),
    ];
    screen.table(columns, rows)
}

fn render(details: &RepositoryDetails, screen: Screen) -> String {
    let repository = &details.repository;
    let fields = [
        ("manifests", repository.manifest_count.to_string()),
        ("tags", repository.tag_count.to_string()),
        ("created", whole_seconds(repository.created)),
        ("updated", whole_seconds(repository.updated)),
    ];
    let title = format!("{TITLE}{}{TITLE:#}", repository.name);
    let rows = details.manifests.iter().map(|manifest| {
        [
            shortened_digest(&manifest.digest),
            manifest.digest.to_string(),
            manifest.tags.join(", "),
            manifest.size.to_string(),
            whole_seconds(manifest.pushed),
            manifest.media_type.clone(),
        ]
    });
    let columns = [
        Column::Narrow("MANIFEST"),
        Column::Wide("MANIFEST"),
        Column::Always("TAGS"),
        Column::Always("BYTES"),
        Column::Always("PUSHED"),
        Column::Wide("MEDIA TYPE"),
    ];
    format!(
        "{}\n\n{}",
        record(title, fields),
        screen.table(columns, rows)
    )
}
