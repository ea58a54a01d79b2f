use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, header};
use sealock_tests::Image;
use tokio::task::JoinSet;

use crate::connection::{Connection, runtime};

/// The number of concurrent clients.
pub(crate) const CONNECTIONS: usize = 16;

/// The results of a peer under load.
pub(crate) struct Load {
    pub(crate) requests: usize,
    pub(crate) p99: Duration,
}

/// Repeats a request on every connection as fast as it is answered. `wrk` does not support HEAD.
pub(crate) fn run(address: &str, method: &Method, path: &'static str, duration: Duration) -> Load {
    let mut delays = runtime().block_on(async {
        let until = Instant::now() + duration;
        let mut clients = JoinSet::new();
        for _ in 0..CONNECTIONS {
            clients.spawn(client(address.to_owned(), method.clone(), path, until));
        }
        clients.join_all().await.concat()
    });
    delays.sort_unstable();
    Load {
        requests: delays.len(),
        p99: delays[delays.len() * 99 / 100],
    }
}

/// The time of each request.
async fn client(address: String, method: Method, path: &str, until: Instant) -> Vec<Duration> {
    let mut connection = Connection::open(&address).await;
    let mut delays = Vec::new();
    while Instant::now() < until {
        let request = connection
            .request(&method, path)
            .header(header::ACCEPT, Image::MEDIA_TYPE);
        let began = Instant::now();
        let (head, _) = connection.send(request, Bytes::new()).await;
        assert_eq!(head.status, 200);
        delays.push(began.elapsed());
    }
    delays
}
