//! The registry's HTTP: OCI Distribution's endpoints, what Docker adds, and ACR's own.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#endpoints>

mod accept;
mod acr;
mod base;
mod blobs;
mod catalog;
mod error;
mod login;
mod manifests;
mod oauth2;
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
    http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header, response::Builder},
    response::Response,
};
use sealock_core::PublicName;
use uuid::Uuid;

pub use self::error::render;
use self::path::Endpoint;
#[doc(hidden)]
pub use self::range::parse as parse_range;
use crate::{
    Error, Registry,
    access::{Permissions, Subject},
};

/// What az prints with each error; it fails without.
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-ms-correlation-request-id");

/// How a request reached its registry.
#[derive(Clone, Debug)]
pub struct Door {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Host and port, as the client named them.
    pub authority: String,
    /// The registry's own name, which its tokens bear.
    pub login_server: String,
    /// Whether whoever comes without credentials is the admin.
    pub is_open: bool,
}

impl Door {
    /// The audience of the tokens that an open door gives to whoever brings no credentials. They are good for
    /// everything there, and for nothing at a door that asks for a login.
    const OPEN: &str = "localhost";

    fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// The audience of the access tokens that `subject` gets here.
    fn audience_of(&self, subject: &Subject) -> &str {
        if self.is_open && subject.is_anonymous {
            Self::OPEN
        } else {
            &self.login_server
        }
    }

    /// The audiences of the access tokens that are good here.
    fn audiences(&self) -> Vec<&str> {
        let open = self.is_open.then_some(Self::OPEN);
        open.into_iter().chain([&*self.login_server]).collect()
    }
}

/// A request to one registry, its path parsed.
struct Call {
    registry: Registry,
    door: Door,
    method: Method,
    headers: HeaderMap,
    query: Vec<(String, String)>,
    body: Body,
    permissions: Permissions,
}

type Answer = Result<Response, Error>;

/// Answers a request to `registry`.
pub async fn answer(
    registry: Registry,
    names: &PublicName,
    door: Door,
    request: Request,
) -> Response {
    let answer = route(registry, door, request).await;
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
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(
            "Docker-Content-Digest, WWW-Authenticate, Link, X-Ms-Correlation-Request-Id",
        ),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if !headers.contains_key(CORRELATION_ID)
        && let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string())
    {
        headers.insert(CORRELATION_ID, id);
    }
    response
}

/// Keeps a browser from rendering content: it is whatever somebody pushed.
fn as_download(response: Builder) -> Builder {
    response
        .header(
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("sandbox; default-src 'none'"),
        )
        .header(
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment"),
        )
}

async fn route(registry: Registry, door: Door, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    check_slashes(&parts.uri, &parts.method)?;
    let endpoint = Endpoint::parse(parts.uri.path())?;
    let permissions = match endpoint.need(&parts.method) {
        Some(need) => login::authorise(&registry, &door, &parts.headers, &need).await?,
        None => Permissions::default(),
    };
    let call = Call {
        registry,
        door,
        method: parts.method,
        headers: parts.headers,
        query: url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect(),
        body,
        permissions,
    };
    if endpoint.is_content() {
        // A revoked registry refuses it before anything is looked up.
        call.registry.lease().await?;
    }
    match endpoint {
        Endpoint::AcrCatalog => acr::catalog(call).await,
        Endpoint::AcrManifest(name, digest) => acr::manifest(call, &name, &digest).await,
        Endpoint::AcrManifests(name) => acr::list_manifests(call, &name).await,
        Endpoint::AcrRepository(name) => acr::repository(call, &name).await,
        Endpoint::AcrTag(name, tag) => acr::tag(call, &name, &tag).await,
        Endpoint::AcrTags(name) => acr::list_tags(call, &name).await,
        Endpoint::Base => base::answer(&call),
        Endpoint::Blob(repository, digest) => blobs::answer(call, &repository, digest).await,
        Endpoint::Catalog => catalog::answer(call).await,
        Endpoint::Exchange => oauth2::exchange(call).await,
        Endpoint::Manifest(repository, reference) => {
            manifests::answer(call, &repository, &reference).await
        }
        Endpoint::Referrers(repository, subject) => {
            referrers::answer(call, &repository, subject).await
        }
        Endpoint::Tags(repository) => tags::answer(call, &repository).await,
        Endpoint::Token => oauth2::token(call).await,
        Endpoint::Upload(repository, id) => uploads::answer(call, &repository, id).await,
        Endpoint::Uploads(repository) => uploads::begin(call, &repository).await,
    }
}

/// Refuses a doubled slash, which clients make that join an address with a slash to a path with one.
fn check_slashes(uri: &Uri, method: &Method) -> Result<(), Error> {
    let path = uri.path();
    if !path.contains("//") {
        return Ok(());
    }
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    let mut single: String = segments.flat_map(|segment| ["/", segment]).collect();
    if path.ends_with('/') {
        single.push('/');
    }
    if let Some(query) = uri.query() {
        single.push('?');
        single.push_str(query);
    }
    Err(Error::SlashDoubled {
        single,
        redirects: method.is_safe(),
    })
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
    fn header(&self, name: HeaderName) -> Option<Cow<'_, str>> {
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
