use axum::{
    Json,
    http::{HeaderValue, header},
    response::IntoResponse as _,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sealock_core::Digest;
use sealock_http::{MatchedRequest, Parameter, page::set_next_link};
use serde_json::json;

use super::{
    call::{Answer, Call},
    page::{self, PageQuery},
};
use crate::{Error, RepositoryName};

/// The type of an OCI index. Clients compare it byte by byte.
const INDEX: HeaderValue = HeaderValue::from_static("application/vnd.oci.image.index.v1+json");

/// The type of the referrers that a client requests. An empty parameter selects all types.
#[derive(Debug)]
pub(super) struct ArtifactType(Option<String>);

impl Parameter<Error> for ArtifactType {
    fn read(request: &MatchedRequest<'_>, _name: &'static str) -> Result<Self, Error> {
        let wanted = request.query.non_empty("artifactType");
        Ok(Self(wanted.map(str::to_owned)))
    }
}

/// `GET` of the referrers of a manifest (end-12a, end-12b).
pub(super) async fn list(
    call: Call,
    repository: &RepositoryName,
    subject: Digest,
    ArtifactType(artifact_type): ArtifactType,
    page_query: Result<PageQuery, Error>,
) -> Answer {
    if !call.registry.offers_referrers() {
        return Err(Error::ReferrersUnsupported);
    }
    let page_query = page_query?;
    let limit = page_query.limit.unwrap_or(page::PAGE_LIMIT);
    let (artifact_type, last) = (artifact_type.as_deref(), page_query.last.as_deref());
    let page = call
        .registry
        .referrers(repository, &subject, artifact_type, last, limit)
        .await?;
    let next = page.items.last().filter(|_| page.has_more).map(|last| {
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let filter = artifact_type.map_or_else(String::new, |wanted| {
            format!("&artifactType={}", encode(wanted))
        });
        let last = encode(&last.digest.to_string());
        format!("/v2/{repository}/referrers/{subject}?last={last}&n={limit}{filter}")
    });
    let mut response = Json(json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": page.items,
    }))
    .into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, INDEX);
    if artifact_type.is_some() {
        let applied = HeaderValue::from_static("artifactType");
        headers.insert("oci-filters-applied", applied);
    }
    set_next_link(&mut response, next.as_deref());
    Ok(response)
}
