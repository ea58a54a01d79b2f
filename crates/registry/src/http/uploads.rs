use std::str::FromStr;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::Response,
};
use sealock_core::{Algorithm, Digest, excerpt};
use sealock_http::Query;

use super::{
    blobs,
    call::{Answer, Call},
    parameter::FromQuery,
};
use crate::{
    Error, RepositoryName, UploadId, access::permissions::Action, upload::staging::LockedUpload,
};

/// A request to mount a blob from another repository.
#[derive(Debug)]
pub(super) struct Mount {
    digest: Digest,
    /// The only repository to mount from. `None` allows any.
    from: Option<RepositoryName>,
}

impl FromQuery for Option<Mount> {
    fn from_query(query: &Query) -> Result<Self, Error> {
        let Some(digest) = query.first("mount") else {
            return Ok(None);
        };
        Ok(Some(Mount {
            digest: digest.parse()?,
            from: query.first("from").map(str::parse).transpose()?,
        }))
    }
}

/// The digest of an upload that this request completes.
impl FromQuery for Digest {
    fn from_query(query: &Query) -> Result<Self, Error> {
        <Option<Self>>::from_query(query)?.ok_or(Error::DigestMissing)
    }
}

/// The digest of an upload, if this request completes it.
impl FromQuery for Option<Digest> {
    fn from_query(query: &Query) -> Result<Self, Error> {
        Ok(query.first("digest").map(str::parse).transpose()?)
    }
}

/// The algorithm of the digest that will complete the upload.
impl FromQuery for Algorithm {
    fn from_query(query: &Query) -> Result<Self, Error> {
        let algorithm = query.first("digest-algorithm").map(str::parse);
        Ok(algorithm.transpose()?.unwrap_or_default())
    }
}

/// `POST` to a repository's uploads: begin (end-4a), push in one request (end-4b) or mount (end-11).
pub(super) async fn begin(
    call: Call,
    repository: &RepositoryName,
    mount: Result<Option<Mount>, Error>,
    digest: Result<Option<Digest>, Error>,
    algorithm: Result<Algorithm, Error>,
) -> Answer {
    call.registry.check_writable(repository).await?;
    if let Some(Mount { digest, from }) = mount? {
        // A caller who may not read the source has to push the blob, and does not learn that it is there.
        let may_mount = match &from {
            Some(from) => call.permissions.allows(from.as_str(), Action::Pull),
            None => call.permissions.allows_everywhere(Action::Pull),
        };
        if may_mount
            && call
                .registry
                .mount_blob(&digest, from.as_ref(), repository)
                .await?
        {
            return created_response(repository, &digest);
        }
    }
    if let Some(digest) = digest? {
        let upload = call.registry.begin_whole_upload(digest.algorithm()).await?;
        return Box::pin(complete(call, repository, upload, digest)).await;
    }
    let id = call.registry.begin_upload(repository, algorithm?).await?;
    progress_response(StatusCode::ACCEPTED, repository, id, 0)
}

/// `GET` of an upload's progress (end-13).
pub(super) async fn get(call: Call, repository: &RepositoryName, id: UploadId) -> Answer {
    let upload = call.registry.open_upload(repository, id).await?;
    progress_response(StatusCode::NO_CONTENT, repository, id, upload.received())
}

/// `PATCH` of an upload (end-5): appends a chunk.
pub(super) async fn resume(call: Call, repository: &RepositoryName, id: UploadId) -> Answer {
    let upload = call.registry.open_upload(repository, id).await?;
    call.registry.check_writable(repository).await?;
    let (call, upload) = receive_body(call, repository, upload).await?;
    let upload = call.registry.save_upload(repository, upload).await?;
    progress_response(StatusCode::ACCEPTED, repository, id, upload.received())
}

/// `PUT` of an upload (end-6): completes it.
pub(super) async fn finish(
    call: Call,
    repository: &RepositoryName,
    id: UploadId,
    digest: Result<Digest, Error>,
) -> Answer {
    let upload = call.registry.open_upload(repository, id).await?;
    let digest = digest?;
    call.registry.check_writable(repository).await?;
    Box::pin(complete(call, repository, upload, digest)).await
}

/// `DELETE` of an upload (end-14).
pub(super) async fn cancel(call: Call, repository: &RepositoryName, id: UploadId) -> Answer {
    call.registry.cancel_upload(repository, id).await?;
    Ok(blobs::empty_response(StatusCode::NO_CONTENT))
}

