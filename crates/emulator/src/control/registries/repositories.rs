use sealock_api as api;
use sealock_registry::{Repository, RepositoryName};

use crate::control::{Answer, call::Call};

pub(in crate::control) async fn list(
    call: Call<api::ListRepositories>,
) -> Answer<api::Repositories> {
    let registry = call.services.registries.get(&call.path.registry).await?;
    let repositories = registry.all_repositories().await?.into_iter();
    Ok(api::Repositories {
        repositories: repositories
            .map(|(name, repository)| view(&name, &repository))
            .collect(),
    })
}

pub(in crate::control) async fn show(
    call: Call<api::ShowRepository>,
) -> Answer<api::RepositoryDetails> {
    let registry = call.services.registries.get(&call.path.registry).await?;
    let name: RepositoryName = call.path.repository.0.parse()?;
    let manifests = registry.manifest_summaries(&name).await?.into_iter();
    let manifests = manifests.map(|manifest| api::ManifestSummary {
        digest: manifest.digest,
        media_type: manifest.media_type,
        size: manifest.size,
        pushed: manifest.pushed.into(),
        tags: texts(&manifest.tags),
    });
    Ok(api::RepositoryDetails {
        manifests: manifests.collect(),
        repository: view(&name, &registry.repository(&name).await?),
    })
}

pub(in crate::control) async fn delete(
    call: Call<api::DeleteRepository>,
) -> Answer<api::DeletedRepository> {
    let registry = call.services.registries.get(&call.path.registry).await?;
    registry.lease().await?;
    let name: RepositoryName = call.path.repository.0.parse()?;
    let deleted = registry.delete_repository(&name).await?;
    Ok(api::DeletedRepository {
        tags: texts(&deleted.tags),
        manifests: deleted.manifests,
    })
}

fn view(name: &RepositoryName, repository: &Repository) -> api::Repository {
    api::Repository {
        name: name.to_string(),
        manifest_count: repository.manifests,
        tag_count: repository.tags,
        created: repository.created.into(),
        updated: repository.updated.into(),
    }
}

fn texts(tags: &[sealock_registry::Tag]) -> Vec<String> {
    tags.iter().map(|tag| tag.as_str().to_owned()).collect()
}
