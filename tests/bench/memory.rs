use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    thread,
    time::Duration,
};

use sealock_tests::random_bytes;

use crate::{
    choice::Choice,
    connection::{Connection, runtime},
    medium::Medium,
    peer::Peer,
    report::{Figure, Report, Unit},
    small::{self, Blob},
    transfer::{self, Source},
};

/// The number of large blobs that are pushed at once.
const PUSHES: usize = 8;

/// The number of clients that pull at once.
const PULLS: usize = 200;

/// The number of clients that ask for a blob and never read it.
const IDLERS: usize = 1000;

/// The size of the blob for both.
const PULLED: usize = 64 << 20;

/// The time after which nothing changes any more, such as after a start or for a client that does not read.
const SETTLED: Duration = Duration::from_millis(500);

/// Measures resident memory: idle, and at its peak while many clients push or pull together. A peak is measured once
/// for each peer, since it takes long and hardly varies.
pub(crate) fn measure(choice: &Choice, medium: &Medium, source: &Source, report: &mut Report) {
    let mut idle = Figure::new("resident memory, idle".to_owned(), Unit::Megabytes);
    for _ in 0..choice.rounds {
        for (column, product) in choice.turns_of_started() {
            let peer = Peer::start(product, medium);
            thread::sleep(SETTLED);
            idle.add(column, peer.memory("VmRSS"));
        }
    }
    report.compare(idle);

    let what = format!("resident memory, peak of {PUSHES} pushes of 1 GiB at once");
    let mut peak = Figure::new(what, Unit::Megabytes);
    for (column, product) in choice.turns_of_started() {
        let peer = Peer::start(product, medium);
        let repositories: Vec<_> = (0..PUSHES)
            .map(|number| format!("large-{number}"))
            .collect();
        let sent: Vec<_> = repositories
            .iter()
            .map(|repository| transfer::begin(&peer, None, repository))
            .map(|location| transfer::send(&peer, None, source, &location))
            .collect();
        for sent in sent {
            transfer::complete(&peer, None, source, sent);
        }
        peak.add(column, peer.memory("VmHWM"));
    }
    report.compare(peak);

    let what = format!("resident memory, peak of {PULLS} pulls of 64 MiB at once");
    let mut pulled = Figure::new(what, Unit::Megabytes);
    let what = format!("resident memory, {IDLERS} clients that never read");
    let mut ignored = Figure::new(what, Unit::Megabytes);
    let blob = Blob::new(random_bytes(PULLED));
    for (column, product) in choice.turns_of_started() {
        for (figure, pull) in [
            (&mut pulled, pull_together as fn(&Peer, &str)),
            (&mut ignored, pull_nothing),
        ] {
            let peer = Peer::start(product, medium);
            runtime().block_on(async {
                let mut connection = Connection::open(peer.address()).await;
                small::push(&mut connection, "pulled", &blob).await;
            });
            pull(&peer, &format!("/v2/pulled/blobs/{}", blob.digest));
            figure.add(column, peer.memory("VmHWM"));
        }
    }
    report.compare(pulled);
    report.compare(ignored);
}

fn pull_together(peer: &Peer, path: &str) {
    thread::scope(|scope| {
        for _ in 0..PULLS {
            scope.spawn(|| {
                let read = io::copy(&mut request(peer, path), &mut io::sink()).unwrap();
                assert!(read > PULLED as u64, "the whole blob");
            });
        }
    });
}

fn pull_nothing(peer: &Peer, path: &str) {
    let clients: Vec<_> = (0..IDLERS).map(|_| request(peer, path)).collect();
    for mut client in &clients {
        client.read_exact(&mut [0]).unwrap();
    }
    thread::sleep(SETTLED);
}

/// Sends a request and returns the connection, which ends with the answer.
fn request(peer: &Peer, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(peer.address()).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    stream
}