/// Receives the rest of the content, if the request has a body, and completes the upload.
async fn complete(
    call: Call,
    repository: &RepositoryName,
    upload: LockedUpload,
    digest: Digest,
) -> Answer {
    let (call, upload) = receive_body(call, repository, upload).await?;
    call.registry
        .finish_upload(repository, upload, digest)
        .await?;
    created_response(repository, &digest)
}

/// Appends the body to the upload, at the place that its `Content-Range` names.
async fn receive_body(
    mut call: Call,
    repository: &RepositoryName,
    upload: LockedUpload,
) -> Result<(Call, LockedUpload), Error> {
    let range = ContentRange::of(&call.headers)?;
    let start = upload.received();
    if let Some(range) = &range {
        if !upload.continues_at(range.start) {
            return Err(Error::RangeOutOfOrder {
                upload: upload.id,
                repository: repository.clone(),
                start: range.start,
                received: start,
            });
        }
        let length = call.header(header::CONTENT_LENGTH);
        let length: Option<u64> = length.and_then(|length| length.parse().ok());
        if let Some(length) = length {
            range.check_length(length)?;
        }
    }
    let body = std::mem::take(&mut call.body).into_data_stream();
    let mut upload = call.registry.append(upload, body).await?;
    if let Some(range) = range {
        let checked = range.check_length(upload.received() - start);
        checked.inspect_err(|_| upload.discard_unsaved())?;
    }
    Ok((call, upload))
}

fn created_response(repository: &RepositoryName, digest: &Digest) -> Answer {
    Response::builder()
        .status(StatusCode::CREATED)
        .header(header::LOCATION, format!("/v2/{repository}/blobs/{digest}"))
        .header(header::CONTENT_LENGTH, 0)
        .header("docker-content-digest", digest.to_string())
        .body(Body::empty())
        .map_err(|error| Error::Internal(error.to_string()))
}

fn progress_response(
    status: StatusCode,
    repository: &RepositoryName,
    id: UploadId,
    received: u64,
) -> Answer {
    let mut response = blobs::empty_response(status);
    if status == StatusCode::NO_CONTENT {
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    response
        .headers_mut()
        .extend(progress_headers(repository, id, received)?);
    Ok(response)
}

/// Returns the headers that tell where an upload continues. The location is relative: some clients refuse to follow an
/// absolute one to another name of this host.
pub(super) fn progress_headers(
    repository: &RepositoryName,
    id: UploadId,
    received: u64,
) -> Result<HeaderMap, Error> {
    let value = |text: String| {
        HeaderValue::from_str(&text).map_err(|error| Error::Internal(error.to_string()))
    };
    let location = format!("/v2/{repository}/blobs/uploads/{id}");
    Ok(HeaderMap::from_iter([
        (header::LOCATION, value(location)?),
        // Clients expect a last byte even of an empty upload.
        (
            header::RANGE,
            value(format!("0-{}", received.saturating_sub(1)))?,
        ),
        (
            HeaderName::from_static("docker-upload-uuid"),
            value(id.to_string())?,
        ),
    ]))
}

/// A `Content-Range` of the form `<start>-<end>`. The end is inclusive, and the unit that RFC 9110 demands is missing.
struct ContentRange {
    start: u64,
    length: u64,
}

impl ContentRange {
    /// Returns the `Content-Range` of a request, if it has one.
    fn of(headers: &HeaderMap) -> Result<Option<Self>, Error> {
        let mut values = headers.get_all(header::CONTENT_RANGE).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            let why = "there is more than one Content-Range".to_owned();
            return Err(Error::SizeInvalid(why));
        }
        String::from_utf8_lossy(value.as_bytes()).parse().map(Some)
    }

    fn check_length(&self, found: u64) -> Result<(), Error> {
        if found == self.length {
            return Ok(());
        }
        Err(Error::SizeInvalid(format!(
            "the Content-Range has {} bytes, but the body has {found}",
            self.length
        )))
    }
}

impl FromStr for ContentRange {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let parsed = text.split_once('-').and_then(|(start, last)| {
            if !digits(start) || !digits(last) {
                return None;
            }
            let (start, last): (u64, u64) = (start.parse().ok()?, last.parse().ok()?);
            let length = last.checked_sub(start)?.checked_add(1)?;
            Some(Self { start, length })
        });
        parsed.ok_or_else(|| Error::ContentRangeInvalid(excerpt(text).to_owned()))
    }
}
