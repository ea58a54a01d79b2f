use std::str::FromStr;

use axum::{
    body::Body,
    http::{Method, StatusCode, header},
    response::Response,
};
use sealock_core::Digest;

use super::{Answer, Call, blobs};
use crate::{Error, RepositoryName, UploadId, upload::Turn};

/// `POST` to a repository's uploads: begin (end-4a), push in one request (end-4b) or mount (end-11).
pub(super) async fn begin(call: Call, repository: &RepositoryName) -> Answer {
    if call.method != Method::POST {
        return Err(call.method_not_allowed("POST"));
    }
    if let (Some(digest), Some(from)) = (call.query("mount"), call.query("from")) {
        let (digest, from): (Digest, RepositoryName) = (digest.parse()?, from.parse()?);
        if call.registry.mount_blob(&digest, &from, repository).await? {
            return created(repository, &digest);
        }
    }
    let digest: Option<Digest> = call.query("digest").map(str::parse).transpose()?;
    let id = call.registry.begin_upload(repository).await?;
    match digest {
        Some(digest) => {
            let turn = call.registry.upload(repository, id).await?;
            finish(call, repository, turn, digest).await
        }
        None => status(StatusCode::ACCEPTED, repository, id, 0),
    }
}

/// `PATCH` (end-5), `PUT` (end-6), `GET` (end-13) and `DELETE` (end-14) of an upload.
pub(super) async fn answer(call: Call, repository: &RepositoryName, id: UploadId) -> Answer {
    let turn = call.registry.upload(repository, id).await?;
    match call.method {
        Method::GET | Method::HEAD => {
            status(StatusCode::NO_CONTENT, repository, id, turn.received())
        }
        Method::PATCH => {
            let (_, turn) = append(call, repository, turn).await?;
            status(StatusCode::ACCEPTED, repository, id, turn.received())
        }
        Method::PUT => {
            let digest = call.query("digest").ok_or(Error::DigestMissing)?.parse()?;
            finish(call, repository, turn, digest).await
        }
        Method::DELETE => {
            call.registry.cancel_upload(&turn);
            Ok(blobs::empty(StatusCode::NO_CONTENT))
        }
        _ => Err(call.method_not_allowed("GET, PATCH, PUT, DELETE")),
    }
}

/// Takes the rest of the content, if the request has a body, and completes the upload.
async fn finish(call: Call, repository: &RepositoryName, turn: Turn, digest: Digest) -> Answer {
    let (call, turn) = append(call, repository, turn).await?;
    call.registry
        .finish_upload(repository, turn, digest)
        .await?;
    created(repository, &digest)
}

async fn append(
    mut call: Call,
    repository: &RepositoryName,
    turn: Turn,
) -> Result<(Call, Turn), Error> {
    if let Some(range) = call.header(header::CONTENT_RANGE) {
        let range: ContentRange = range.parse()?;
        if range.begins != turn.received() {
            return Err(Error::RangeOutOfOrder {
                upload: turn.id,
                repository: repository.clone(),
                begins: range.begins,
                received: turn.received(),
            });
        }
        let length = call
            .header(header::CONTENT_LENGTH)
            .and_then(|length| length.parse().ok());
        if length.is_some_and(|length: u64| length != range.length) {
            let why = format!(
                "Content-Range speaks of {} bytes, Content-Length of others",
                range.length
            );
            return Err(Error::SizeInvalid(why));
        }
    }
    let body = std::mem::take(&mut call.body).into_data_stream();
    let turn = call.registry.append(turn, body).await?;
    Ok((call, turn))
}

fn created(repository: &RepositoryName, digest: &Digest) -> Answer {
    Response::builder()
        .status(StatusCode::CREATED)
        .header(header::LOCATION, format!("/v2/{repository}/blobs/{digest}"))
        .header(header::CONTENT_LENGTH, 0)
        .header("docker-content-digest", digest.to_string())
        .body(Body::empty())
        .map_err(|error| Error::Internal(error.to_string()))
}

/// Where an upload goes on. Its location is relative: some clients refuse to follow an absolute one to
/// another name of this host.
pub(super) fn status(
    status: StatusCode,
    repository: &RepositoryName,
    id: UploadId,
    received: u64,
) -> Answer {
    let mut response = Response::builder()
        .status(status)
        .header(
            header::LOCATION,
            format!("/v2/{repository}/blobs/uploads/{id}"),
        )
        // Of nothing, too, clients expect a last byte.
        .header(header::RANGE, format!("0-{}", received.saturating_sub(1)))
        .header("docker-upload-uuid", id.to_string());
    if status != StatusCode::NO_CONTENT {
        response = response.header(header::CONTENT_LENGTH, 0);
    }
    response
        .body(Body::empty())
        .map_err(|error| Error::Internal(error.to_string()))
}

/// `<start>-<end>`, the end inclusive and without the unit that RFC 9110 demands.
struct ContentRange {
    begins: u64,
    length: u64,
}

impl FromStr for ContentRange {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed = text.split_once('-').and_then(|(begins, last)| {
            let (begins, last): (u64, u64) = (begins.parse().ok()?, last.parse().ok()?);
            let length = last.checked_sub(begins)?.checked_add(1)?;
            Some(Self { begins, length })
        });
        parsed.ok_or_else(|| {
            let given: String = text.chars().take(80).collect();
            Error::SizeInvalid(format!(
                "'{given}' is not a Content-Range; expected START-END, the end inclusive"
            ))
        })
    }
}
