use std::{future::Future, net::IpAddr, time::Duration};

use axum::{extract::Request, http::header, response::Response};
use hyper::body::Incoming;

use super::{
    body::Body,
    capacity::{Capacity, Slot},
};

/// The time that a client has to send the head of a request, or may leave its connection idle.
pub(super) const HEAD_LIMIT: Duration = Duration::from_secs(75);

/// The client at the other end of a request's connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    pub(crate) uses_tls: bool,
}

/// The handler of requests, with the capacity that all connections share.
#[derive(Clone)]
pub(super) struct Server<H> {
    pub(super) handler: H,
    pub(super) capacity: Capacity,
    /// The time in which a client has to accept [`LEAST_BYTES`](super::pace::LEAST_BYTES) of an answer.
    pub(super) write_timeout: Duration,
}

impl<H, F> Server<H>
where
    H: Fn(Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    /// Answers a request, and discards what the handler leaves unread of its body.
    pub(super) async fn answer(
        &self,
        mut request: hyper::Request<Incoming>,
        peer: Peer,
        slot: Slot,
    ) -> Response {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(slot);
        // A client that sends `Expect` has not sent the body yet.
        let expects_continue = request.headers().contains_key(header::EXPECT);
        let (parts, incoming) = request.into_parts();
        let (body, unread) = Body::new(incoming, parts.version);
        let body = axum::body::Body::new(body);
        let response = (self.handler)(Request::from_parts(parts, body)).await;
        if !expects_continue {
            unread.drain();
        }
        response
    }
}
