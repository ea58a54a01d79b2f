use sealock_api as api;
use sealock_registry::Collection;

use crate::control::{Answer, call::Call};

pub(in crate::control) async fn usage(call: Call<api::ShowUsage>) -> Answer<api::Usage> {
    let registry = call.services.registries.get(&call.path.registry).await?;
    let usage = registry.usage().await?;
    Ok(api::Usage {
        bytes: usage.bytes,
        objects: usage.objects,
        repositories: usage.repositories,
    })
}

pub(in crate::control) async fn show(call: Call<api::ShowGarbage>) -> Answer<api::Garbage> {
    let registry = call.services.registries.get(&call.path.registry).await?;
    Ok(view(registry.garbage().await?))
}

pub(in crate::control) async fn collect(call: Call<api::CollectGarbage>) -> Answer<api::Garbage> {
    let registry = call.services.registries.get(&call.path.registry).await?;
    Ok(view(registry.collect_garbage().await?))
}

fn view(collection: Collection) -> api::Garbage {
    let blobs = collection.blobs.into_iter().map(|blob| api::GarbageBlob {
        repository: blob.repository.to_string(),
        digest: blob.digest,
        size: blob.size,
    });
    api::Garbage {
        blobs: blobs.collect(),
        freed_bytes: collection.freed_bytes,
    }
}
