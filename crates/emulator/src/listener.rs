//! The listener: accepts connections, detects their protocol, and serves their requests within the capacity.

mod body;
mod capacity;
mod http1;
mod http2;
mod pace;
mod paced_writer;
mod protocol;
mod server;

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{extract::Request, response::Response};
use rustls::{AlertDescription, ServerConfig};
#[cfg(target_os = "linux")]
use socket2::SockRef;
use socket2::{Domain, Socket, Type};
use tokio::{
    io::{Join, join},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

pub use self::protocol::Protocol;
pub(crate) use self::{capacity::Slot, server::Peer};
use self::{
    capacity::{Capacity, turn_away},
    paced_writer::PacedWriter,
    protocol::Peeked,
    server::{HEAD_LIMIT, Server},
};
use crate::Error;

/// The time that a client has to finish a TLS handshake.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// The time that a new client has to begin a request while others wait for its slot.
const BEGIN_LIMIT: Duration = Duration::from_millis(500);

/// The time that requests have to finish after the emulator was told to stop.
const DRAIN_LIMIT: Duration = Duration::from_secs(4);

/// The pause before the next attempt to accept a connection, after one failed or got no slot.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// `EAFNOSUPPORT`, which the standard library has no name for.
const NO_SUCH_FAMILY: i32 = if cfg!(target_os = "linux") { 97 } else { 47 };

/// The number of connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// The name of HTTP/2 among the protocols that a client of TLS offers.
/// <https://www.rfc-editor.org/rfc/rfc9113#section-3.2>
pub(crate) const ALPN_HTTP2: &[u8] = b"h2";

/// The sockets that the emulator listens on.
#[derive(Debug)]
pub(crate) struct Listener {
    sockets: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
}

impl Listener {
    /// Listens on `addresses`, except those of a protocol family that this machine lacks.
    pub(crate) fn bind(addresses: &[SocketAddr]) -> Result<Self, Error> {
        let mut sockets = Vec::new();
        let mut refused = None;
        for address in addresses {
            match listen(*address) {
                Ok(socket) => sockets.push(socket),
                // A machine without IPv6 still serves IPv4.
                Err(source)
                    if source.kind() == io::ErrorKind::AddrNotAvailable
                        || source.raw_os_error() == Some(NO_SUCH_FAMILY) =>
                {
                    tracing::warn!(%address, error = %source, "this machine does not have the address, so it is not served");
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

    /// Returns the addresses, with the ports that the system chose.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Serves requests until `shutdown`, and then lets the current ones finish.
    pub(crate) async fn serve<H, F>(
        self,
        tls: Arc<ServerConfig>,
        handler: H,
        open_files: u64,
        write_timeout: Duration,
        shutdown: CancellationToken,
    ) where
        H: Fn(Request) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        let capacity = Capacity::new(open_files, shutdown);
        let acceptor = Acceptor {
            tls: tls.into(),
            server: Server {
                handler,
                capacity: capacity.clone(),
                write_timeout,
            },
        };
        let mut accepting = JoinSet::new();
        for socket in self.sockets {
            let (acceptor, capacity) = (acceptor.clone(), capacity.clone());
            accepting.spawn(async move {
                tokio::select! {
                    () = acceptor.accept(&socket) => {}
                    () = capacity.shutdown() => {}
                }
            });
        }
        drop(acceptor);
        accepting.join_all().await;
        if !capacity.drain(DRAIN_LIMIT).await {
            tracing::warn!("some requests did not finish in time and were cut off");
        }
    }
}

/// Accepts connections and serves each in a task of its own.
#[derive(Clone)]
struct Acceptor<H> {
    tls: TlsAcceptor,
    server: Server<H>,
}

impl<H, F> Acceptor<H>
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
                    // Logs the first failure of a series, not each attempt.
                    if !is_failing {
                        tracing::warn!(%error, "connections cannot be accepted");
                    }
                    is_failing = true;
                    self.server.capacity.ask_idle_to_end();
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            is_failing = false;
            let Some(slot) = self.server.capacity.take_slot().await else {
                tracing::warn!(client = %address.ip(), "a client was turned away, since too many are connected");
                let _ = timeout(ACCEPT_PAUSE, turn_away(stream)).await;
                continue;
            };
            // Answers are small or come in large batches, so a delay to fill packets gains nothing.
            let _ = stream.set_nodelay(true);
            // Ends the connection of a client that leaves in silence, or accepts nothing of the end of an answer, which waits in
            // the system. Twice the limit lets the emulator come first, which knows the reason.
            #[cfg(target_os = "linux")]
            let _ =
                SockRef::from(&stream).set_tcp_user_timeout(Some(2 * self.server.write_timeout));
            let acceptor = self.clone();
            tokio::spawn(async move { acceptor.serve(stream, address, slot).await });
        }
    }

    /// Serves a connection until it ends.
    async fn serve(&self, stream: TcpStream, address: SocketAddr, slot: Slot) {
        let address = address.ip().to_canonical();
        let peer = |uses_tls| Peer { address, uses_tls };
        let server = &self.server;
        let negotiated = tokio::select! {
            negotiated = self.negotiate(stream, address) => negotiated,
            () = self.is_slow_to_begin() => None,
            () = server.capacity.shutdown() => None,
        };
        match negotiated {
            Some(Negotiated::Http1(stream)) => {
                http1::serve(server, stream, peer(false), slot).await;
            }
            Some(Negotiated::Http2(stream)) => {
                http2::serve(server, stream, peer(false), slot).await;
            }
            Some(Negotiated::Tls(stream)) => {
                let speaks_http2 = stream.get_ref().1.alpn_protocol() == Some(ALPN_HTTP2);
                if speaks_http2 {
                    http2::serve(server, stream, peer(true), slot).await;
                } else {
                    http1::serve(server, stream, peer(true), slot).await;
                }
            }
            None => {}
        }
    }

    /// Returns once other clients wait for a slot and this connection has not begun in time.
    async fn is_slow_to_begin(&self) {
        tokio::time::sleep(BEGIN_LIMIT).await;
        self.server.capacity.crowded().await;
    }

    /// Detects the protocol of a connection, and performs the TLS handshake. `None` if the client leaves, is too slow or
    /// refuses the certificate.
    async fn negotiate(&self, stream: TcpStream, client: IpAddr) -> Option<Negotiated> {
        let (reader, writer) = stream.into_split();
        let (protocol, reader) = timeout(HEAD_LIMIT, protocol::detect(reader))
            .await
            .ok()?
            .ok()?;
        let writer = PacedWriter::new(writer, self.server.write_timeout, client);
        let stream = join(reader, writer);
        match protocol {
            Protocol::Http1 => return Some(Negotiated::Http1(stream)),
            Protocol::Http2 => return Some(Negotiated::Http2(stream)),
            Protocol::Tls => {}
        }
        match timeout(HANDSHAKE_LIMIT, self.tls.accept(stream)).await {
            Ok(Ok(stream)) => return Some(Negotiated::Tls(Box::new(stream))),
            Ok(Err(error)) if is_distrust(&error) => {
                tracing::warn!("a client does not trust the CA and left");
            }
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
        None
    }
}

type Stream = Join<Peeked<OwnedReadHalf>, PacedWriter<OwnedWriteHalf>>;

/// A connection whose protocol is known.
enum Negotiated {
    Http1(Stream),
    Http2(Stream),
    Tls(Box<TlsStream<Stream>>),
}

/// Listens on `address`. An IPv6 address does not include the IPv4 address of the same kind.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(socket2::Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of a process that just ended may still be in `TIME_WAIT`.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Returns true if the client rejected the certificate because it does not trust the CA.
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
