use std::ops::Range;

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, Method, StatusCode, header, response::Builder},
    response::Response,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sealock_core::Digest;

use uuid::Uuid;

use super::{
    call::{Answer, Call, with_download_headers},
    range,
};
use crate::{Error, RepositoryName, content::object::Content};

const OCTETS: &str = "application/octet-stream";

/// `GET` and `HEAD` of a blob (end-2).
pub(super) async fn get(call: Call, repository: &RepositoryName, digest: Digest) -> Answer {
    if call.method != Method::HEAD {
        return answer(call, repository, digest).await;
    }
    let registry = call.registry.clone();
    let answer = answer(call, repository, digest).await?;
    // A client that checks for the blob may refer to it without pushing it.
    match registry.renew_blob(repository, &digest).await {
        // The blob exists in any case, and clients that only pull check for it, too.
        Err(error) if error.fault().is_some() => {
            tracing::warn!(%error, "the request of a blob could not be recorded");
        }
        renewed => renewed?,
    }
    Ok(answer)
}

/// `DELETE` of a blob (end-10).
pub(super) async fn delete(call: Call, repository: &RepositoryName, digest: Digest) -> Answer {
    call.registry.delete_blob(repository, &digest).await?;
    Ok(empty_response(StatusCode::ACCEPTED))
}

async fn answer(call: Call, repository: &RepositoryName, digest: Digest) -> Answer {
    let content = call.registry.open_blob(repository, digest).await?;
    let size = content.size();
    let etag = format!("\"{digest}\"");
    if call.is_not_modified(&etag) {
        return blob_response(&etag, digest)
            .status(StatusCode::NOT_MODIFIED)
            .body(Body::empty())
            .map_err(|error| Error::Internal(error.to_string()));
    }
    let ranges = match call.header(header::RANGE) {
        // No other method has ranges. <https://www.rfc-editor.org/rfc/rfc9110#section-14.2>
        Some(value) if call.method == Method::GET => range::parse(&value, size)?,
        _ => Vec::new(),
    };
    let response = blob_response(&etag, digest);
    let response = match <[Range<u64>; 1]>::try_from(ranges) {
        Ok([range]) => response
            .status(StatusCode::PARTIAL_CONTENT)
            .header(header::CONTENT_TYPE, OCTETS)
            .header(header::CONTENT_LENGTH, range.end - range.start)
            .header(header::CONTENT_RANGE, content_range(&range, size))
            .body(body(&call.method, content, range).await?),
        Err(ranges) if ranges.is_empty() => response
            .status(StatusCode::OK)
            .header(header::CONTENT_TYPE, OCTETS)
            .header(header::CONTENT_LENGTH, size)
            .body(body(&call.method, content, 0..size).await?),
        Err(ranges) => {
            let parts = Parts::new(ranges, size);
            response
                .status(StatusCode::PARTIAL_CONTENT)
                .header(header::CONTENT_TYPE, parts.content_type())
                .header(header::CONTENT_LENGTH, parts.len())
                .body(parts.body(&call.method, content))
        }
    };
    response.map_err(|error| Error::Internal(error.to_string()))
}

fn blob_response(etag: &str, digest: Digest) -> Builder {
    with_download_headers(Response::builder())
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CACHE_CONTROL, "max-age=31536000")
        .header(header::ETAG, etag)
        .header("docker-content-digest", digest.to_string())
}

fn content_range(range: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", range.start, range.end - 1)
}

/// Several ranges in one response. <https://www.rfc-editor.org/rfc/rfc9110#section-14.6>
struct Parts {
    boundary: String,
    /// The head and the range of each part.
    ranges: Vec<(String, Range<u64>)>,
    end: String,
}

impl Parts {
    fn new(ranges: Vec<Range<u64>>, size: u64) -> Self {
        // Random, so that no content can contain it on purpose.
        let boundary = Uuid::new_v4().simple().to_string();
        let part = |range: Range<u64>| {
            let content_range = content_range(&range, size);
            let head = format!(
                "\r\n--{boundary}\r\nContent-Type: {OCTETS}\r\nContent-Range: {content_range}\r\n\r\n"
            );
            (head, range)
        };
        Self {
            ranges: ranges.into_iter().map(part).collect(),
            end: format!("\r\n--{boundary}--\r\n"),
            boundary,
        }
    }

    fn content_type(&self) -> String {
        format!("multipart/byteranges; boundary={}", self.boundary)
    }

    fn len(&self) -> u64 {
        let parts = self.ranges.iter();
        let lengths = parts.map(|(head, range)| head.len() as u64 + range.end - range.start);
        lengths.sum::<u64>() + self.end.len() as u64
    }

    /// Each range is opened when the client gets to it.
    fn body(self, method: &Method, content: Content) -> Body {
        if method == Method::HEAD {
            return Body::empty();
        }
        let once = |text: String| stream::iter([Ok::<_, Error>(Bytes::from(text))]);
        let parts = stream::iter(self.ranges)
            .flat_map(move |(head, range)| once(head).chain(content.clone().stream(range)));
        Body::from_stream(parts.chain(once(self.end)))
    }
}

/// Returns the body of a response, which is empty for HEAD. The first bytes are opened before the response starts, so
/// that damage there is an error and not a broken connection.
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

pub(super) fn empty_response(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    response
}
