//! The registry's HTTP: OCI Distribution's endpoints, and what Docker adds.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#endpoints>

mod base;
mod blobs;
mod catalog;
mod error;
mod manifests;
mod page;
mod path;
mod range;
mod referrers;
mod tags;
mod uploads;

use std::borrow::Cow;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, header},
    response::Response,
};
use sealock_core::PublicName;
use uuid::Uuid;

pub use self::error::render;
use self::path::Endpoint;
use crate::{Error, Registry};

/// A request to one registry, its path parsed.
struct Call {
    registry: Registry,
    method: Method,
    headers: HeaderMap,
    query: Vec<(String, String)>,
    body: Body,
}

type Answer = Result<Response, Error>;

/// Answers a request to `registry`.
pub async fn answer(registry: Registry, names: &PublicName, request: Request) -> Response {
    let answer = route(registry, request).await;
    with_common_headers(answer.unwrap_or_else(|error| render(&error, names)))
}

/// Adds what every answer of a registry carries.
pub fn with_common_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    // Old Docker engines tell a v2 registry by it, on any answer.
    headers.insert(
        "docker-distribution-api-version",
        HeaderValue::from_static("registry/2.0"),
    );
    // az prints it with each error, and fails without.
    if let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
        headers.insert("x-ms-correlation-request-id", id);
    }
    response
}

async fn route(registry: Registry, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    if parts.headers.contains_key(header::AUTHORIZATION) {
        // There are no credentials yet that could be right, and wrong ones are never ignored.
        return Err(Error::Unauthorized);
    }
    let endpoint = Endpoint::parse(parts.uri.path())?;
    let call = Call {
        registry,
        method: parts.method,
        headers: parts.headers,
        query: url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect(),
        body,
    };
    if !matches!(endpoint, Endpoint::Base) {
        // A revoked registry refuses everything but the base endpoint, before anything is looked up.
        call.registry.lease().await?;
    }
    match endpoint {
        Endpoint::Base => base::answer(&call),
        Endpoint::Blob(repository, digest) => blobs::answer(call, &repository, digest).await,
        Endpoint::Catalog => catalog::answer(&call),
        Endpoint::Manifest(repository, reference) => {
            manifests::answer(call, &repository, &reference).await
        }
        Endpoint::Referrers(repository, subject) => {
            referrers::answer(call, &repository, subject).await
        }
        Endpoint::Tags(repository) => tags::answer(&call, &repository),
        Endpoint::Upload(repository, id) => uploads::answer(call, &repository, id).await,
        Endpoint::Uploads(repository) => uploads::begin(call, &repository).await,
    }
}

impl Call {
    /// The first query parameter of this name.
    fn query(&self, name: &str) -> Option<&str> {
        let mut parameters = self.query.iter();
        parameters
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// A header's value. What is no text in it is replaced, and so refused by whoever parses it.
    fn header(&self, name: header::HeaderName) -> Option<Cow<'_, str>> {
        Some(String::from_utf8_lossy(self.headers.get(name)?.as_bytes()))
    }

    /// Whether the client has what has this tag already, and need not be sent it again.
    ///
    /// <https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2>
    fn knows(&self, etag: &str) -> bool {
        let values = self.headers.get_all(header::IF_NONE_MATCH).iter();
        let mut tags = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim);
        tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
    }

    fn method_not_allowed(&self, allowed: &'static str) -> Error {
        Error::MethodNotAllowed {
            method: self.method.to_string(),
            allowed,
        }
    }
}
