use std::{borrow::Cow, time::Instant};

use axum::{
    http::{Method, Uri, uri::Authority},
    response::Response,
};
use sealock_cmk::Cause;
use sealock_http::{BodyIds, LoginRefusalReason};
use uuid::Uuid;

use crate::control;

/// A request in the access log. Queries and headers are left out, since they may hold secrets.
pub(crate) struct LoggedRequest {
    began: Instant,
    method: Method,
    host: String,
    path: String,
}

impl LoggedRequest {
    pub(crate) fn begin(method: &Method, uri: &Uri, host: Option<&Authority>) -> Self {
        Self {
            began: Instant::now(),
            method: method.clone(),
            host: host.map(ToString::to_string).unwrap_or_default(),
            path: uri.path().to_owned(),
        }
    }

    /// Writes the line. It includes the cause of a revocation, the reason for a refused login, and the ids that clients
    /// print.
    pub(crate) fn end(self, response: &Response) {
        // A container's health check asks every few seconds.
        if response.status().is_success() && control::is_health(&self.path) {
            tracing::debug!(target: "sealock::request", host = %self.host, path = %self.path, "healthy");
            return;
        }
        let extensions = response.extensions();
        let cause = extensions.get::<Cause>();
        let login = extensions.get::<LoginRefusalReason>();
        let ids = Ids::of(response);
        tracing::info!(
            target: "sealock::request",
            method = %self.method,
            host = %self.host,
            path = %self.path,
            status = response.status().as_u16(),
            ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            cause = cause.map(tracing::field::display),
            login = login.map(LoginRefusalReason::as_str),
            correlation_id = ids.correlation.as_deref(),
            request_id = ids.request.as_deref(),
            client_request_id = ids.client_request.as_deref(),
            "request"
        );
    }
}

/// The ids in the headers or the body of a response.
struct Ids<'a> {
    correlation: Option<Cow<'a, str>>,
    request: Option<Cow<'a, str>>,
    client_request: Option<Cow<'a, str>>,
}

impl<'a> Ids<'a> {
    fn of(response: &'a Response) -> Self {
        let header = |name| {
            let value = response.headers().get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()))
        };
        let body = response.extensions().get::<BodyIds>();
        let in_body = |id: Option<Uuid>| id.map(|id| Cow::Owned(id.to_string()));
        Self {
            correlation: header("x-ms-correlation-request-id")
                .or_else(|| in_body(body.map(|ids| ids.correlation))),
            request: header("x-ms-request-id").or_else(|| in_body(body?.request)),
            client_request: header("x-ms-client-request-id"),
        }
    }
}
