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
    access::permissions::{Permissions, Subject},
};

/// The registry that a request is for, at the door through which it came.
#[derive(Clone, Debug)]
pub struct RegistryHost {
    /// The registry's own name, which its tokens bear.
    pub login_server: String,
    /// True where whoever comes without credentials is the admin.
    pub is_open: bool,
}

impl RegistryHost {
    /// The audience of the tokens that an open door gives to whoever brings no credentials. They are good for
    /// everything there, and for nothing at a door that asks for a login.
    const OPEN: &str = "localhost";

    /// The audience of the access tokens that `subject` gets here.
    pub(super) fn audience_of(&self, subject: &Subject) -> &str {
        if self.is_open && subject.is_anonymous {
            Self::OPEN
        } else {
            &self.login_server
        }
    }

    /// The audiences of the access tokens that are good here.
    pub(super) fn audiences(&self) -> Vec<&str> {
        let open = self.is_open.then_some(Self::OPEN);
        open.into_iter().chain([&*self.login_server]).collect()
    }
}

/// A request to one registry, of somebody who may do what it asks for.
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
    /// A header's value. What is no text in it is replaced, and so refused by whoever parses it.
    pub(super) fn header(&self, name: HeaderName) -> Option<Cow<'_, str>> {
        Some(String::from_utf8_lossy(self.headers.get(name)?.as_bytes()))
    }

    /// Returns true for a client that has what has this tag already.
    pub(super) fn is_not_modified(&self, etag: &str) -> bool {
        sealock_http::is_not_modified(&self.headers, etag)
    }
}

/// Keeps a browser from rendering content: it is whatever somebody pushed.
pub(super) fn as_download(response: Builder) -> Builder {
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
