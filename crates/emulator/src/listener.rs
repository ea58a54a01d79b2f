use std::{
    convert::Infallible,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::{extract::Request, http::header, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::{AlertDescription, ServerConfig};
#[cfg(target_os = "linux")]
use socket2::SockRef;
use socket2::{Domain, Protocol, Socket, Type};
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

use crate::{Error, body::Body};

/// The largest number of clients served at a time.
const CONNECTION_LIMIT: u32 = 1024;

/// The divisor of the open-file limit that gives the limit of connections: a request opens another file, to read or to
/// write.
const SHARE_OF_FILES: u64 = 2;

/// The time that a client waits for a place, once idle connections were told to end.
const TURN_LIMIT: Duration = Duration::from_secs(1);

/// The answer to a client for whom there is no place left. Its request has not been read.
const NO_TURN: &str = "HTTP/1.1 503 Service Unavailable: too many open files\r\n\
    retry-after: 1\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 87\r\n\r\n\
    {\"errors\":[{\"code\":\"UNAVAILABLE\",\"message\":\"too many clients at once\",\"detail\":null}]}\n";

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

/// What the first byte of a TLS connection is: the type of its first record, a handshake.
/// <https://www.rfc-editor.org/rfc/rfc8446#section-5.1>
const TLS_HANDSHAKE: u8 = 22;

/// Who is at the other end of a request's connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    pub(crate) uses_tls: bool,
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
        let limit = u32::try_from(open_files / SHARE_OF_FILES).unwrap_or(CONNECTION_LIMIT);
        let limit = limit.clamp(1, CONNECTION_LIMIT);
        let server = Server {
            tls: tls.into(),
            handler,
            shutdown,
            connections: Arc::new(Semaphore::new(limit as usize)),
            crowded: Arc::default(),
        };
        let connections = Arc::clone(&server.connections);
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
        // All permits are free once every connection has ended.
        if timeout(DRAIN_LIMIT, connections.acquire_many(limit))
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
    connections: Arc<Semaphore>,
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
            let Some(permit) = self.turn().await else {
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
                    Some(Connection::Plain(stream)) => server.requests(stream, peer(false)).await,
                    Some(Connection::Tls(stream)) => server.requests(stream, peer(true)).await,
                    None => {}
                }
                drop(permit);
            });
        }
    }

    /// Takes a place among the connections. If none is free, tells idle connections to end and waits for
    /// [`TURN_LIMIT`] at most.
    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let connections = || Arc::clone(&self.connections);
        if let Ok(permit) = connections().try_acquire_owned() {
            return Some(permit);
        }
        let free = async {
            loop {
                self.crowded.notify_waiters();
                // A connection that has just begun does not listen yet: it is told in a later round.
                if let Ok(permit) = timeout(ACCEPT_PAUSE, connections().acquire_owned()).await {
                    return permit;
                }
            }
        };
        timeout(TURN_LIMIT, free).await.ok()?.ok()
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

    /// Tells TLS from plain HTTP by the first byte. None if the client leaves, or says nothing in time.
    async fn begin(&self, stream: TcpStream) -> Option<Connection> {
        let mut first = [0];
        match timeout(HEAD_LIMIT, stream.peek(&mut first)).await {
            Ok(Ok(1)) if first != [TLS_HANDSHAKE] => return Some(Connection::Plain(stream)),
            Ok(Ok(1)) => {}
            _ => return None,
        }
        match timeout(HANDSHAKE_LIMIT, self.tls.accept(stream)).await {
            Ok(Ok(stream)) => return Some(Connection::Tls(Box::new(stream))),
            Ok(Err(error)) if is_distrust(&error) => {
                tracing::warn!("a client does not trust the CA and left; see: sealock trust");
            }
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
        None
    }

    async fn requests<S>(&self, stream: S, peer: Peer)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(peer);
            let handler = self.handler.clone();
            async move { Ok::<_, Infallible>(answer(handler, request).await) }
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
}

/// Answers a client without reading its request. A TLS client sees that the answer is not TLS and that the connection
/// ends.
async fn turn_away(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(NO_TURN.as_bytes()).await?;
    // Unread data would reset the connection, and the answer would be lost.
    let mut sent = [0; 1024];
    while let Ok(1..) = stream.try_read(&mut sent) {}
    stream.shutdown().await
}

/// A connection on which requests can come.
enum Connection {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// An address of IPv6 is just that, and leaves the same of IPv4 to whoever names it.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
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

async fn answer<H, F>(handler: H, request: hyper::Request<Incoming>) -> Response
where
    H: Fn(Request) -> F,
    F: Future<Output = Response>,
{
    // Whoever asks first whether to send the body has not sent it yet.
    let asks_first = request.headers().contains_key(header::EXPECT);
    let (parts, incoming) = request.into_parts();
    let (body, unread) = Body::new(incoming);
    let body = axum::body::Body::new(TimeoutBody::new(IDLE_LIMIT, body));
    let response = handler(Request::from_parts(parts, body)).await;
    if !asks_first {
        // In the background: a client that sends much reads the answer meanwhile and stops.
        tokio::spawn(unread.drain());
    }
    response
}
