use std::{convert::Infallible, future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{extract::Request, http::header, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;
use tower_http::timeout::TimeoutBody;

use crate::{Error, body::Body};

/// How many clients are served at a time; more wait in the system's backlog.
const CONNECTION_LIMIT: usize = 1024;

/// How long a client may take to send a request's head, or leave its connection idle.
const HEAD_LIMIT: Duration = Duration::from_secs(75);

/// How long a client may send nothing in the middle of a request's body.
const IDLE_LIMIT: Duration = Duration::from_mins(1);

/// How long requests may go on after the emulator was told to stop.
const DRAIN_LIMIT: Duration = Duration::from_secs(4);

/// The pause after the system refused to accept a connection, for want of file descriptors perhaps.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The addresses that the emulator listens on.
#[derive(Debug)]
pub(crate) struct Listener {
    sockets: Vec<TcpListener>,
    addresses: Vec<SocketAddr>,
}

impl Listener {
    /// Listens on loopback addresses only: the friendly door asks for no login.
    pub(crate) async fn bind(addresses: &[SocketAddr]) -> Result<Self, Error> {
        let mut sockets = Vec::new();
        let mut refused = None;
        for address in addresses {
            if !address.ip().is_loopback() {
                return Err(Error::NotLoopback(*address));
            }
            match TcpListener::bind(address).await {
                Ok(socket) => sockets.push(socket),
                // A machine without IPv6 is no reason not to serve IPv4.
                Err(source) if source.kind() == io::ErrorKind::AddrNotAvailable => {
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
    pub(crate) async fn serve<H, F>(self, handler: H, shutdown: CancellationToken)
    where
        H: Fn(Request) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        let connections = Arc::new(Semaphore::new(CONNECTION_LIMIT));
        let mut acceptors = JoinSet::new();
        for socket in self.sockets {
            let (handler, shutdown, connections) =
                (handler.clone(), shutdown.clone(), Arc::clone(&connections));
            acceptors.spawn(async move {
                let graceful = GracefulShutdown::new();
                tokio::select! {
                    () = accept(&socket, handler, &connections, &graceful) => {}
                    () = shutdown.cancelled() => {}
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

async fn accept<H, F>(
    socket: &TcpListener,
    handler: H,
    connections: &Arc<Semaphore>,
    graceful: &GracefulShutdown,
) where
    H: Fn(Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    loop {
        let Ok(permit) = Arc::clone(connections).acquire_owned().await else {
            return;
        };
        let stream = match socket.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Answers are small or come in large batches; waiting to fill a packet only delays them.
        let _ = stream.set_nodelay(true);
        let handler = handler.clone();
        let service = service_fn(move |request| {
            let handler = handler.clone();
            async move { Ok::<_, Infallible>(answer(handler, request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_LIMIT)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(permit);
        });
    }
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
