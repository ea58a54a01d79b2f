use std::time::Duration;

use bytes::Bytes;
use http::{Method, header};
use sealock_tests::digest_of;
use tokio::{task::JoinSet, time::Instant};

use crate::{
    choice::Choice,
    connection::{Connection, runtime},
    location::{completion_of, path_of},
    medium::Medium,
    peer::Peer,
    report::{Figure, Report, Unit},
};

const SIZE: usize = 64 * 1024;

/// The number of blobs of each client.
const BLOBS: usize = 200;

/// The number of clients that push at once.
const CLIENTS: usize = 8;

const REPOSITORY: &str = "small";

/// A blob, hashed before anything is measured.
#[derive(Clone)]
pub(crate) struct Blob {
    bytes: Bytes,
    pub(crate) digest: String,
}

impl Blob {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self {
            digest: digest_of(&bytes),
            bytes: bytes.into(),
        }
    }

    fn random() -> Self {
        let mut bytes = vec![0; SIZE];
        rand::fill(&mut bytes[..]);
        Self::new(bytes)
    }
}

/// The rate of the pushes, and the processor time that each takes.
struct Pushes {
    rate: Figure,
    cpu: Figure,
}

impl Pushes {
    fn new(what: &str) -> Self {
        let cpu = format!("{what}: processor time of each");
        Self {
            rate: Figure::new(what.to_owned(), Unit::PerSecond),
            cpu: Figure::new(cpu, Unit::Milliseconds),
        }
    }

    /// Measures `push`, which pushes this many blobs and returns the time that it took.
    fn add(&mut self, column: usize, peer: &Peer, blobs: usize, push: impl FnOnce() -> Duration) {
        let before = peer.cpu();
        let took = push();
        self.rate.add(column, per_second(blobs, took));
        if let Some((before, after)) = before.zip(peer.cpu()) {
            let each = (after - before).total() / count(blobs);
            self.cpu.add(column, each * 1e3);
        }
    }

    fn report(self, report: &mut Report) {
        report.compare(self.rate);
        report.compare(self.cpu);
    }
}

/// Measures pushes of many small blobs, one after the other and by several clients, and pulls one after the other.
pub(crate) fn measure(choice: &Choice, medium: &Medium, report: &mut Report) {
    let what = |what| format!("{what}, {}", medium.name);
    let mut pushes = Pushes::new(&what(format!("push {BLOBS} blobs of 64 KiB")));
    let mut parallel = Pushes::new(&what(format!(
        "push {BLOBS} blobs of 64 KiB from each of {CLIENTS} clients"
    )));
    let pulled = what(format!("pull {BLOBS} blobs of 64 KiB"));
    let mut pulls = Figure::new(pulled, Unit::PerSecond);
    for _ in 0..choice.rounds {
        let [one, many] = [1, CLIENTS].map(blobs_of);
        for (column, product) in choice.turns() {
            let peer = Peer::start(product, medium);
            pushes.add(column, &peer, BLOBS, || push_at_once(&peer, &one));
            pulls.add(column, per_second(BLOBS, pull(&peer, &one[0])));
            parallel.add(column, &peer, CLIENTS * BLOBS, || {
                push_at_once(&peer, &many)
            });
        }
    }
    pushes.report(report);
    parallel.report(report);
    report.compare(pulls);
}

/// Generates the blobs of each client.
fn blobs_of(clients: usize) -> Vec<Vec<Blob>> {
    let blobs = || (0..BLOBS).map(|_| Blob::random()).collect();
    (0..clients).map(|_| blobs()).collect()
}

/// Pushes the blobs of each client on a connection of its own.
fn push_at_once(peer: &Peer, of_clients: &[Vec<Blob>]) -> Duration {
    runtime().block_on(async {
        let mut connections = Vec::new();
        for blobs in of_clients {
            let connection = Connection::open(peer.address()).await;
            connections.push((connection, blobs.clone()));
        }
        let began = Instant::now();
        let mut clients = JoinSet::new();
        for (mut connection, blobs) in connections {
            clients.spawn(async move {
                for blob in &blobs {
                    push(&mut connection, REPOSITORY, blob).await;
                }
            });
        }
        clients.join_all().await;
        began.elapsed()
    })
}

fn pull(peer: &Peer, blobs: &[Blob]) -> Duration {
    runtime().block_on(async {
        let mut connection = Connection::open(peer.address()).await;
        let began = Instant::now();
        for blob in blobs {
            let path = format!("/v2/{REPOSITORY}/blobs/{}", blob.digest);
            let request = connection.request(&Method::GET, &path);
            let (head, length) = connection.send(request, Bytes::new()).await;
            assert_eq!((head.status.as_u16(), length), (200, SIZE));
        }
        began.elapsed()
    })
}

/// Pushes like Docker: POST, PATCH, PUT.
pub(crate) async fn push(connection: &mut Connection, repository: &str, blob: &Blob) {
    let begin = format!("/v2/{repository}/blobs/uploads/");
    let request = connection.request(&Method::POST, &begin);
    let (begun, _) = connection.send(request, Bytes::new()).await;
    let location = |head: &http::response::Parts| {
        let location = head.headers.get(header::LOCATION).unwrap();
        path_of(location.to_str().unwrap()).to_owned()
    };
    let request = connection
        .request(&Method::PATCH, &location(&begun))
        .header(header::CONTENT_TYPE, "application/octet-stream");
    let (sent, _) = connection.send(request, blob.bytes.clone()).await;
    let complete = completion_of(&location(&sent), &blob.digest);
    let request = connection.request(&Method::PUT, &complete);
    let (completed, _) = connection.send(request, Bytes::new()).await;
    assert_eq!(completed.status, 201);
}

fn per_second(blobs: usize, took: Duration) -> f64 {
    count(blobs) / took.as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "it is small")]
fn count(blobs: usize) -> f64 {
    blobs as f64
}
