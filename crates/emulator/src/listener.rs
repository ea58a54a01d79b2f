mod http2;
mod protocol;

use std::{
    convert::Infallible,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::Request,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::{AlertDescription, ServerConfig};
#[cfg(target_os = "linux")]
use socket2::SockRef;
use socket2::{Domain, Socket, Type};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tower_http::timeout::TimeoutBody;

use self::protocol::Begun;
pub use self::protocol::Protocol;
use crate::{Error, body::Body};

/// The largest number of requests served at a time. An idle connection counts as one.
const PLACES: u32 = 1024;

/// The divisor of the open-file limit that gives the number of places: a request opens another file, to read or to
/// write.
const SHARE_OF_FILES: u64 = 2;

/// The time that a client waits for a place, once idle connections were told to end.
const TURN_LIMIT: Duration = Duration::from_secs(1);

/// The body of the answer to a client for whom there is no place left.
const CROWDED: &str = "{\"errors\":[{\"code\":\"UNAVAILABLE\",\"message\":\"too many clients at once\",\"detail\":null}]}\n";

/// How long a client may take to send a request's head, or leave its connection idle.
const HEAD_LIMIT: Duration = Duration::from_secs(75);

/// The largest head of a request. It has room for a path that is too long, which gets a status of its own.
const HEAD_BYTES: usize = 128 << 10;

/// How long a client may take to agree on TLS, once it has begun to.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// How long a client may send nothing in the middle of a request's body, or take nothing of an answer.
const IDLE_LIMIT: Duration = Duration::from_mins(1);

/// The time that a new client has to begin a request while others wait for its place.
const BEGIN_LIMIT: Duration = Duration::from_millis(500);

/// How long requests may go on after the emulator was told to stop.
const DRAIN_LIMIT: Duration = Duration::from_secs(4);

/// The pause before another try, after a connection could not be accepted (for want of file descriptors perhaps) or
/// found no place.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// `EAFNOSUPPORT`, which the standard library has no word for.
const NO_SUCH_FAMILY: i32 = if cfg!(target_os = "linux") { 97 } else { 47 };

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 1024;

/// The name of HTTP/2 among the protocols that a client of TLS offers.
/// <https://www.rfc-editor.org/rfc/rfc9113#section-3.2>
pub(crate) const ALPN_HTTP2: &[u8] = b"h2";

/// Who is at the other end of a request's connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    pub(crate) uses_tls: bool,
}

/// A place among the requests that are served at a time. A change keeps it to its end, even if its client has left.
#[derive(Clone, Debug)]
pub(crate) struct Place(Arc<OwnedSemaphorePermit>);

impl Place {
    /// Returns true if no request has it.
    fn is_free(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }
}

/// The addresses that the emulator listens on.
#[derive(Debug)]
pub(crate) struct Listener {
    sockets: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
}

impl Listener {
    pub(crate) fn bind(addresses: &[SocketAddr]) -> Result<Self, Error> {
        let mut sockets = Vec::new();
        let mut refused = None;
        for address in addresses {
            match listen(*address) {
                Ok(socket) => sockets.push(socket),
                // A machine without IPv6 is no reason not to serve IPv4.
                Err(source)
                    if source.kind() == io::ErrorKind::AddrNotAvailable
                        || source.raw_os_error() == Some(NO_SUCH_FAMILY) =>
                {
                    tracing::warn!(%address, error = %source, "this address is not there, so it is not served");
                    refused = Some(Error::AddressUnusable {
                        address: *address,
                        source,
                    });
                }
                Err(source) if source.kind() == io::ErrorKind::AddrInUse => {
                    return Err(Error::AddressInUse(*address));
                }
                Err(source) => {
                    return Err(Error::AddressUnusable {
                        address: *address,
                        source,
                    });
                }
            }
        }
        if let (true, Some(error)) = (sockets.is_empty(), refused) {
            return Err(error);
        }
        let addresses = sockets
            .iter()
            .map(TcpListener::local_addr)
            .collect::<io::Result<_>>()?;
        Ok(Self { sockets, addresses })
    }

