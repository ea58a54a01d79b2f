use axum::{Json, http::Method, response::IntoResponse as _};
use sealock_core::Digest;
use serde_json::{Value, json};

use super::{Answer, Call, Order, about, change, limit, page, page_of, time};
use crate::{
    Error, Kind, Manifest, Reference, Registry, RepositoryName, Tag, manifest::Platform,
    manifests::ManifestRecord,
};

/// The configuration of an image is small; what is larger is another artifact's.
const CONFIG_LIMIT: u64 = 1024 * 1024;

/// `GET /acr/v1/{name}/_manifests`
pub(in super::super) async fn list(call: Call, name: &RepositoryName) -> Answer {
    if !matches!(call.method, Method::GET | Method::HEAD) {
        return Err(call.method_not_allowed("GET, HEAD"));
    }
    call.registry.check_known(name)?;
    let order = Order::of(&call)?;
    let registry = call.registry.clone();
    let mut manifests = registry.repository_manifests(name)?;
    manifests.retain(|(_, record)| record.attributes.list_enabled);
    order.sort(&mut manifests, |(_, record)| record.pushed);
    let page = page_of(&call, manifests, |(digest, _)| digest.to_string())?;
    let next = page.next(|(digest, _)| digest.to_string());
    let tags = Tags::of(&registry, name)?;
    let mut views = Vec::new();
    for (digest, record) in &page.items {
        match view(&registry, name, digest, record, &tags).await {
            Ok(view) => views.push(view),
            // Deleted since the list was read.
            Err(Error::ManifestUnknown { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let mut body = about(&call, name);
    body["manifests"] = views.into();
    page::with_link(
        Json(body).into_response(),
        limit(&call)?,
        Some(order.as_str()),
        &format!("/acr/v1/{name}/_manifests"),
        next,
    )
}

/// `GET` and `PATCH` of `/acr/v1/{name}/_manifests/{digest}`
pub(in super::super) async fn one(
    mut call: Call,
    name: &RepositoryName,
    digest: &Digest,
) -> Answer {
    let registry = call.registry.clone();
    let record = match call.method {
        Method::GET | Method::HEAD => {
            let record = registry.manifest_record(name, digest)?;
            let unknown = || Error::ManifestUnknown {
                reference: Reference::Digest(*digest),
            };
            record.ok_or_else(unknown)?.value
        }
        Method::PATCH => {
            let change = change(&mut call).await?;
            registry.change_manifest(name, digest, change).await?
        }
        _ => return Err(call.method_not_allowed("GET, HEAD, PATCH")),
    };
    let tags = Tags::of(&registry, name)?;
    let mut body = about(&call, name);
    body["manifest"] = view(&registry, name, digest, &record, &tags).await?;
    Ok(Json(body).into_response())
}

/// The tags of a repository.
struct Tags(Vec<(Tag, Digest)>);

impl Tags {
    fn of(registry: &Registry, name: &RepositoryName) -> Result<Self, Error> {
        let tags = registry.repository_tags(name)?.into_iter();
        Ok(Self(
            tags.map(|(tag, record)| (tag, record.digest)).collect(),
        ))
    }

    fn on(&self, digest: &Digest) -> Vec<&Tag> {
        let tags = self.0.iter().filter(|(_, tagged)| tagged == digest);
        tags.map(|(tag, _)| tag).collect()
    }
}

async fn view(
    registry: &Registry,
    name: &RepositoryName,
    digest: &Digest,
    record: &ManifestRecord,
    tags: &Tags,
) -> Result<Value, Error> {
    // Whoever may see what it is need not be allowed to pull it.
    let bytes = registry.manifest_of(name, digest).await?;
    let manifest = Manifest::parse(&bytes, Some(&record.media_type))?;
    let descriptors = manifest.descriptors.iter();
    let mut view = json!({
        "digest": digest,
        "imageSize": descriptors.clone().fold(0_u64, |size, found| size.saturating_add(found.size)),
        "createdTime": time(record.pushed),
        "lastUpdateTime": time(record.pushed),
        "mediaType": record.media_type,
        "tags": tags.on(digest),
        "changeableAttributes": record.attributes,
    });
    let config = descriptors
        .clone()
        .find(|descriptor| descriptor.kind == Kind::Config);
    if let Some(config) = config {
        view["configMediaType"] = config.media_type.as_str().into();
        let platform = platform(registry, name, config.digest).await;
        merge(&mut view, platform);
    }
    let children = descriptors.filter(|descriptor| descriptor.kind == Kind::Child);
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

/// None if the configuration is no image's, or is not there.
async fn platform(registry: &Registry, name: &RepositoryName, config: Digest) -> Option<Platform> {
    let content = registry.open_blob(name, config).await.ok()?;
    if content.size() > CONFIG_LIMIT {
        return None;
    }
    serde_json::from_slice(&content.bytes().await.ok()?).ok()
}
