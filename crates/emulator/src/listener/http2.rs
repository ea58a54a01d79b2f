//! HTTP/2. A connection carries many requests at a time, so it has limits of its own.

use std::{
    cell::RefCell,
    convert::Infallible,
    future::{Future, poll_fn},
    mem,
    net::IpAddr,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::{HeaderValue, Method, header},
    response::Response,
};
use hyper::{
    body::{Frame, Incoming, SizeHint},
    rt::Executor,
    server::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    task_local,
    time::timeout,
};

use super::{
    capacity::{Slot, crowded_response},
    pace::{Pace, log_slow_reader},
    server::{HEAD_LIMIT, Peer, Server},
};

/// The number of requests at a time on one connection. Go's client sends this many before it learns the limit.
const STREAM_LIMIT: u32 = 100;

/// The size limit for the head of a request. It is small because a connection may send many at a time.
const HEAD_BYTES: u32 = 32 << 10;

/// The bytes of one body that a client may send before they are read.
const STREAM_WINDOW: u32 = 512 << 10;

/// The bytes of all bodies of a connection that a client may send before they are read.
const CONNECTION_WINDOW: u32 = 1 << 20;

/// The bytes of an answer that are buffered for the client.
const SEND_BYTES: usize = 64 << 10;

/// The bytes of an answer that are added to the buffer at a time.
const PIECE_BYTES: usize = 32 << 10;

/// The number of requests that a client may cancel before the server handles them. One more ends the connection.
/// <https://rustsec.org/advisories/RUSTSEC-2023-0034.html>
const RESET_LIMIT: usize = 20;

/// The number of streams that may be refused before the connection ends. It is large, since a client that does not know
/// the limit yet is no attacker.
/// <https://rustsec.org/advisories/RUSTSEC-2024-0003.html>
const REFUSAL_LIMIT: usize = 1024;

/// The time that a client without a request has to leave after it was asked to.
const LEAVE_LIMIT: Duration = Duration::from_secs(1);

/// Serves a connection until its client leaves, sends no request for [`HEAD_LIMIT`], or has to end.
pub(super) async fn serve<S, H, F>(server: &Server<H>, stream: S, peer: Peer, slot: Slot)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Fn(Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let streams = watch::Sender::new(0);
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let stream = Stream::begin(&streams);
        // The connection's slot serves one request. Concurrent requests need slots of their own.
        let slot = slot.is_free().then(|| slot.clone());
        let server = server.clone();
        let is_head = request.method() == Method::HEAD;
        async move {
            let slot = match slot {
                Some(slot) => Some(slot),
                None => server.capacity.take_slot().await,
            };
            let response = match &slot {
                Some(slot) => server.answer(request, peer, slot.clone()).await,
                None => crowded_response(),
            };
            let response = if is_head {
                without_body(response)
            } else {
                response
            };
            Ok::<_, Infallible>(response.map(|body| Answer {
                body,
                rest: Bytes::new(),
                handed: 0,
                _stream: stream,
                _slot: slot,
            }))
        }
    });
    let streams_of_connection = Streams {
        write_timeout: server.write_timeout,
        client: peer.address,
    };
    let connection = http2::Builder::new(streams_of_connection)
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAM_LIMIT)
        .max_header_list_size(HEAD_BYTES)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BYTES)
        .max_pending_accept_reset_streams(RESET_LIMIT)
        .max_local_error_reset_streams(REFUSAL_LIMIT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = server.capacity.idle_must_end() => None,
        () = idle_for(&streams, HEAD_LIMIT) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => ended,
                () = idle_for(&streams, LEAVE_LIMIT) => Ok(()),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "an HTTP/2 connection ended early");
    }
}

/// Returns once a connection has had no stream for `limit`.
async fn idle_for(streams: &watch::Sender<usize>, limit: Duration) {
    let mut streams = streams.subscribe();
    loop {
        let limit = match *streams.borrow_and_update() {
            0 => limit,
            _ => Duration::MAX,
        };
        // Even a short stream restarts the wait.
        if timeout(limit, streams.changed()).await.is_err() {
            return;
        }
    }
}

/// Removes the body of an answer to HEAD and keeps its length. For HTTP/1, hyper does this itself.
/// <https://www.rfc-editor.org/rfc/rfc9110#section-9.3.2>
fn without_body(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    if let Some(length @ 1..) = body.size_hint().exact() {
        let length = HeaderValue::from(length);
        head.headers.entry(header::CONTENT_LENGTH).or_insert(length);
    }
    Response::from_parts(head, Body::empty())
}

/// A stream of a connection. It is counted as long as it lives.
struct Stream(watch::Sender<usize>);

impl Stream {
    fn begin(streams: &watch::Sender<usize>) -> Self {
        streams.send_modify(|count| *count += 1);
        Self(streams.clone())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

task_local! {
    /// The pace at which the client of this task's stream accepts the answer.
    static PACE: RefCell<Pace>;
}

/// Runs the streams of a connection, and resets a stream whose client accepts the answer too slowly. The window of such a
/// stream stays closed while other streams of the connection go on. hyper does not ask for more of the body meanwhile, so
/// the body cannot notice.
#[derive(Clone)]
struct Streams {
    write_timeout: Duration,
    client: IpAddr,
}

impl<S> Executor<S> for Streams
where
    S: Future + Send + 'static,
    S::Output: Send,
{
    fn execute(&self, stream: S) {
        let client = self.client;
        let pace = RefCell::new(Pace::new(self.write_timeout));
        tokio::spawn(PACE.scope(pace, async move {
            tokio::select! {
                // The stream comes first, since it may begin or end the wait.
                biased;
                _ = stream => {}
                () = poll_fn(|context| with_pace(|pace| pace.poll_too_slow(context))) => {
                    log_slow_reader(client);
                }
            }
        }));
    }
}

fn with_pace<T>(action: impl FnOnce(&mut Pace) -> T) -> T {
    PACE.with(|pace| action(&mut pace.borrow_mut()))
}

/// The body of an answer. It comes in pieces, with the last byte of each frame by itself. hyper holds one piece while it
/// waits for room, so the stream and its slot end only after the client has accepted all but one byte.
struct Answer {
    body: Body,
    /// The rest of the last frame.
    rest: Bytes,
    /// The number of bytes in the last piece. They count as accepted once hyper asks for more.
    handed: usize,
    _stream: Stream,
    _slot: Option<Slot>,
}

impl Answer {
    fn next_piece(&mut self) -> Frame<Bytes> {
        let length = match self.rest.len() {
            length @ 0..=1 => length,
            length => PIECE_BYTES.min(length - 1),
        };
        self.handed = length;
        with_pace(Pace::wait);
        Frame::data(self.rest.split_to(length))
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let accepted = mem::take(&mut self.handed);
        with_pace(|pace| pace.advance(accepted));
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(self.next_piece())));
        }
        match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Ok(frame)) => Poll::Ready(Some(Ok(match frame.into_data() {
                Ok(data) => {
                    self.rest = data;
                    self.next_piece()
                }
                Err(trailers) => trailers,
            }))),
            ended => Poll::Ready(ended),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (body, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower() + rest);
        if let Some(upper) = body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}

#[cfg(test)]
mod tests;
