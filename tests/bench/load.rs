use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use sealock_tests::Image;
use tokio::{net::TcpStream, task::JoinSet};

/// The number of concurrent clients.
pub(crate) const CONNECTIONS: usize = 16;

/// The results of a peer under load.
pub(crate) struct Load {
    pub(crate) per_second: f64,
    pub(crate) p99: Duration,
}

/// Repeats a request on every connection as fast as it is answered. A single thread sends, so that the peer has one
/// of two cores for itself. `wrk` does not support HEAD.
pub(crate) fn run(address: &str, method: &Method, path: &'static str, duration: Duration) -> Load {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut delays = runtime.block_on(async {
        let until = Instant::now() + duration;
        let mut clients = JoinSet::new();
        for _ in 0..CONNECTIONS {
            clients.spawn(client(address.to_owned(), method.clone(), path, until));
        }
        clients.join_all().await.concat()
    });
    delays.sort_unstable();
    #[expect(
        clippy::cast_precision_loss,
        reason = "nobody counts that far in a second"
    )]
    Load {
        per_second: delays.len() as f64 / duration.as_secs_f64(),
        p99: delays[delays.len() * 99 / 100],
    }
}

/// The time of each request.
async fn client(address: String, method: Method, path: &str, until: Instant) -> Vec<Duration> {
    let stream = TcpStream::connect(&address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let mut delays = Vec::new();
    while Instant::now() < until {
        let request = Request::builder()
            .method(&method)
            .uri(path)
            .header(header::HOST, &address)
            .header(header::ACCEPT, Image::MEDIA_TYPE)
            .body(Empty::<Bytes>::new())
            .unwrap();
        let began = Instant::now();
        sender.ready().await.unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        response.into_body().collect().await.unwrap();
        delays.push(began.elapsed());
    }
    delays
}