    /// Where it listens, with the ports that the system chose.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Serves until `shutdown`, then lets the requests at hand finish.
    pub(crate) async fn serve<H, F>(
        self,
        tls: Arc<ServerConfig>,
        handler: H,
        open_files: u64,
        shutdown: CancellationToken,
    ) where
        H: Fn(Request) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        let limit = u32::try_from(open_files / SHARE_OF_FILES).unwrap_or(PLACES);
        let limit = limit.clamp(1, PLACES);
        let server = Server {
            tls: tls.into(),
            handler,
            shutdown,
            places: Arc::new(Semaphore::new(limit as usize)),
            crowded: Arc::default(),
        };
        let places = Arc::clone(&server.places);
        let mut acceptors = JoinSet::new();
        for socket in self.sockets {
            let server = server.clone();
            acceptors.spawn(async move {
                tokio::select! {
                    () = server.accept(&socket) => {}
                    () = server.shutdown.cancelled() => {}
                }
            });
        }
        drop(server);
        acceptors.join_all().await;
        // All places are free once every connection and every change has ended.
        if timeout(DRAIN_LIMIT, places.acquire_many(limit))
            .await
            .is_err()
        {
            tracing::warn!("some requests did not finish in time and were cut off");
        }
    }
}

/// What every connection needs.
#[derive(Clone)]
struct Server<H> {
    tls: TlsAcceptor,
    handler: H,
    shutdown: CancellationToken,
    places: Arc<Semaphore>,
    /// Tells connections that others wait. Idle connections end then.
    crowded: Arc<Notify>,
}

