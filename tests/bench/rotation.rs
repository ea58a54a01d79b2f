use std::thread;

use sealock_tests::digest_of;

use crate::{
    median::{median, time},
    medium::Medium,
    peer::Peer,
    product::Product,
    report::{Report, Unit},
};

/// More samples than elsewhere: each rotation generates an RSA key, which takes a random time.
const ROUNDS: usize = 25;

const FEW: usize = 10;
const MANY: usize = 10_000;

/// The number of clients that fill the registry.
const CLIENTS: usize = 4;

/// Measures `sealock key rotate`, which returns once the registry follows, independently of its content.
pub(crate) fn measure(medium: &Medium, report: &mut Report) {
    let peers = [FEW, MANY].map(|blobs| {
        let peer = Peer::start(&Product::Sealock, medium);
        fill(&peer, blobs);
        peer
    });
    let mut samples = [const { Vec::new() }; 2];
    for _ in 0..ROUNDS {
        for (peer, samples) in peers.iter().zip(&mut samples) {
            let (.., took) = time(|| peer.cli(&["key", "rotate"]));
            samples.push(took.as_secs_f64() * 1e3);
        }
    }
    let [few, many] = samples.map(median);
    let what = |blobs| format!("rotate the key of {blobs} blobs, median of {ROUNDS}");
    report.state(&what(FEW), Unit::Milliseconds, few);
    report.state(&what(MANY), Unit::Milliseconds, many);
    report.note(format!(
        "Rotation with {MANY} blobs takes {:.2} times that with {FEW}.",
        many / few
    ));
}

fn fill(peer: &Peer, blobs: usize) {
    thread::scope(|scope| {
        for first in 0..CLIENTS {
            let client = peer.client();
            scope.spawn(move || {
                for number in (first..blobs).step_by(CLIENTS) {
                    let blob = format!("blob {number}").into_bytes();
                    let path = format!("/v2/many/blobs/uploads/?digest={}", digest_of(&blob));
                    assert_eq!(client.send("POST", &path, &[], &blob).status, 201);
                }
            });
        }
    });
}
