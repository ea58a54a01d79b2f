use std::time::Instant;

use axum::{
    http::{Method, Uri, uri::Authority},
    response::Response,
};
use sealock_cmk::Cause;

/// A request, as the log remembers it. Queries and headers stay out: they may hold secrets.
pub(crate) struct Logged {
    began: Instant,
    method: Method,
    host: String,
    path: String,
}

impl Logged {
    pub(crate) fn begin(method: &Method, uri: &Uri, host: Option<&Authority>) -> Self {
        Self {
            began: Instant::now(),
            method: method.clone(),
            host: host.map(ToString::to_string).unwrap_or_default(),
            path: uri.path().to_owned(),
        }
    }

    /// Writes the line, with the cause where the gate refused.
    pub(crate) fn end(self, response: &Response) {
        let cause = response.extensions().get::<Cause>();
        tracing::info!(
            target: "sealock::request",
            method = %self.method,
            host = %self.host,
            path = %self.path,
            status = response.status().as_u16(),
            ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            cause = cause.map(tracing::field::display),
            "request"
        );
    }
}
