use std::{
    convert::Infallible,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{extract::Request, http::header, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use rustls::{AlertDescription, ServerConfig};
#[cfg(target_os = "linux")]
use socket2::SockRef;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tower_http::timeout::TimeoutBody;

use crate::{Error, body::Body};

/// How many clients are served at a time; more wait in the system's backlog.
const CONNECTION_LIMIT: usize = 1024;

/// How long a client may take to send a request's head, or leave its connection idle.
const HEAD_LIMIT: Duration = Duration::from_secs(75);

/// How long a client may take to agree on TLS, once it has begun to.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// How long a client may send nothing in the middle of a request's body, or take nothing of an answer.
const IDLE_LIMIT: Duration = Duration::from_mins(1);

/// How long requests may go on after the emulator was told to stop.
const DRAIN_LIMIT: Duration = Duration::from_secs(4);

/// The pause after the system refused to accept a connection, for want of file descriptors perhaps.
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
        shutdown: CancellationToken,
    ) where
        H: Fn(Request) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        let server = Server {
            tls: tls.into(),
            handler,
            shutdown,
            connections: Arc::new(Semaphore::new(CONNECTION_LIMIT)),
        };
        let mut acceptors = JoinSet::new();
        for socket in self.sockets {
            let server = server.clone();
            acceptors.spawn(async move {
                let graceful = GracefulShutdown::new();
                tokio::select! {
                    () = server.accept(&socket, &graceful) => {}
                    () = server.shutdown.cancelled() => {}
                }
                drop(socket);
                if timeout(DRAIN_LIMIT, graceful.shutdown()).await.is_err() {
                    tracing::warn!("some requests did not finish in time and were cut off");
                }
            });
        }
        acceptors.join_all().await;
    }
}

/// What every connection needs.
#[derive(Clone)]
struct Server<H> {
    tls: TlsAcceptor,
    handler: H,
    shutdown: CancellationToken,
    connections: Arc<Semaphore>,
}

impl<H, F> Server<H>
where
    H: Fn(Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    async fn accept(&self, socket: &TcpListener, graceful: &GracefulShutdown) {
        loop {
            let Ok(permit) = Arc::clone(&self.connections).acquire_owned().await else {
                return;
            };
            let (stream, address) = match socket.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
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
            let (server, watcher) = (self.clone(), graceful.watcher());
            tokio::spawn(async move {
                let shutdown = server.shutdown.clone();
                match shutdown.run_until_cancelled(server.begin(stream)).await {
                    Some(Some(Connection::Plain(stream))) => {
                        server.requests(stream, peer(false), watcher).await;
                    }
                    Some(Some(Connection::Tls(stream))) => {
                        server.requests(stream, peer(true), watcher).await;
                    }
                    Some(None) | None => {}
                }
                drop(permit);
            });
        }
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

    async fn requests<S>(&self, stream: S, peer: Peer, watcher: Watcher)
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
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "a connection ended early");
        }
    }
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
        unread.drain().await;
    }
    response
}