impl<H, F> Server<H>
where
    H: Fn(Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    async fn accept(&self, socket: &TcpListener) {
        let mut is_failing = false;
        loop {
            let (stream, address) = match socket.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Logged once, not after each pause.
                    if !is_failing {
                        tracing::warn!(%error, "connections cannot be accepted");
                    }
                    is_failing = true;
                    self.crowded.notify_waiters();
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            is_failing = false;
            let Some(place) = self.turn().await else {
                tracing::warn!(client = %address.ip(), "a client was turned away: there are too many");
                // The answer is short and goes out at once.
                let _ = timeout(ACCEPT_PAUSE, turn_away(stream)).await;
                continue;
            };
            // Answers are small or come in large batches; waiting to fill a packet only delays them.
            let _ = stream.set_nodelay(true);
            // A client that stops reading does not hold its connection for ever.
            #[cfg(target_os = "linux")]
            let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(IDLE_LIMIT));
            let peer = move |uses_tls| Peer {
                address: address.ip().to_canonical(),
                uses_tls,
            };
            let server = self.clone();
            tokio::spawn(async move {
                let shutdown = server.shutdown.clone();
                let begun = tokio::select! {
                    begun = server.begin(stream) => begun,
                    () = server.is_slow_to_begin() => None,
                    () = shutdown.cancelled() => None,
                };
                match begun {
                    Some(Connection::Http1(stream)) => {
                        server.requests(stream, peer(false), place).await;
                    }
                    Some(Connection::Http2(stream)) => {
                        http2::serve(&server, stream, peer(false), place).await;
                    }
                    Some(Connection::Tls(stream)) => {
                        let speaks_http2 = stream.get_ref().1.alpn_protocol() == Some(ALPN_HTTP2);
                        if speaks_http2 {
                            http2::serve(&server, stream, peer(true), place).await;
                        } else {
                            server.requests(stream, peer(true), place).await;
                        }
                    }
                    None => {}
                }
            });
        }
    }

    /// Takes a place. If none is free, tells idle connections to end and waits for [`TURN_LIMIT`] at most.
    async fn turn(&self) -> Option<Place> {
        let places = || Arc::clone(&self.places);
        let place = |permit| Place(Arc::new(permit));
        if let Ok(permit) = places().try_acquire_owned() {
            return Some(place(permit));
        }
        let free = async {
            loop {
                self.crowded.notify_waiters();
                // A connection that has just begun does not listen yet: it is told in a later round.
                if let Ok(permit) = timeout(ACCEPT_PAUSE, places().acquire_owned()).await {
                    return permit;
                }
            }
        };
        timeout(TURN_LIMIT, free).await.ok()?.ok().map(place)
    }

    /// Returns once an idle connection has to end.
    async fn told_to_end(&self) {
        tokio::select! {
            () = self.crowded.notified() => {}
            () = self.shutdown.cancelled() => {}
        }
    }

    /// Returns once others wait and this connection has not begun in time.
    async fn is_slow_to_begin(&self) {
        tokio::time::sleep(BEGIN_LIMIT).await;
        self.crowded.notified().await;
    }

    /// Finds out what the client speaks. `None` if it leaves, or says nothing in time.
    async fn begin(&self, stream: TcpStream) -> Option<Connection> {
        let (protocol, stream) = timeout(HEAD_LIMIT, protocol::begin(stream))
            .await
            .ok()?
            .ok()?;
        match protocol {
            Protocol::Http1 => return Some(Connection::Http1(stream)),
            Protocol::Http2 => return Some(Connection::Http2(stream)),
            Protocol::Tls => {}
        }
        match timeout(HANDSHAKE_LIMIT, self.tls.accept(stream)).await {
            Ok(Ok(stream)) => return Some(Connection::Tls(Box::new(stream))),
            Ok(Err(error)) if is_distrust(&error) => {
                tracing::warn!("a client does not trust the CA and left");
            }
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
        None
    }

    /// Serves HTTP/1, one request at a time.
    async fn requests<S>(&self, stream: S, peer: Peer, place: Place)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request: hyper::Request<Incoming>| {
            let answer = self.answer(request, peer, place.clone());
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
            () = self.told_to_end() => {
                // A connection that serves a request ends after it.
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        }
    }

    async fn answer(
        &self,
        mut request: hyper::Request<Incoming>,
        peer: Peer,
        place: Place,
    ) -> Response {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(place);
        // Whoever asks first whether to send the body has not sent it yet.
        let asks_first = request.headers().contains_key(header::EXPECT);
        let (parts, incoming) = request.into_parts();
        let (body, unread) = Body::new(incoming, parts.version);
        let body = axum::body::Body::new(TimeoutBody::new(IDLE_LIMIT, body));
        let response = (self.handler)(Request::from_parts(parts, body)).await;
        if !asks_first {
            unread.drain();
        }
        response
    }
}

/// The answer to a request for which there is no place left.
fn crowded() -> Response {
    let headers = [
        (header::RETRY_AFTER, "1"),
        (header::CONTENT_TYPE, "application/json"),
    ];
    (StatusCode::SERVICE_UNAVAILABLE, headers, CROWDED).into_response()
}

/// Answers a client without reading its request. A client of TLS or HTTP/2 sees that the answer is neither and that the
/// connection ends.
async fn turn_away(mut stream: TcpStream) -> io::Result<()> {
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable: too many open files\r\n\
        retry-after: 1\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{CROWDED}",
        CROWDED.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    // Unread data would reset the connection, and the answer would be lost.
    let mut sent = [0; 1024];
    while let Ok(1..) = stream.try_read(&mut sent) {}
    stream.shutdown().await
}

/// A connection on which requests can come.
enum Connection {
    Http1(Begun),
    Http2(Begun),
    Tls(Box<TlsStream<Begun>>),
}

/// An address of IPv6 is just that, and leaves the same of IPv4 to whoever names it.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(socket2::Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Of a process that has just ended, connections may still be in their last state.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Whether a client said that it does not know who signed the certificate.
fn is_distrust(error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|error| error.downcast_ref());
    matches!(
        error,
        Some(rustls::Error::AlertReceived(
            AlertDescription::UnknownCA
                | AlertDescription::BadCertificate
                | AlertDescription::CertificateUnknown
        ))
    )
}
