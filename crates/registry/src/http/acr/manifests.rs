use axum::{Json, response::IntoResponse as _};
use sealock_core::Digest;
use sealock_http::json::{ExactObject, Object};
use serde_json::{Value, json};

use super::{
    Answer, Call, PAGE_DEFAULT, PageQuery, format_time, null_if_empty, page, read_change,
    repository_view,
};
use crate::{
    DescriptorKind, Error, Manifest, Registry, RepositoryName,
    manifests::manifest::Platform,
    manifests::order::{Order, Position},
    manifests::record::ManifestRecord,
    registry::PAGE_BYTES,
};

/// The limit of an image's configuration in bytes. Larger ones belong to other artifacts.
const CONFIG_LIMIT: u64 = 1024 * 1024;

/// `GET /acr/v1/{name}/_manifests`
pub(in crate::http) async fn list(
    call: Call,
    name: &RepositoryName,
    order: Result<Order, Error>,
    page_query: Result<PageQuery, Error>,
) -> Answer {
    call.registry.check_exists(name).await?;
    let order = order?;
    let page_query = page_query?;
    let limit = page_query.limit.unwrap_or(PAGE_DEFAULT);
    let (registry, last) = (call.registry.clone(), page_query.last.as_deref());
    let page = registry.list::<ManifestRecord>(name, order, last, limit);
    let mut page = page.await?;
    let mut views = Vec::new();
    let mut bytes = 0;
    for (at, (digest, record)) in page.items.iter().enumerate() {
        if bytes >= PAGE_BYTES {
            page.truncate(at);
            break;
        }
        match view(&registry, name, digest, record).await {
            Ok(view) => {
                bytes += view.to_string().len();
                views.push(view);
            }
            // Deleted since the list was read.
            Err(Error::ManifestUnknown { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let next = page.next_marker(|(digest, record)| order.marker(&Position::of(digest, record)));
    let mut body = repository_view(&call, name);
    body["manifests"] = null_if_empty(views);
    Ok(page::with_next_link(
        Json(body).into_response(),
        limit,
        order.as_str(),
        &format!("/acr/v1/{name}/_manifests"),
        next,
    ))
}

/// `GET /acr/v1/{name}/_manifests/{digest}`
pub(in crate::http) async fn get(call: Call, name: &RepositoryName, digest: &Digest) -> Answer {
    let record = call.registry.manifest_record(name, digest).await?;
    let record = record.ok_or(Error::AcrManifestUnknown)?.value;
    answer(call, name, digest, &record).await
}

/// `PATCH /acr/v1/{name}/_manifests/{digest}`
pub(in crate::http) async fn change(
    mut call: Call,
    name: &RepositoryName,
    digest: &Digest,
) -> Answer {
    let change = read_change(&mut call).await?;
    let record = call.registry.change_manifest(name, digest, change).await?;
    answer(call, name, digest, &record).await
}

async fn answer(
    call: Call,
    name: &RepositoryName,
    digest: &Digest,
    record: &ManifestRecord,
) -> Answer {
    let registry = &call.registry;
    let mut body = repository_view(&call, name);
    body["manifest"] = view(registry, name, digest, record).await?;
    Ok(Json(body).into_response())
}

async fn view(
    registry: &Registry,
    name: &RepositoryName,
    digest: &Digest,
    record: &ManifestRecord,
) -> Result<Value, Error> {
    // A manifest may be viewed even if its attributes forbid pulling it.
    let bytes = registry.manifest_bytes(name, digest).await?;
    let manifest = Manifest::parse(&bytes, Some(&record.media_type))?;
    let descriptors = manifest.descriptors.iter();
    let tags = registry.tags_of(name, digest).await?;
    let mut view = json!({
        "digest": digest,
        "imageSize": descriptors.clone().fold(0_u64, |size, found| size.saturating_add(found.size)),
        "createdTime": format_time(record.pushed),
        "lastUpdateTime": format_time(record.pushed),
        "mediaType": record.media_type,
        "tags": tags,
        "changeableAttributes": record.attributes,
    });
    let config = descriptors
        .clone()
        .find(|descriptor| descriptor.kind == DescriptorKind::Config);
    if let Some(config) = config {
        view["configMediaType"] = config.media_type.as_str().into();
        let platform = platform(registry, name, config.digest).await?;
        merge(&mut view, platform);
    }
    let children = descriptors.filter(|descriptor| descriptor.kind == DescriptorKind::Child);
    let references: Vec<Value> = children
        .map(|child| {
            let mut reference = json!({ "digest": child.digest });
            merge(&mut reference, child.platform.clone());
            reference
        })
        .collect();
    if !references.is_empty() {
        view["references"] = references.into();
    }
    Ok(view)
}

fn merge(view: &mut Value, platform: Option<Platform>) {
    let Some(platform) = platform else { return };
    if let Some(architecture) = platform.architecture {
        view["architecture"] = architecture.into();
    }
    if let Some(os) = platform.os {
        view["os"] = os.into();
    }
}

/// Returns the platform in an image's configuration. `None` if the configuration is missing, cannot be read, or is not
/// an image's.
async fn platform(
    registry: &Registry,
    name: &RepositoryName,
    config: Digest,
) -> Result<Option<Platform>, Error> {
    let content = match registry.open_blob(name, config).await {
        Ok(content) => content,
        Err(Error::BlobUnknown(_) | Error::DisallowedOperation) => return Ok(None),
        Err(error) => return Err(error),
    };
    if content.size() > CONFIG_LIMIT {
        return Ok(None);
    }
    let platform = serde_json::from_slice::<ExactObject<_>>(&content.bytes().await?);
    Ok(platform.ok().map(|Object(platform)| platform))
}
