use std::{convert::Infallible, future::Future, pin::pin};

use axum::{extract::Request, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    capacity::Slot,
    server::{HEAD_LIMIT, Peer, Server},
};

/// The size limit for the head of a request. It leaves room for an overlong path, which gets a status of its own.
const HEAD_BYTES: usize = 128 << 10;

/// Serves a connection, one request at a time, until its client leaves or it has to end.
pub(super) async fn serve<S, H, F>(server: &Server<H>, stream: S, peer: Peer, slot: Slot)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let answer = server.answer(request, peer, slot.clone());
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_header_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = server.capacity.idle_must_end() => {
            // A connection in the middle of a request ends after it.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests;
