use std::ops::Range;

use axum::{
    body::Body,
    http::{HeaderValue, Method, StatusCode, header},
    response::Response,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sealock_core::Digest;

use super::{Answer, Call, range};
use crate::{Error, RepositoryName, content::Content};

/// `GET`, `HEAD` (end-2) and `DELETE` (end-10) of a blob.
pub(super) async fn answer(call: Call, repository: &RepositoryName, digest: Digest) -> Answer {
    match call.method {
        Method::GET | Method::HEAD => get(call, repository, digest).await,
        Method::DELETE => {
            call.registry.delete_blob(repository, &digest).await?;
            Ok(empty(StatusCode::ACCEPTED))
        }
        _ => Err(call.method_not_allowed("GET, HEAD, DELETE")),
    }
}

async fn get(call: Call, repository: &RepositoryName, digest: Digest) -> Answer {
    let content = call.registry.open_blob(repository, digest).await?;
    let size = content.size();
    let partial = match call.header(header::RANGE) {
        Some(value) => range::parse(&value, size)?,
        None => None,
    };
    let (status, range) = match partial {
        Some(range) => (StatusCode::PARTIAL_CONTENT, range),
        None => (StatusCode::OK, 0..size),
    };
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::CONTENT_LENGTH, range.end - range.start)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CACHE_CONTROL, "max-age=31536000")
        .header(header::ETAG, format!("\"{digest}\""))
        .header("docker-content-digest", digest.to_string());
    if status == StatusCode::PARTIAL_CONTENT {
        let value = format!("bytes {}-{}/{size}", range.start, range.end - 1);
        response = response.header(header::CONTENT_RANGE, value);
    }
    response
        .body(body(&call.method, content, range).await?)
        .map_err(|error| Error::Internal(error.to_string()))
}

/// A HEAD's body is nothing; its headers are the GET's. A GET's first bytes are opened before it is
/// answered, so that damage there is an error and not a broken connection.
async fn body(method: &Method, content: Content, range: Range<u64>) -> Result<Body, Error> {
    if method == Method::HEAD {
        return Ok(Body::empty());
    }
    let digest = content.digest();
    let mut rest = Box::pin(content.stream(range));
    let first = rest.try_next().await?;
    let rest = rest.inspect_err(move |error| {
        tracing::warn!(%digest, %error, "a download was cut short");
    });
    Ok(Body::from_stream(stream::iter(first.map(Ok)).chain(rest)))
}

pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    response
}
