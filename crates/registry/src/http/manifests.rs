use axum::{
    body::{Body, Bytes},
    http::{Method, StatusCode, header},
    response::Response,
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::{Answer, Call, blobs};
use crate::{Error, Reference, RepositoryName};

/// ACR's largest manifest, and OCI's least: 4 MiB.
const MANIFEST_LIMIT: usize = 4 << 20;

/// `GET`, `HEAD` (end-3), `PUT` (end-7) and `DELETE` (end-9) of a manifest.
pub(super) async fn answer(
    call: Call,
    repository: &RepositoryName,
    reference: &Reference,
) -> Answer {
    match call.method {
        Method::GET | Method::HEAD => get(call, repository, reference).await,
        Method::PUT => put(call, repository, reference).await,
        Method::DELETE => {
            call.registry.delete_manifest(repository, reference).await?;
            Ok(blobs::empty(StatusCode::ACCEPTED))
        }
        _ => Err(call.method_not_allowed("GET, HEAD, PUT, DELETE")),
    }
}

/// The stored type is served whatever the client accepts: content is addressed, not negotiated.
async fn get(call: Call, repository: &RepositoryName, reference: &Reference) -> Answer {
    let (found, bytes) = call.registry.manifest(repository, reference).await?;
    let etag = format!("\"{}\"", found.digest);
    let response = Response::builder()
        .header(header::ETAG, &etag)
        .header("docker-content-digest", found.digest.to_string());
    let known = call.header(header::IF_NONE_MATCH);
    let response = if known.is_some_and(|known| known.split(',').any(|tag| tag.trim() == etag)) {
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

async fn put(mut call: Call, repository: &RepositoryName, reference: &Reference) -> Answer {
    let bytes = read_body(std::mem::take(&mut call.body)).await?;
    let content_type = call.header(header::CONTENT_TYPE);
    let content_type = content_type.as_deref();
    let digest = call
        .registry
        .put_manifest(repository, reference, content_type, bytes)
        .await?;
    Response::builder()
        .status(StatusCode::CREATED)
        .header(
            header::LOCATION,
            format!("/v2/{repository}/manifests/{digest}"),
        )
        .header(header::CONTENT_LENGTH, 0)
        .header("docker-content-digest", digest.to_string())
        .body(Body::empty())
        .map_err(|error| Error::Internal(error.to_string()))
}

async fn read_body(body: Body) -> Result<Bytes, Error> {
    match Limited::new(body, MANIFEST_LIMIT).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Error::ManifestTooLarge {
            limit: MANIFEST_LIMIT,
        }),
        Err(error) => Err(Error::BodyIncomplete(error.to_string())),
    }
}
