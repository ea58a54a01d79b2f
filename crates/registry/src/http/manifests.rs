use axum::{
    body::{Body, Bytes},
    http::{Method, StatusCode, header},
    response::Response,
};
use sealock_http::{BodyError, Query};

use super::{
    accept::{AcceptedTypes, Substitute},
    blobs,
    call::{Answer, Call, with_download_headers},
    parameter::FromQuery,
};
use crate::{Error, Reference, RepositoryName, Tag, manifests::lookup::LocatedManifest};

/// The limit of a manifest in bytes: ACR's, and the least that OCI requires.
const MANIFEST_LIMIT: usize = 4 << 20;

/// The limit of tags that a push by digest sets. The specification requires at least ten.
const TAGS_LIMIT: usize = 100;

/// `GET` and `HEAD` of a manifest (end-3).
pub(super) async fn get(call: Call, repository: &RepositoryName, reference: &Reference) -> Answer {
    let (mut found, mut bytes) = call.registry.manifest(repository, reference).await?;
    let mut tag = etag(&found);
    if !call.is_not_modified(&tag) {
        let accepted = AcceptedTypes::of(&call.headers);
        accepted.check(&found.media_type)?;
        // A request by digest gets no substitute.
        if let Reference::Tag(_) = reference
            && let Some(substitute) = accepted.substitute_for(&found.media_type, &bytes)?
        {
            let Substitute::Manifest(digest) = substitute else {
                return Err(Error::ManifestUnknown {
                    repository: repository.clone(),
                    reference: reference.clone(),
                });
            };
            let digest = Reference::Digest(digest);
            (found, bytes) = call.registry.manifest(repository, &digest).await?;
            accepted.check_substitute(&found.media_type)?;
            tag = etag(&found);
        }
    }
    let response = with_download_headers(Response::builder())
        .header(header::ETAG, &tag)
        .header("docker-content-digest", found.digest.to_string());
    let response = if call.is_not_modified(&tag) {
        response
            .status(StatusCode::NOT_MODIFIED)
            .body(Body::empty())
    } else {
        response
            .header(header::CONTENT_TYPE, found.media_type)
            .header(header::CONTENT_LENGTH, bytes.len())
            .body(match call.method {
                Method::HEAD => Body::empty(),
                _ => Body::from(bytes),
            })
    };
    response.map_err(|error| Error::Internal(error.to_string()))
}

fn etag(manifest: &LocatedManifest) -> String {
    format!("\"{}\"", manifest.digest)
}

/// `PUT` of a manifest (end-7).
pub(super) async fn put(
    mut call: Call,
    repository: &RepositoryName,
    reference: &Reference,
    tags: Result<Vec<Tag>, Error>,
) -> Answer {
    let bytes = read_body(std::mem::take(&mut call.body)).await?;
    let content_type = call.header(header::CONTENT_TYPE);
    let content_type = content_type.as_deref();
    let (provided, tags) = match reference {
        Reference::Tag(tag) => (None, vec![tag.clone()]),
        Reference::Digest(digest) => (Some(*digest), tags?),
    };
    let put = call
        .registry
        .put_manifest(repository, provided, &tags, content_type, bytes)
        .await?;
    let digest = put.digest;
    let mut response = Response::builder()
        .status(StatusCode::CREATED)
        .header(
            header::LOCATION,
            format!("/v2/{repository}/manifests/{digest}"),
        )
        .header(header::CONTENT_LENGTH, 0)
        .header("docker-content-digest", digest.to_string());
    if let Some(subject) = put.subject.filter(|_| call.registry.offers_referrers()) {
        response = response.header("oci-subject", subject.to_string());
    }
    if provided.is_some() && !tags.is_empty() {
        // In one line: many clients refuse a response with 100 header lines.
        let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
        response = response.header("oci-tag", tags.join(", "));
    }
    response
        .body(Body::empty())
        .map_err(|error| Error::Internal(error.to_string()))
}

/// `DELETE` of a manifest or a tag (end-9).
pub(super) async fn delete(
    call: Call,
    repository: &RepositoryName,
    reference: &Reference,
) -> Answer {
    call.registry.delete_manifest(repository, reference).await?;
    Ok(blobs::empty_response(StatusCode::ACCEPTED))
}

/// The tags of a push by digest (end-7b).
impl FromQuery for Vec<Tag> {
    fn from_query(query: &Query) -> Result<Self, Error> {
        let tags = query.all("tag").map(str::parse);
        let tags: Self = tags.collect::<Result<_, _>>()?;
        if tags.len() > TAGS_LIMIT {
            return Err(Error::TooManyTags {
                given: tags.len(),
                limit: TAGS_LIMIT,
            });
        }
        Ok(tags)
    }
}

async fn read_body(body: Body) -> Result<Bytes, Error> {
    let read = sealock_http::read_body(body, MANIFEST_LIMIT).await;
    read.map_err(|unread| match unread {
        BodyError::Incomplete(why) => Error::BodyIncomplete(why),
        BodyError::TooLong => Error::ManifestTooLarge {
            limit: MANIFEST_LIMIT,
        },
    })
}
