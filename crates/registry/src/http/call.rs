//! A request on its way to the function that answers it.

use std::borrow::Cow;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Method, header, response::Builder},
    response::Response,
};
use sealock_http::Connection;

use crate::{
    Error, Registry,
    access::permissions::{Caller, Permissions},
};

/// The host of a registry, as the request addressed it.
#[derive(Clone, Debug)]
pub struct RegistryHost {
    /// The registry's login server, which is the audience of its tokens.
    pub login_server: String,
    /// True at the friendly door, where a caller without credentials is the admin.
    pub is_friendly: bool,
}

impl RegistryHost {
    /// The audience of the tokens that the friendly door issues to a caller without credentials. They permit everything
    /// there, and nothing at the faithful door.
    const FRIENDLY_AUDIENCE: &str = "localhost";

    /// Returns the audience of the access tokens that `caller` gets here.
    pub(super) fn audience_of(&self, caller: &Caller) -> &str {
        if self.is_friendly && caller.is_anonymous {
            Self::FRIENDLY_AUDIENCE
        } else {
            &self.login_server
        }
    }

    /// Returns the audiences of the access tokens that are accepted here.
    pub(super) fn audiences(&self) -> Vec<&str> {
        let open = self.is_friendly.then_some(Self::FRIENDLY_AUDIENCE);
        open.into_iter().chain([&*self.login_server]).collect()
    }
}

/// A request to a registry from an authorized caller.
pub(super) struct Call {
    pub(super) registry: Registry,
    pub(super) connection: Connection,
    pub(super) host: RegistryHost,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
    pub(super) permissions: Permissions,
}

pub(super) type Answer = Result<Response, Error>;

impl Call {
    /// Returns a header's value. Invalid UTF-8 in it is replaced, so that the parser of the value refuses it.
    pub(super) fn header(&self, name: HeaderName) -> Option<Cow<'_, str>> {
        Some(String::from_utf8_lossy(self.headers.get(name)?.as_bytes()))
    }

    /// Returns true if the client already has the content with this entity tag.
    pub(super) fn is_not_modified(&self, etag: &str) -> bool {
        sealock_http::is_not_modified(&self.headers, etag)
    }
}

/// Keeps a browser from rendering content, since anybody may have pushed it.
pub(super) fn with_download_headers(response: Builder) -> Builder {
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
