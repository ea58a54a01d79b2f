use std::time::Duration;

use bytes::Bytes;
use http::{Method, header};
use sealock_tests::Image;

use crate::{
    choice::Choice,
    connection::{Connection, runtime},
    load,
    medium::Medium,
    peer::Peer,
    report::{Figure, Report, Unit},
    small::{self, Blob},
};

const TAGGED: &str = "/v2/hello/manifests/v1";

/// The duration of each sample.
const SAMPLE: Duration = Duration::from_secs(1);

/// Measures GET and HEAD of one manifest by its tag, with which every pull and every check for updates begins.
pub(crate) fn measure(choice: &Choice, medium: &Medium, report: &mut Report) {
    let image = Image::random(&[1000, 2000, 3000]);
    let peers: Vec<_> = choice
        .products
        .iter()
        .map(|product| {
            let peer = Peer::start(product, medium);
            push(&peer, &image);
            peer
        })
        .collect();
    for method in [Method::GET, Method::HEAD] {
        let figure = |what, unit| Figure::new(format!("{method} a manifest by tag, {what}"), unit);
        let clients = format!("{} clients", load::CONNECTIONS);
        let mut rate = figure(clients.as_str(), Unit::PerSecond);
        let mut p99 = figure("p99", Unit::Milliseconds);
        let mut cpu = figure("processor time of 1000", Unit::Milliseconds);
        for _ in 0..choice.rounds {
            for (column, _) in choice.turns() {
                let peer = &peers[column];
                let before = peer.cpu();
                let load = load::run(peer.address(), &method, TAGGED, SAMPLE);
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "nobody counts that far in a second"
                )]
                let requests = load.requests as f64;
                rate.add(column, requests / SAMPLE.as_secs_f64());
                p99.add(column, load.p99.as_secs_f64() * 1e3);
                if let Some((before, after)) = before.zip(peer.cpu()) {
                    cpu.add(column, (after - before).total() * 1e6 / requests);
                }
            }
        }
        report.compare(rate);
        report.compare(p99);
        report.compare(cpu);
    }
}

fn push(peer: &Peer, image: &Image) {
    runtime().block_on(async {
        let mut connection = Connection::open(peer.address()).await;
        for blob in image.blobs() {
            small::push(&mut connection, "hello", &Blob::new(blob.to_vec())).await;
        }
        let request = connection
            .request(&Method::PUT, TAGGED)
            .header(header::CONTENT_TYPE, Image::MEDIA_TYPE);
        let manifest = Bytes::copy_from_slice(image.manifest());
        let (head, _) = connection.send(request, manifest).await;
        assert_eq!(head.status, 201);
    });
}
